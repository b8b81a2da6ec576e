//! The parts of a form with a file, as far as they may go before the file: what stands before it is small, and whoever
//! sends more is refused before it is kept or searched.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt as _};

/// The headers of one part, in bytes.
pub(crate) const MAX_HEAD_LEN: usize = 8 * 1_024;
/// The longest field of the form but the file, in bytes.
pub(crate) const MAX_FIELD_LEN: usize = 4_096;
/// Most parts of the form.
pub(crate) const MAX_PARTS: usize = 16;
/// Bytes given to the parser at once before the file. It keeps and searches its whole input, so this bounds it.
const SLICE_LEN: usize = 1_024;

/// How many bytes may be handed over until something is expected of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    pub(crate) fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// The file: that has a limit of its own.
    pub(crate) fn lift(&self) {
        self.set(usize::MAX);
    }
}

/// The form is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the headers of a part are larger than 8 KiB, or a field than 4 KiB")]
    TooLong,
    #[error(transparent)]
    Broken(#[from] warp::Error),
}

/// What of a form cannot be read, without the words of the parser around it.
pub(crate) fn why(error: &multer::Error) -> String {
    let ended = std::error::Error::source(error).map(ToString::to_string);
    ended.unwrap_or_else(|| error.to_string())
}

/// The bytes of a form, handed over under an allowance.
pub(crate) struct Metered {
    bytes: Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>,
    rest: Bytes,
    allowance: Allowance,
    /// The parser looks at what it has as soon as there is nothing more at the moment.
    pauses: bool,
}

impl Metered {
    pub(crate) fn new<B: Buf>(
        bytes: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
        allowance: Allowance,
    ) -> Self {
        let bytes =
            bytes.map(|chunk| chunk.map(|mut chunk| -> Bytes { chunk.copy_to_bytes(chunk.remaining()) }));
        Self { bytes: Box::pin(bytes), rest: Bytes::new(), allowance, pauses: false }
    }
}

impl Stream for Metered {
    type Item = Result<Bytes, Ended>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if std::mem::take(&mut this.pauses) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        while this.rest.is_empty() {
            match this.bytes.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(chunk))) => this.rest = chunk,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
        this.pauses = true;
        let allowed = this.allowance.0.load(Ordering::Relaxed);
        if allowed == usize::MAX {
            return Poll::Ready(Some(Ok(std::mem::take(&mut this.rest))));
        }
        if allowed == 0 {
            return Poll::Ready(Some(Err(Ended::TooLong)));
        }
        let len = this.rest.len().min(SLICE_LEN).min(allowed);
        this.allowance.set(allowed - len);
        Poll::Ready(Some(Ok(this.rest.split_to(len))))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use multer::Multipart;

    use super::*;

    /// Parses a form: the names of its parts or the error, and the number of bytes that were read.
    async fn parts_of(form: Vec<u8>, chunk: usize) -> (Result<Vec<String>, String>, usize) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = taken.clone();
        let chunks: Vec<Bytes> = form.chunks(chunk).map(Bytes::copy_from_slice).collect();
        let chunks = stream::iter(chunks).map(move |chunk| {
            counted.fetch_add(chunk.len(), Ordering::Relaxed);
            Ok::<_, warp::Error>(chunk)
        });
        let allowance = Allowance::default();
        let mut parts = Multipart::new(Metered::new(chunks, allowance.clone()), "x");
        let mut names = Vec::new();
        let read = loop {
            allowance.set(MAX_HEAD_LEN);
            let field = match parts.next_field().await {
                Ok(Some(field)) => field,
                Ok(None) => break Ok(names),
                Err(error) => break Err(why(&error)),
            };
            names.push(field.name().unwrap_or_default().to_owned());
            allowance.lift();
            if let Err(error) = field.bytes().await {
                break Err(why(&error));
            }
        };
        (read, taken.load(Ordering::Relaxed))
    }

    fn part(name: &str, more: &str, body: &str) -> String {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n{more}\r\n{body}\r\n")
    }

    #[tokio::test]
    async fn parts_are_found_however_the_bytes_come() {
        let body = "b".repeat(50_000);
        let form = part("csrf", "", "t") + &part("file", "Content-Type: text/csv\r\n", &body) + "--x--\r\n";
        for chunk in [1, 7, 1_024, 60_000, 100_000] {
            let (read, taken) = parts_of(form.clone().into_bytes(), chunk).await;
            assert_eq!(read, Ok(vec!["csrf".to_owned(), "file".to_owned()]), "chunks of {chunk}");
            assert!(taken >= form.len() - "\r\n".len(), "{taken} of {}", form.len());
        }
    }

    #[tokio::test]
    async fn headers_over_eight_kib_end_the_form_and_no_more_is_taken() {
        for more in [
            format!("X-Long: {}\r\n", "x".repeat(1_000_000)),
            "X-Many: x\r\n".repeat(100_000),
            format!("X-Open: {}", "x".repeat(1_000_000)),
        ] {
            let (read, taken) = parts_of(part("csrf", &more, "t").into_bytes(), 4_096).await;
            assert!(read.is_err_and(|error| error.contains("larger than 8 KiB")), "{more:.20}");
            assert!(taken <= MAX_HEAD_LEN + 2 * 4_096, "{taken} bytes were taken");
        }
        let (read, taken) = parts_of(vec![b'x'; 1_000_000], 4_096).await;
        assert!(read.is_err() && taken <= MAX_HEAD_LEN + 2 * 4_096, "before the first part: {taken}");
    }
}
