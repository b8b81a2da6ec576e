//! Reading a body: bounded, and kept so that any bytes survive.

use std::pin::pin;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use warp::http::HeaderMap;

use super::MAX_BODY_LEN;
use crate::body::{BadBody, whole};

/// Everything that could not be read back from text: controls and the escape itself. Bytes that are not ASCII are
/// always encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The whole body.
pub(super) async fn read(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Vec<u8>, BadBody> {
    whole(headers, body, MAX_BODY_LEN).await
}

/// The stored form of a body: percent-encoded; `None` if it is empty.
pub(super) fn kept(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| percent_encode(bytes, ENCODED).to_string())
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
    let kept = kept(&bytes);
    (bytes, kept)
}
