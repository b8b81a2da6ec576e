//! How large a test is: small in `tests/run`, and as large as the environment says in the long form.

/// The number that the variable `name` says, else `default`.
pub(crate) fn scale(name: &str, default: usize) -> usize {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number, not {text}")))
}
