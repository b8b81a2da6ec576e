//! Messages shown once, on the page after a form was sent. The text is in the URL, with a code that only the session can
//! make: a link from somebody else cannot make a page show a message.

use domain::access::{same_text, token_hash};

use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;

/// URL parameters that belong to the last form and not to the page.
const OF_THE_CLICK: [&str; 4] = ["said", "seal", "on", "after"];
/// The longest message, in bytes; longer URLs are refused by some proxies.
const MAX_LEN: usize = 1_000;

/// `path` without the parameters of the last form, and with `params`.
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

/// `path` with `lines` as its message for this viewer.
pub(crate) fn with_message(viewer: &Viewer, path: &str, lines: &[String]) -> String {
    let mut text = lines.join("\n");
    while text.len() > MAX_LEN {
        text.pop();
    }
    let text = text.trim().to_owned();
    let seal = seal(viewer, &text);
    if text.is_empty() { with(path, &[]) } else { with(path, &[("said", text), ("seal", seal)]) }
}

/// The lines of the message; empty if its code was not made by this session.
pub(crate) fn message(viewer: &Viewer, request: &Request) -> Vec<String> {
    let text = request.query("said").unwrap_or_default();
    let is_ours = request.query("seal").is_some_and(|sent| same_text(sent, &seal(viewer, text)));
    if is_ours { text.lines().map(str::to_owned).collect() } else { Vec::new() }
}

/// The code of a message: a hash under the session's token.
fn seal(viewer: &Viewer, text: &str) -> String {
    token_hash(&format!("said:{}:{text}", viewer.csrf)).chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_once() {
        let first = with("/review?group=rule&after=3", &[("said", "done".into()), ("seal", "x".into())]);
        assert_eq!(first, "/review?group=rule&said=done&seal=x");
        assert_eq!(with(&first, &[("on", "1".into())]), "/review?group=rule&on=1");
        assert_eq!(with("/review?on=1", &[]), "/review");
    }
}
