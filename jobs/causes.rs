//! Errors with their causes: the outermost message alone may only say "error sending request".

use std::error::Error;

/// `error`, its cause, the cause of that, and so on.
pub(crate) fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// All messages in one line. Remove the URL from an HTTP client's error first: it contains a signature.
pub(crate) fn sentence(error: &(dyn Error + 'static)) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
