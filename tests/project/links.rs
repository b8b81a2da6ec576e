//! Every link of a Markdown file that stays in the repository leads to something.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::{files, none_of, root};

/// What a Markdown file links to, and what can be linked in it.
#[derive(Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

/// The attributes of HTML that lead somewhere, and those that can be led to.
const LINKS: [&str; 3] = ["href=\"", "src=\"", "srcset=\""];
const ANCHORS: [&str; 2] = ["id=\"", "name=\""];

/// The values of such an attribute.
fn values<'t>(html: &'t str, attribute: &'t str) -> impl Iterator<Item = String> + 't {
    html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned)
}

fn page(text: &str) -> Page {
    let mut page = Page::default();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut heading: Option<String> = None;
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                page.links.extend(LINKS.iter().flat_map(|attribute| values(&html, attribute)));
                page.anchors.extend(ANCHORS.iter().flat_map(|attribute| values(&html, attribute)));
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let words = heading.take().unwrap_or_default();
                page.anchors.insert(anchor(&words, &mut seen));
            }
            _ => {}
        }
    }
    page
}

/// The anchor of a heading as forges make it: small letters, digits, hyphens for blanks; the second of the same has `-1`.
fn anchor(words: &str, seen: &mut HashMap<String, usize>) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    let id = words.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-");
    let times = seen.entry(id.clone()).or_insert(0);
    *times += 1;
    if *times == 1 { id } else { format!("{id}-{}", *times - 1) }
}

/// Whether a link leaves the repository: `https://…`, `mailto:…`.
fn is_elsewhere(link: &str) -> bool {
    let scheme = link.split_once(':').map_or("", |(scheme, _)| scheme);
    !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Why a link of the file at `from` leads nowhere.
fn fault(from: &Path, link: &str, pages: &BTreeMap<PathBuf, Page>) -> Option<String> {
    let (path, wanted) = link.split_once('#').unwrap_or((link, ""));
    let target = match (path, path.strip_prefix('/')) {
        ("", _) => from.to_owned(),
        (_, Some(path)) => root().join(path),
        (_, None) => from.parent().unwrap_or_else(|| root()).join(path),
    };
    let Ok(target) = target.canonicalize() else { return Some(format!("there is no {}", target.display())) };
    if !target.starts_with(root().canonicalize().ok()?) {
        return Some("it leads out of the repository".to_owned());
    }
    match pages.get(&target) {
        _ if wanted.is_empty() => None,
        Some(page) if page.anchors.contains(wanted) => None,
        Some(page) => {
            let known = page.anchors.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            Some(format!("there is no heading #{wanted}; there are {known}"))
        }
        None => Some(format!("#{wanted} is an anchor in a file that is not Markdown")),
    }
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let pages: BTreeMap<PathBuf, Page> = files(".md")
        .into_iter()
        .map(|path| {
            (path.canonicalize().expect("a file"), page(&std::fs::read_to_string(&path).expect("a text")))
        })
        .collect();
    assert!(pages.len() > 10, "{:?}", pages.keys());
    let mut found = Vec::new();
    let mut followed = 0;
    for (path, page) in &pages {
        for link in page.links.iter().filter(|link| !is_elsewhere(link)) {
            followed += 1;
            if let Some(why) = fault(path, link, &pages) {
                let path = path.strip_prefix(root()).unwrap_or(path);
                found.push(format!("{}: ({link}) {why}", path.display()));
            }
        }
    }
    assert!(followed > 50, "{followed}");
    none_of(&found);
}

#[test]
fn links_and_anchors_are_found_wherever_they_stand() {
    let page = page(
        "# One `two`, three\n\n# One two three\n\n[a](x.md#b) ![c](d.png) [e]\n\n| f |\n|---|\n| [g](h.md) |\n\n\
         <picture><source srcset=\"i.png\"><img src=\"j.png\"></picture>\n\n<a id=\"k\"></a>\n\n```\n[l](m.md)\n```\n\n[e]: n.md\n",
    );
    assert_eq!(page.links, ["x.md#b", "d.png", "n.md", "h.md", "i.png", "j.png"]);
    assert_eq!(page.anchors.into_iter().collect::<Vec<_>>(), ["k", "one-two-three", "one-two-three-1"]);
    for (link, elsewhere) in [("https://x", true), ("mailto:a@b", true), ("a.md", false), ("a.md#b:c", false)]
    {
        assert_eq!(is_elsewhere(link), elsewhere, "{link}");
    }
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let from = root().canonicalize().expect("a folder").join("README.md");
    let pages = BTreeMap::from([(from.clone(), page("# Here\n"))]);
    for link in ["#here", "src", "/src/main.rs", "Cargo.toml", "./README.md#here"] {
        assert_eq!(fault(&from, link, &pages), None, "{link}");
    }
    for link in ["#there", "nowhere.md", "src/nowhere", "..", "Cargo.toml#package", "README.md#Here"] {
        assert!(fault(&from, link, &pages).is_some(), "{link}");
    }
}
