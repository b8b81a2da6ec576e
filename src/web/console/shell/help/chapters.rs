//! The handbook: the chapters of `src/handbook`, turned into pages once.

use std::collections::HashMap;
use std::sync::LazyLock;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// One chapter.
#[derive(Debug)]
pub(crate) struct Chapter {
    /// In the path: `/help/{name}`.
    pub(crate) name: &'static str,
    /// Its first heading.
    pub(crate) title: String,
    /// Everything below that, as HTML of ours.
    pub(crate) body: String,
    /// The headings of its sections, in order.
    pub(crate) headings: Vec<Heading>,
}

/// The heading of a section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    /// Its anchor.
    pub(crate) id: String,
    /// Its text without marks.
    pub(crate) text: String,
    /// Directly below the title, and not deeper.
    pub(crate) is_section: bool,
}

/// The files, in the order in which they are read.
const FILES: [(&str, &str); 9] = [
    ("start", include_str!("../../../../handbook/start.md")),
    ("assess", include_str!("../../../../handbook/assess.md")),
    ("operate", include_str!("../../../../handbook/operate.md")),
    ("networks", include_str!("../../../../handbook/networks.md")),
    ("rules", include_str!("../../../../handbook/rules.md")),
    ("review", include_str!("../../../../handbook/review.md")),
    ("finance", include_str!("../../../../handbook/finance.md")),
    ("api", include_str!("../../../../handbook/api.md")),
    ("settings", include_str!("../../../../handbook/settings.md")),
];

static CHAPTERS: LazyLock<Vec<Chapter>> =
    LazyLock::new(|| FILES.iter().map(|(name, text)| chapter(name, text)).collect());

/// Every chapter, in order.
pub(crate) fn all() -> &'static [Chapter] {
    &CHAPTERS
}

/// Turns one file into a page.
fn chapter(name: &'static str, text: &str) -> Chapter {
    let mut chapter = Chapter { name, title: String::new(), body: String::new(), headings: Vec::new() };
    let mut anchors = HashMap::new();
    let mut out = Vec::new();
    let mut events = Parser::new_ext(text, Options::ENABLE_TABLES);
    while let Some(event) = events.next() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let inside: Vec<Event<'_>> = events
                    .by_ref()
                    .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))))
                    .collect();
                let words = words(&inside);
                if level == HeadingLevel::H1 {
                    chapter.title = words;
                    continue;
                }
                let id = anchor(&words, &mut anchors);
                let start = Tag::Heading {
                    level,
                    id: Some(CowStr::from(id.clone())),
                    classes: Vec::new(),
                    attrs: Vec::new(),
                };
                chapter.headings.push(Heading { id, text: words, is_section: level == HeadingLevel::H2 });
                out.push(Event::Start(start));
                out.extend(inside);
                out.push(Event::End(TagEnd::Heading(level)));
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let dest_url = CowStr::from(served(&dest_url));
                out.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
            }
            // A wide table scrolls by itself, and by keys.
            Event::Start(Tag::Table(columns)) => {
                out.push(Event::Html("<div class=\"scroll\" tabindex=\"0\">".into()));
                out.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => {
                out.extend([Event::End(TagEnd::Table), Event::Html("</div>".into())]);
            }
            // The handbook has no HTML of its own; what looks like it is shown as it stands.
            Event::Html(text) | Event::InlineHtml(text) => out.push(Event::Text(text)),
            other => out.push(other),
        }
    }
    html::push_html(&mut chapter.body, out.into_iter());
    chapter
}

/// The text of a heading, without marks.
fn words(inside: &[Event<'_>]) -> String {
    let text = |event: &Event<'_>| match event {
        Event::Text(text) | Event::Code(text) => text.to_string(),
        _ => String::new(),
    };
    inside.iter().map(text).collect()
}

/// The anchor of a heading, as forges make them: the letters, digits and hyphens, blanks as hyphens; the second of the
/// same gets `-1`.
fn anchor(words: &str, anchors: &mut HashMap<String, usize>) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    let id = words.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-");
    let seen = anchors.entry(id.clone()).or_insert(0);
    *seen += 1;
    if *seen == 1 { id } else { format!("{id}-{}", *seen - 1) }
}

/// The served form of a link between chapters: `operate.md#limits` becomes `/help/operate#limits`.
fn served(link: &str) -> String {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let Some(name) = file.strip_suffix(".md").filter(|name| !name.contains([':', '/'])) else {
        return link.to_owned();
    };
    if anchor.is_empty() { format!("/help/{name}") } else { format!("/help/{name}#{anchor}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `href` of a chapter.
    fn links(chapter: &Chapter) -> Vec<&str> {
        chapter.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    fn resolves(path: &str, from: &Chapter) -> bool {
        let (page, anchor) = path.split_once('#').unwrap_or((path, ""));
        let name = page.strip_prefix("/help/").unwrap_or(page);
        let chapter =
            if page.is_empty() { Some(from) } else { all().iter().find(|chapter| chapter.name == name) };
        chapter.is_some_and(|chapter| {
            anchor.is_empty() || chapter.headings.iter().any(|heading| heading.id == anchor)
        })
    }

    #[test]
    fn every_link_of_the_handbook_leads_somewhere() {
        let mut count = 0;
        for chapter in all() {
            for link in links(chapter).into_iter().filter(|link| !link.starts_with("https://")) {
                assert!(resolves(link, chapter), "{}.md: {link}", chapter.name);
                count += 1;
            }
        }
        assert!(count > 20, "{count} links were looked at");
    }

    #[test]
    fn the_help_of_every_page_leads_somewhere() {
        for (page, help) in super::super::HELP_OF {
            assert!(help == "/help" || resolves(help, &all()[0]), "{page}: {help}");
        }
    }

    #[test]
    fn every_chapter_has_a_title_and_sections_and_none_is_html_of_its_own() {
        for chapter in all() {
            assert!(!chapter.title.is_empty() && chapter.headings.len() > 3, "{}", chapter.name);
            assert!(!chapter.body.contains("<h1"), "{}", chapter.name);
        }
        let shown = chapter("x", "# X\n\n<script>alert(1)</script> and <b>bold</b>\n").body;
        assert!(!shown.contains("<script") && !shown.contains("<b>"), "{shown}");
    }

    #[test]
    fn anchors_are_those_of_a_forge() {
        let text = "# X\n## Backup and restore\n## `[sources.statement]`\n## Who, when?\n## Who when\n";
        let ids: Vec<_> = chapter("x", text).headings.into_iter().map(|heading| heading.id).collect();
        assert_eq!(ids, ["backup-and-restore", "sourcesstatement", "who-when", "who-when-1"]);
    }
}
