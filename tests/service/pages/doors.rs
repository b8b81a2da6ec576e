//! Signing in, roles, and requests forged by other sites.

use serde_json::json;

use super::{PASSWORD, Team};
use crate::support::database::Kind;
use crate::support::http::{Request, call};
use crate::support::network::{Event, deliver};

on_both_databases!(
    nobody_sees_anything_without_a_session,
    finance_cannot_decide_and_risk_cannot_manage_people,
    a_request_without_its_token_changes_nothing,
    a_wrong_password_says_nothing_about_names_and_guessing_is_slowed_down,
    an_admin_adds_and_disables_people_and_their_sessions_end,
    every_page_carries_the_headers_that_keep_it_to_itself,
    refused_and_quarantined_calls_are_replayed_after_the_fix,
);

const PAGES: [&str; 18] = [
    "/",
    "/review",
    "/rewards",
    "/rewards/1",
    "/users/main/u-1",
    "/postbacks",
    "/postbacks/1",
    "/sources",
    "/deliveries",
    "/reports",
    "/reports/2026-11-23",
    "/reports/2026-11-23.xlsx",
    "/reports/statements/1",
    "/lists",
    "/policy",
    "/audit",
    "/help",
    "/help/review",
];

fn nobody_sees_anything_without_a_session(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    for page in PAGES.into_iter().chain(["/people", "/review/new", "/password"]) {
        for cookie in ["", "rewardgate_session=", "rewardgate_session=0123456789abcdef"] {
            let answer = call(team.up.address, &Request::get(page).header("Cookie", cookie));
            assert_eq!(answer.status, 303, "{page}");
            assert!(answer.header("location").expect("where to").starts_with("/login"), "{page}");
            assert!(answer.body.is_empty(), "{page}");
        }
    }
}

fn finance_cannot_decide_and_risk_cannot_manage_people(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    let fin = team.signed_in("fin");
    fin.go(&format!("/rewards/{}", team.id("T-1")));
    fin.says("Held: ");
    assert_eq!(fin.count("button[value=release]"), 0);
    // The button is not what keeps them out.
    let token = fin.ask("return document.querySelector('[name=csrf]').value");
    let posted = |path: &str, fields: &str| {
        let token = token.as_str().expect("a token");
        format!(
            "return (async () => (await fetch('{path}', {{method: 'POST', body: new URLSearchParams('csrf={token}&{fields}')}})).status)()"
        )
    };
    let id = team.id("T-1");
    for (path, fields) in [
        ("/review/decide".to_owned(), format!("do=release&id={id}:1")),
        (format!("/rewards/{id}/overturn"), "note=x".to_owned()),
        ("/decisions/1/undo".to_owned(), String::new()),
        ("/deliveries/resend".to_owned(), String::new()),
        ("/postbacks/1/state".to_owned(), "reward=1&reason=x".to_owned()),
        ("/postbacks/1/set-aside".to_owned(), "reason=x".to_owned()),
        ("/people".to_owned(), format!("name=x&role=admin&password={PASSWORD}")),
        ("/people/mara/disable".to_owned(), String::new()),
    ] {
        assert_eq!(fin.ask(&posted(&path, &fields)), json!(403), "{path}");
    }
    assert_eq!(team.status("T-1"), "held");
    let mara = team.signed_in("mara");
    mara.go("/people");
    mara.says("Admin role required");
}

