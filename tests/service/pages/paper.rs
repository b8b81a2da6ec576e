//! Pages on a telephone and on paper: what was tapped is seen, nothing that a screen shows by a colour or on hover is
//! lost, and figures are written in one way.

use super::browser::{Browser, Look};
use super::{PASSWORD, Team};
use crate::finance::days_ago;
use crate::support::database::Kind;
use crate::support::network::{Event, deliver};

on_both_databases!(
    on_a_telephone_what_was_tapped_is_what_is_seen_next,
    on_a_telephone_no_value_and_no_label_is_lost,
    on_paper_times_are_exact_and_nothing_is_folded,
    money_and_counts_are_written_in_one_way_on_every_page,
);

/// Makes the screen look like the printer's paper.
const PAPER: &str = "for (const rule of document.styleSheets[0].cssRules)
    if (rule instanceof CSSMediaRule && rule.media.mediaText === 'print') rule.media.mediaText = 'all';
    return true";

fn on_a_telephone_what_was_tapped_is_what_is_seen_next(on: Kind) {
    let team = Team::new(on);
    let transactions: Vec<String> = (0..12).map(|number| format!("T-{number}")).collect();
    team.hold("u-1", &transactions.iter().map(String::as_str).collect::<Vec<_>>());
    for without_script in [false, true] {
        let browser = team.browser(Look { narrow: true, without_script, ..Look::default() });
        browser.sign_in("mara", PASSWORD);
        browser.go("/review?group=user&c1=u-1&c2=main");
        browser.click("[data-item]:nth-child(9) a[data-open]");
        let top = "return document.querySelector('.verdict').getBoundingClientRect().top";
        let seen = |browser: &Browser| {
            let (top, height) = (browser.ask(top), browser.ask("return innerHeight"));
            (0.0..height.as_f64().expect("a height")).contains(&top.as_f64().expect("a place"))
        };
        browser.until("the reward that was tapped is seen", seen);
        browser.click("[data-key=s]");
        browser.until("and so is the next", seen);
    }
}

fn on_a_telephone_no_value_and_no_label_is_lost(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    let today = days_ago(0).date().to_string();
    assert_eq!(team.gate.run(&["report", &today]).status.code(), Some(0));
    let browser = team.browser(Look { narrow: true, ..Look::default() });
    browser.sign_in("root", PASSWORD);
    browser.go("/policy");
    browser.says("90 days");
    let squeezed = "return Array.from(document.querySelectorAll('dd, td')).filter(cell => cell.textContent.trim() !== ''
        && (cell.getBoundingClientRect().width < 120 || cell.scrollWidth > cell.clientWidth + 1)).map(cell => cell.textContent)";
    assert_eq!(browser.ask(squeezed), serde_json::json!([]), "values have room");
    for page in [
        "/".to_owned(),
        "/reports".into(),
        format!("/reports/{today}"),
        format!("/rewards/{}", team.id("T-1")),
    ] {
        browser.go(&page);
        let tiny = "return Array.from(document.querySelectorAll('svg.chart text'))
            .filter(text => text.getClientRects().length > 0)
            .map(text => [Number(text.getAttribute('font-size')) * text.getCTM().a, text.textContent])
            .filter(([size]) => size < 10)";
        assert_eq!(browser.ask(tiny), serde_json::json!([]), "labels of {page} can be read");
    }
}

fn on_paper_times_are_exact_and_nothing_is_folded(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    let today = days_ago(0).date().to_string();
    assert_eq!(team.gate.run(&["report", &today]).status.code(), Some(0));
    let root = team.signed_in("root");
    let cluster = format!("/review?group=user&c1=u-1&c2=main&open={}", team.id("T-1"));
    for page in ["/", "/review", &cluster, "/reports", &format!("/reports/{today}"), "/audit", "/people"] {
        root.go(page);
        // Where something is only said as "3 min ago", its instant is one hover away.
        let bare = root.ask(
            "return Array.from(document.querySelectorAll('time'))
                .filter(time => !/^(due )?\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC/.test(time.title)).map(time => time.outerHTML)",
        );
        assert_eq!(bare, serde_json::json!([]), "{page}");
        root.ask(PAPER);
        let relative = root.ask(
            "return Array.from(document.querySelectorAll('time'))
                .filter(time => getComputedStyle(time).fontSize !== '0px'
                    || !getComputedStyle(time, '::after').content.includes('UTC')).map(time => time.outerHTML)",
        );
        assert_eq!(relative, serde_json::json!([]), "{page}");
        let folded = root.ask(
            "return Array.from(document.querySelectorAll('details > :not(summary)'))
                .filter(part => part.getClientRects().length === 0 && part.textContent.trim() !== '').map(part => part.textContent)",
        );
        assert_eq!(folded, serde_json::json!([]), "{page}");
        let plain = root.ask(
            "return Array.from(document.querySelectorAll('.legend'))
                .filter(it => getComputedStyle(it, '::before').printColorAdjust !== 'exact').length",
        );
        assert_eq!(plain, 0, "the colours of the legend of {page}");
    }
}

fn money_and_counts_are_written_in_one_way_on_every_page(on: Kind) {
    let team = Team::new(on);
    for number in 0..3 {
        deliver(team.up.address, &Event::honest("u-1", &format!("T-{number}"), 1_500).credit());
    }
    deliver(team.up.address, &Event::large("u-2", "T-9", 30_000).credit());
    team.api.await_processing();
    let today = days_ago(0).date().to_string();
    assert_eq!(team.gate.run(&["report", &today]).status.code(), Some(0));
    let root = team.signed_in("root");
    let id = team.id("T-9");
    root.go(&format!("/rewards/{id}"));
    root.click("[data-key=a]");
    root.says("Released 1 reward, $60.00.");
    for page in [
        "/",
        "/review",
        "/rewards",
        "/users/main/u-1",
        "/reports",
        &format!("/reports/{today}"),
        &format!("/rewards/{id}"),
        "/audit",
        "/policy",
    ] {
        root.go(page);
        let text = root.text();
        let odd: Vec<&str> = text.split_whitespace().filter(|word| is_odd(word)).collect();
        assert_eq!(odd, Vec::<&str>::new(), "{page}:\n{text}");
    }
    root.go(&format!("/reports/{today}"));
    root.says("$63.00");
    root.says("4,500 coins");
    root.says("30,000 coins");
}

/// Dollars that have no cents, or a number above a thousand without its comma.
fn is_odd(word: &str) -> bool {
    let Some((_, digits)) = word.split_once('$') else { return false };
    let digits = digits.trim_end_matches(['.', ',', ';', ':', ')']);
    let (whole, cents) = digits.split_once('.').unwrap_or((digits, ""));
    let has_commas = whole.split(',').skip(1).all(|group| group.len() == 3)
        && whole.split(',').next().is_some_and(|head| (1..=3).contains(&head.len()));
    digits.starts_with(|letter: char| letter.is_ascii_digit()) && (cents.len() < 2 || !has_commas)
}
