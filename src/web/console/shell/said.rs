//! What a click did, told once by the page that follows it. The words travel in the URL, sealed for the session that
//! they were said to: nobody can make a page say anything by sending somebody a link.

use domain::access::{same_text, token_hash};

use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;

/// What of a URL belongs to the click that led there and not to the place.
const OF_THE_CLICK: [&str; 4] = ["said", "seal", "on", "after"];
/// The longest text that is told, in bytes: a URL stays far below what proxies take.
const MAX_LEN: usize = 1_000;

/// `path` with what the click before did left out, and `params` added.
pub(crate) fn with(path: &str, params: &[(&str, String)]) -> String {
    let (page, query) = path.split_once('?').unwrap_or((path, ""));
    let mut pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    pairs.retain(|(name, _)| !OF_THE_CLICK.contains(&name.as_str()));
    pairs.extend(params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    if pairs.is_empty() {
        return page.to_owned();
    }
    format!("{page}?{}", serde_urlencoded::to_string(&pairs).unwrap_or_default())
}

/// `path`, where `lines` are to be told to this viewer.
pub(crate) fn telling(viewer: &Viewer, path: &str, lines: &[String]) -> String {
    let mut text = lines.join("\n");
    while text.len() > MAX_LEN {
        text.pop();
    }
    let text = text.trim().to_owned();
    let seal = seal(viewer, &text);
    if text.is_empty() { with(path, &[]) } else { with(path, &[("said", text), ("seal", seal)]) }
}

/// The lines that the click before has left for this viewer; none that somebody else wrote.
pub(crate) fn told(viewer: &Viewer, request: &Request) -> Vec<String> {
    let text = request.query("said").unwrap_or_default();
    let is_ours = request.query("seal").is_some_and(|sent| same_text(sent, &seal(viewer, text)));
    if is_ours { text.lines().map(str::to_owned).collect() } else { Vec::new() }
}

/// Only who has the session's own token can make it.
fn seal(viewer: &Viewer, text: &str) -> String {
    token_hash(&format!("said:{}:{text}", viewer.csrf)).chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_click_did_is_told_once_and_not_again_by_the_next() {
        let first = with("/review?group=rule&after=3", &[("said", "done".into()), ("seal", "x".into())]);
        assert_eq!(first, "/review?group=rule&said=done&seal=x");
        assert_eq!(with(&first, &[("on", "1".into())]), "/review?group=rule&on=1");
        assert_eq!(with("/review?on=1", &[]), "/review");
    }
}