fn a_request_without_its_token_changes_nothing(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1"]);
    let mara = team.signed_in("mara");
    let id = team.id("T-1");
    for csrf in ["", "&csrf=", "&csrf=0123456789abcdef"] {
        for (path, fields) in [
            ("/review/decide", format!("do=release&id={id}:1")),
            ("/logout", String::new()),
            ("/password", format!("old={PASSWORD}&new=another%20one")),
        ] {
            let script = format!(
                "return (async () => (await fetch('{path}', {{method: 'POST', body: new URLSearchParams('{fields}{csrf}')}})).status)()"
            );
            assert_eq!(mara.ask(&script), json!(403), "{path} {csrf}");
        }
    }
    assert_eq!(team.status("T-1"), "held");
    // Signing in, too, is a form that only our own page can send.
    let body = format!("name=mara&password={}", PASSWORD.replace(' ', "+"));
    let forged = Request::new("POST", "/login")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(&body);
    let forged = call(team.up.address, &forged);
    assert_eq!(forged.status, 403);
    assert!(!forged.header("set-cookie").unwrap_or_default().contains("rewardgate_session"));
}

fn a_wrong_password_says_nothing_about_names_and_guessing_is_slowed_down(on: Kind) {
    let team = Team::new(on);
    let browser = team.browser(super::Look::default());
    for (name, password) in [("mara", "wrong"), ("nobody", PASSWORD)] {
        browser.go("/login");
        browser.fill("[name=name]", name);
        browser.fill("[name=password]", password);
        browser.click("form button");
        browser.says("Incorrect name or password.");
    }
    // One attempt is restored every twelve seconds; faster guessing hits the limit.
    browser.until("guessing is slowed down", |browser| {
        browser.fill("[name=name]", "mara");
        browser.fill("[name=password]", "wrong");
        browser.click("form button");
        browser.says("Sign in");
        browser.text().contains("Too many attempts")
    });
}

fn an_admin_adds_and_disables_people_and_their_sessions_end(on: Kind) {
    let team = Team::new(on);
    let (root, mara) = (team.signed_in("root"), team.signed_in("mara"));
    root.go("/people");
    root.fill("[action='/people'] [name=name]", "ann");
    root.fill("[action='/people'] [name=password]", "short");
    root.click("[action='/people'] button");
    root.says("a password has at least 10 characters");
    root.fill("[action='/people'] [name=name]", "ann");
    root.fill("[action='/people'] [name=password]", PASSWORD);
    root.click("[action='/people'] button");
    root.says("ann was added and can sign in now");
    team.signed_in("ann").says("Today");
    root.click("[action='/people/mara/disable'] button");
    root.says("The sessions of mara have ended");
    mara.go("/review");
    mara.says("Sign in");
    root.go("/audit?action=person_disabled");
    root.says("person mara");
}

fn every_page_carries_the_headers_that_keep_it_to_itself(on: Kind) {
    let team = Team::new(on);
    let login = call(team.up.address, &Request::get("/login"));
    for (name, expected) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(login.header(name), Some(expected), "{name}");
    }
    let policy = login.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let cookie = login.header("set-cookie").expect("a cookie");
    assert!(cookie.contains("HttpOnly; SameSite=Lax") && !cookie.contains("Secure"), "{cookie}");
    // No page holds code or style of its own.
    team.hold("u-1", &["T-1"]);
    let browser = team.signed_in("root");
    for page in PAGES.into_iter().chain(["/people", "/password", "/login"]) {
        browser.go(page);
        assert_eq!(browser.count("script:not([src]), style, [style], [onclick]"), 0, "{page}");
    }
}

fn refused_and_quarantined_calls_are_replayed_after_the_fix(on: Kind) {
    let team = Team::new(on);
    let forged = format!("{}0", Event::honest("u-1", "T-1", 500).credit());
    call(team.up.address, &Request::get(forged));
    let broken = crate::support::network::sign(&Event::honest("", "T-2", 500).unsigned(1));
    deliver(team.up.address, &broken);
    team.api.await_processing();
    let mara = team.signed_in("mara");
    mara.go("/postbacks?outcome=quarantined");
    mara.says("quarantined");
    mara.click("form[action$='/replay'] button");
    mara.says("is replayed and waits in the inbox");
    mara.go("/postbacks?outcome=refused");
    mara.click("form[action$='/replay'] button");
    mara.says("was not replayed:");
    assert!(mara.text().contains("T-1"), "it is still there");
}
