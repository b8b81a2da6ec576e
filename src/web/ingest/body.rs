//! Reading a body: bounded, and kept so that any bytes survive.

use std::error::Error;
use std::pin::pin;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use warp::http::{HeaderMap, header};

use super::MAX_BODY_LEN;
use crate::body::BodyError;

/// Everything that could not be read back from text: controls and the escape itself. Bytes that are not ASCII are
/// always encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// Why a body was not taken.
pub(super) enum BadBody {
    TooLarge,
    TooSlow,
    Broken,
}

/// The length that the headers announce; 0 if they announce none.
pub(super) fn announced_len(headers: &HeaderMap) -> usize {
    let text = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    // A number too large for memory is also too large for us.
    text.map_or(0, |text| text.trim().parse().unwrap_or(usize::MAX))
}

/// The whole body, percent-encoded; `None` if it is empty.
pub(super) async fn read(
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Option<String>, BadBody> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await {
        let mut part =
            part.map_err(|error| if is_too_slow(&error) { BadBody::TooSlow } else { BadBody::Broken })?;
        if bytes.len() + part.remaining() > MAX_BODY_LEN {
            return Err(BadBody::TooLarge);
        }
        while part.has_remaining() {
            bytes.extend_from_slice(part.chunk());
            part.advance(part.chunk().len());
        }
    }
    Ok((!bytes.is_empty()).then(|| percent_encode(&bytes, ENCODED).to_string()))
}

/// The first `most` bytes of the body, or as many of them as come in time, and how they are kept.
pub(super) async fn begin(
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    most: usize,
) -> (Vec<u8>, Option<String>) {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while bytes.len() < most
        && let Some(Ok(mut part)) = body.next().await
    {
        while part.has_remaining() && bytes.len() < most {
            let chunk = part.chunk();
            let taken = chunk.len().min(most - bytes.len());
            bytes.extend_from_slice(&chunk[..taken]);
            part.advance(taken);
        }
    }
    let kept = (!bytes.is_empty()).then(|| percent_encode(&bytes, ENCODED).to_string());
    (bytes, kept)
}

/// True if the time limit is somewhere among the causes.
fn is_too_slow(error: &warp::Error) -> bool {
    std::iter::successors(Some(error as &dyn Error), |&error| error.source())
        .any(|error| matches!(error.downcast_ref(), Some(BodyError::<hyper::Error>::TooSlow)))
}
