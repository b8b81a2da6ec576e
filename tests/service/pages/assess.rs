//! The summary of `assess` in a browser: for everybody, in the dark, on a telephone, on paper.

use super::browser::{Browser, Look};
use crate::assess::{fraud_log, summary_of};
use crate::support::database::Kind;
use crate::support::gate::Gate;

fn open(look: Look, url: &str) -> Browser {
    // It looks at a file, and at no gateway.
    let browser = Browser::open(std::net::SocketAddr::from(([127, 0, 0, 1], 1)), look);
    browser.runtime.block_on(browser.client().goto(url)).expect("the page loads");
    browser
}

#[test]
fn the_summary_of_an_assessment_keeps_nobody_out() {
    let gate = Gate::new(Kind::Sqlite);
    let url = format!("file://{}", summary_of(&gate, &fraud_log()).display());
    for look in
        [Look::default(), Look { dark: true, ..Look::default() }, Look { narrow: true, ..Look::default() }]
    {
        let browser = open(look, &url);
        assert_eq!(browser.barriers(), [""; 0], "{look:?}");
        let text = browser.text();
        for words in ["Against the truth", "Impossibly fast", "stand out", "Refused calls"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(browser.ask(overflow), 0, "{look:?} scrolls sideways");
        let ground = browser.ask("return getComputedStyle(document.body).backgroundColor");
        assert_eq!(ground == "rgb(255, 255, 255)", !look.dark, "{ground}");
        let drawn = browser.ask(
            "return [...document.querySelectorAll('svg.chart')].filter(it => it.getClientRects().length > 0).length",
        );
        assert_eq!(drawn, 1, "one drawing suits each width");
    }
}
