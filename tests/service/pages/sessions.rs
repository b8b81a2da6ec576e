//! What remains when a session ends, what a link can make a page say, and that every error is a
//! page.

use super::browser::{Browser, Look};
use super::{PASSWORD, Team};
use crate::support::database::Kind;
use crate::support::http::{Request, call};

on_both_databases!(
    a_session_that_ends_keeps_the_note_and_the_place,
    nobody_elses_form_is_kept_through_signing_in,
    no_link_makes_a_page_say_anything,
    whatever_goes_wrong_at_an_address_of_the_pages_is_a_page,
);

/// Ends every session of `name`.
fn end_sessions(root: &Browser, name: &str) {
    root.go("/people");
    root.fill(&format!("[action='/people/{name}/password'] [name=password]"), PASSWORD);
    root.click(&format!("[action='/people/{name}/password'] button"));
    root.says(&format!("The sessions of {name} have ended"));
}

fn sign_in_here(browser: &Browser, name: &str) {
    browser.fill("[name=name]", name);
    browser.fill("[name=password]", PASSWORD);
    browser.click("form button");
}

fn a_session_that_ends_keeps_the_note_and_the_place(on: Kind) {
    let team = Team::new(on);
    let root = team.signed_in("root");
    for (without_script, tx, name) in [(false, "T-1", "mara"), (true, "T-2", "joe")] {
        team.hold("u-1", &[tx]);
        let mara = team.browser(Look { without_script, ..Look::default() });
        mara.sign_in(name, PASSWORD);
        let place = format!("/review?group=user&c1=u-1&c2=main&open={}", team.id(tx));
        mara.go(&place);
        mara.fill("#decide [name=note]", "asked the network twice");
        end_sessions(&root, name);
        mara.click("button[value=reject]");
        mara.says("Your session has ended, and nothing was changed.");
        assert_eq!(team.status(tx), "held");
        // A wrong password loses nothing either.
        mara.fill("[name=name]", name);
        mara.fill("[name=password]", "not it");
        mara.click("form button");
        mara.says("Incorrect name or password");
        sign_in_here(&mara, name);
        mara.says("what you wrote is kept");
        assert_eq!(team.status(tx), "held", "nothing is sent by itself");
        assert_eq!(mara.text_of("textarea"), "asked the network twice");
        mara.click("form[action='/review/decide'] button");
        mara.says("Rejected 1 reward");
        assert_eq!(team.status(tx), "rejected");
        // A page that is only looked at leads back to itself.
        mara.go(&place);
        end_sessions(&root, name);
        mara.go(&place);
        mara.says("Your session has ended.");
        sign_in_here(&mara, name);
        assert_eq!(mara.path(), place);
    }
    team.gate.assert_proven();
}

fn nobody_elses_form_is_kept_through_signing_in(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    let post = |path: &str, cookie: &str, body: &str| {
        let request = Request::new("POST", path).header("Content-Type", "application/x-www-form-urlencoded");
        call(team.up.address, &request.header("Cookie", cookie).body(body))
    };
    let decide = "do=release&id=1:1&note=evil&csrf=0123456789";
    for (path, cookie, body) in [
        ("/review/decide", "", decide),
        ("/review/decide", "rewardgate_session=0123456789abcdef", decide),
        ("/password", "rewardgate_session=0123456789abcdef", "old=a&new=b&csrf=x"),
    ] {
        let answer = post(path, cookie, body);
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.body.contains("evil") && !answer.body.contains("kept_to"), "{}", answer.body);
    }
    // Nor does signing in lead to another site, whatever the form says.
    for evil in ["//evil.example/", "https://evil.example/", "/\\evil.example"] {
        let body = format!("csrf=x&back={evil}&next={evil}");
        let answer = post("/review/decide", "rewardgate_session=x", &body);
        assert!(!answer.body.contains("evil.example"), "{}", answer.body);
    }
}

fn no_link_makes_a_page_say_anything(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    let mara = team.signed_in("mara");
    let id = team.id("T-1");
    for page in ["/review".to_owned(), "/deliveries".into(), "/postbacks".into(), format!("/rewards/{id}")] {
        for query in [
            "said=Call%20555%2D0199",
            "said=Call%20555%2D0199&seal=0123456789abcdef0123456789abcdef",
            "skipped=1&because=Call%20555%2D0199",
            "undone=4711&late=4711&waiting=4711",
            "done=4711",
        ] {
            mara.go(&format!("{page}?{query}"));
            mara.says("inbox");
            let text = mara.text();
            assert!(!text.contains("555") && !text.contains("4711"), "{page}?{query}:\n{text}");
            assert_eq!(mara.count(".notice[role=status]"), 0, "{page}?{query}");
        }
    }
    // What the system said to one it does not say to another.
    mara.go("/postbacks?outcome=quarantined");
    let token = mara.ask("return document.querySelector('[name=csrf]').value");
    let script = format!(
        "return (async () => (await fetch('/deliveries/4711/resend', {{method: 'POST', body: new URLSearchParams('csrf={}')}})).url)()",
        token.as_str().expect("a token")
    );
    let said = mara.ask(&script);
    let said = said.as_str().and_then(|url| url.split_once("/deliveries")).expect("a page").1.to_owned();
    mara.go(&format!("/deliveries{said}"));
    mara.says("There is no delivery 4711.");
    let joe = team.signed_in("joe");
    joe.go(&format!("/deliveries{said}"));
    joe.says("inbox");
    assert!(!joe.text().contains("4711"), "{}", joe.text());
}

fn whatever_goes_wrong_at_an_address_of_the_pages_is_a_page(on: Kind) {
    let team = Team::new(on);
    let mara = team.signed_in("mara");
    for (page, words) in [
        ("/nowhere", "Page not found"),
        ("/review/nowhere", "Page not found"),
        ("/rewards/x", "Reward not found"),
        ("/users/nobody", "User not found"),
        ("/people", "Admin role required"),
        ("/%FF", "Page not found"),
        ("/review?q=%00", "Invalid address or form"),
    ] {
        mara.go(page);
        mara.says(words);
        assert_eq!(mara.count(".side nav"), 1, "{page} has its frame");
    }
    let cookie_and_html = |method: &'static str, path: &'static str| {
        Request::new(method, path).header("Accept", "text/html,*/*").header("Cookie", "x=y")
    };
    for (method, path, status) in [
        ("PUT", "/review", 405),
        ("DELETE", "/rewards/1", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/?user_id=u", 404),
    ] {
        let answer = call(team.up.address, &cookie_and_html(method, path));
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.body.contains("<main id=main"), "{method} {path}: {}", answer.body);
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    }
    let large = "note=".to_owned() + &"x".repeat(100_000);
    let form = Request::new("POST", "/review/decide")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(&large);
    let answer = call(team.up.address, &form);
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("This form is too large"), "{}", answer.body);
    // Networks, programs and monitoring still get words.
    for path in ["/nowhere", "/?user_id=u-1&tx_id=T"] {
        let answer = call(team.up.address, &Request::get(path));
        assert_eq!((answer.status, answer.body.as_str()), (404, "not found"), "{path}");
    }
    let answer = call(team.up.address, &Request::get("/pb/nowhere").header("Accept", "text/html"));
    assert_eq!(answer.status, 404);
    assert!(!answer.body.contains("<main"), "{}", answer.body);
}
