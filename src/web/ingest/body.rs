//! Reading a body: bounded in bytes and time.

use std::pin::pin;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use warp::http::HeaderMap;

use super::MAX_BODY_LEN;
use crate::body::{BadBody, whole};

/// The whole body.
pub(super) async fn read(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Vec<u8>, BadBody> {
    whole(headers, body, MAX_BODY_LEN).await
}

/// The first `most` bytes of the body, or as many of them as come in time.
pub(super) async fn begin(body: impl Stream<Item = Result<impl Buf, warp::Error>>, most: usize) -> Vec<u8> {
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
    bytes
}
