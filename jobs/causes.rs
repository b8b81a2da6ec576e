//! Errors with their causes: the outermost words alone would be "error sending request".

use std::error::Error;

/// `error` and what it was caused by, and so on.
pub(crate) fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// All of them in one line. Take the URL out of an HTTP client's error first: it carries a hash.
pub(crate) fn sentence(error: &(dyn Error + 'static)) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
