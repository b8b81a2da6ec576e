//! Foreign text on pages: hidden characters in everything that a template writes are made visible.

use std::fmt;

use askama::filters::{Escaper, Html};
use domain::text::visible_lines;

/// The escaper of all templates: HTML, with hidden characters made visible (see [`visible_lines`]).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: fmt::Write>(&self, dest: W, string: &str) -> fmt::Result {
        Html.write_escaped_str(dest, &visible_lines(string))
    }
}

/// Template filters.
#[expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::unused_self,
    reason = "what the macro makes of a filter"
)]
pub(crate) mod filters {
    use std::fmt::{self, Display};

    use askama::Values;
    use askama::filters::{Escaper as _, Html, Safe};

    /// For values that a form sends back (a search, a note, an id): escapes HTML only.
    #[askama::filter_fn]
    pub(crate) fn back(value: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
        let mut out = String::new();
        Html.write_escaped_str(&mut out, &value.to_string()).map_err(|fmt::Error| askama::Error::Fmt)?;
        Ok(Safe(out))
    }
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::filters;

    #[derive(Template)]
    #[template(source = "<p>{{ text }}</p><input value=\"{{ text|back }}\">{{ number }}", ext = "html")]
    struct Page {
        text: &'static str,
        number: i64,
    }

    #[test]
    fn a_page_shows_what_hides_in_a_text_and_a_form_sends_it_back_as_it_was() {
        let page = Page { text: "a\u{202e}<b>\u{1b}\nc", number: -5 }.render().expect("it is written");
        let expected =
            "<p>a\\u{202e}&#60;b&#62;\\u{1b}\nc</p><input value=\"a\u{202e}&#60;b&#62;\u{1b}\nc\">-5";
        assert_eq!(page, expected);
    }
}
