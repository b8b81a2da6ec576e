//! `/help`: the handbook beside the pages, with a search over its headings.

mod chapters;

use askama::Template;

use self::chapters::{Chapter, Heading};
use crate::console::shell::answer::{Answer, Answered, page as render};
use crate::console::shell::frame::{self, Frame};
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;

/// Handbook links by page of the side bar.
pub(crate) const HELP_OF: [(&str, &str); 13] = [
    ("/", "/help"),
    ("/review", "/help/review#queue"),
    ("/rewards", "/help/rules"),
    ("/postbacks", "/help/networks"),
    ("/sources", "/help/networks#watching-sources"),
    ("/deliveries", "/help/api#signed-postbacks-to-the-app"),
    ("/reports", "/help/finance"),
    ("/lists", "/help/rules#lists"),
    ("/policy", "/help/rules"),
    ("/audit", "/help/review#audit"),
    ("/people", "/help/review#staff"),
    ("/help", ""),
    ("", "/help/review#signing-in"),
];

/// The handbook link of the page at `path`.
pub(crate) fn of(path: &str) -> &'static str {
    HELP_OF.iter().find(|(page, _)| *page == path).map_or("/help", |(_, help)| help)
}

/// A heading that fits what is searched for.
struct Found {
    chapter: &'static Chapter,
    heading: &'static Heading,
}

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage {
    frame: Frame,
    chapters: &'static [Chapter],
    search: String,
    found: Vec<Found>,
}

#[derive(Template)]
#[template(path = "chapter.html")]
struct ChapterPage {
    frame: Frame,
    chapters: &'static [Chapter],
    chapter: &'static Chapter,
}

/// `GET /help`
pub(crate) fn contents(viewer: &Viewer, request: &Request) -> Answered {
    let search = request.query("q").unwrap_or_default().trim().to_owned();
    render(&HelpPage {
        frame: Frame::bare(viewer, "/help"),
        chapters: chapters::all(),
        found: find(&search),
        search,
    })
}

/// `GET /help/{chapter}`
pub(crate) fn chapter(viewer: &Viewer, name: &str) -> Answer {
    let Some(chapter) = chapters::all().iter().find(|chapter| chapter.name == name) else {
        return frame::refusal(viewer, 404, "Chapter not found", "All chapters are listed at /help.");
    };
    let page = ChapterPage { frame: Frame::bare(viewer, "/help"), chapters: chapters::all(), chapter };
    render(&page).unwrap_or_else(|error| crate::console::shell::answer::fault(&error))
}

/// The headings that hold every word of `search`, or whose chapter's title does.
fn find(search: &str) -> Vec<Found> {
    let wanted: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let fits = |chapter: &Chapter, heading: &Heading| {
        let words = format!("{} {}", chapter.title, heading.text).to_lowercase();
        wanted.iter().all(|word| words.contains(word))
    };
    let of =
        |chapter: &'static Chapter| chapter.headings.iter().map(move |heading| Found { chapter, heading });
    chapters::all().iter().flat_map(of).filter(|found| fits(found.chapter, found.heading)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_found_by_their_words_in_any_order_and_case() {
        let titles = |search: &str| {
            find(search).into_iter().map(|found| found.heading.text.as_str()).collect::<Vec<_>>()
        };
        assert!(titles("restore BACKUP").contains(&"Backup and restore"));
        assert!(titles("no such heading").is_empty() && titles("  ").is_empty());
    }
}
