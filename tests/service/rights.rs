//! Who may do what: every call, page and form, requested anonymously, by each role, by an ended session and by tokens
//! that are no longer in force.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::support::api::{Api, json_of};
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening};
use crate::support::http::{Answer, Request, call};
use crate::support::network::{Event, deliver};
use crate::support::signed_in::SignedIn;

on_both_databases!(
    every_call_of_the_api_is_refused_to_whoever_has_no_right_to_it,
    every_page_and_form_is_refused_to_whoever_has_no_right_to_it,
);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    Everybody,
    Review,
    Settle,
    Admin,
}

use May::{Admin, Everybody, Review, Settle};

const ROLES: [&str; 3] = ["finance", "risk", "admin"];
/// An id that does not exist, so that a permitted call changes nothing.
const NONE: &str = "987654321";

impl May {
    fn allows(self, role: &str) -> bool {
        match self {
            Everybody => true,
            Review => role != "finance",
            Settle => role != "risk",
            Admin => role == "admin",
        }
    }
}

const CALLS: [(&str, &str, May); 36] = [
    ("get", "rewards", Everybody),
    ("get", "rewards/{id}", Everybody),
    ("post", "rewards/{id}/release", Review),
    ("post", "rewards/{id}/reject", Review),
    ("post", "rewards/{id}/undo", Review),
    ("get", "reversals", Everybody),
    ("post", "reversals/{id}/resolve", Review),
    ("get", "users/{id}/balance", Everybody),
    ("get", "postbacks", Everybody),
    ("get", "postbacks/{id}", Everybody),
    ("post", "postbacks/{id}/replay", Review),
    ("post", "postbacks/{id}/state", Review),
    ("post", "postbacks/{id}/confirm", Review),
    ("post", "postbacks/{id}/decline", Review),
    ("post", "postbacks/{id}/set-aside", Review),
    ("post", "postbacks/{id}/take-up", Review),
    ("get", "deliveries", Everybody),
    ("post", "deliveries/{id}/resend", Review),
    ("post", "deliveries/resend", Review),
    ("post", "deliveries/{id}/give-up", Review),
    ("get", "apps", Everybody),
    ("post", "apps/{app}/enable", Review),
    ("get", "reports", Everybody),
    ("get", "reports/{date}", Everybody),
    ("post", "reports/{date}/sign-off", Settle),
    ("post", "statements", Settle),
    ("get", "statements", Everybody),
    ("get", "statements/{id}", Everybody),
    ("get", "statements/{id}/lines", Everybody),
    ("get", "statements/{id}/payments", Everybody),
    ("post", "statements/{id}/accept", Settle),
    ("post", "statements/{id}/paid", Settle),
    ("post", "statements/{id}/take-back", Settle),
    ("post", "statements/{id}/import", Settle),
    ("post", "statements/{id}/discard", Settle),
    ("post", "statements/{id}/restore", Settle),
];

/// Calls of the document that are not in [`CALLS`].
const MORE_CALLS: [(&str, &str, May); 12] = [
    ("get", "lists", Everybody),
    ("get", "lists/{id}", Everybody),
    ("post", "lists", Review),
    ("post", "lists/import", Review),
    ("post", "lists/{id}/remove", Review),
    ("get", "statements/{id}/missing.csv", Everybody),
    ("get", "ledger/proof", Everybody),
    ("get", "statements/{id}/missing.txt", Everybody),
    ("get", "statements/{id}/lines.csv", Everybody),
    ("get", "statements/{id}.xlsx", Everybody),
    ("get", "reports/{date}.csv", Everybody),
    ("get", "reports/{date}.xlsx", Everybody),
];

const PAGES: [(&str, May); 25] = [
    ("/", Everybody),
    ("/review", Everybody),
    ("/review/new?after=0", Everybody),
    ("/review/reversals", Everybody),
    ("/rewards", Everybody),
    ("/rewards/1", Everybody),
    ("/users/u-1", Everybody),
    ("/users/main/u-1", Everybody),
    ("/postbacks", Everybody),
    ("/postbacks/1", Everybody),
    ("/sources", Everybody),
    ("/deliveries", Everybody),
    ("/reports", Everybody),
    ("/reports/2020-01-01", Everybody),
    ("/reports/statements/987654321", Everybody),
    ("/reports/statements/987654321/missing.csv", Everybody),
    ("/lists", Everybody),
    ("/policy", Everybody),
    ("/audit", Everybody),
    ("/help", Everybody),
    ("/help/settings", Everybody),
    ("/help/no-such-chapter", Everybody),
    ("/password", Everybody),
    ("/people", Admin),
    ("/no-such-page", Everybody),
];

/// A form: its path, its other fields, and who may send it.
const FORMS: [(&str, &str, May); 28] = [
    ("/review/decide", "do=release&id=987654321:1&note=x", Review),
    ("/decisions/987654321/undo", "", Review),
    ("/review/reversals/987654321", "do=dismiss&note=x", Review),
    ("/rewards/987654321/skip", "", Everybody),
    ("/rewards/987654321/overturn", "note=x", Review),
    ("/postbacks/987654321/replay", "", Review),
    ("/postbacks/set-aside", "id=987654321&reason=x", Review),
    ("/postbacks/987654321/state", "reward=1&reason=x", Review),
    ("/postbacks/987654321/confirm", "proposal=1&reason=x", Review),
    ("/postbacks/987654321/set-aside", "reason=x", Review),
    ("/postbacks/refused/987654321/replay", "", Review),
    ("/sources", "source=&call=/pb/nowhere", Review),
    ("/deliveries/resend", "", Review),
    ("/deliveries/987654321/resend", "", Review),
    ("/deliveries/987654321/give-up", "reason=x", Review),
    ("/deliveries/apps/nobodys/enable", "", Review),
    ("/lists", "effect=block&kind=user&value=&reason=x", Review),
    ("/lists/import", "csv=", Review),
    ("/lists/987654321/remove", "", Review),
    ("/reports/2020-01-01/sign-off", "note=x", Settle),
    ("/reports/statements/987654321/import", "", Settle),
    ("/reports/statements/987654321/discard", "", Settle),
    ("/reports/statements/987654321/restore", "", Settle),
    ("/reports/statements/987654321/accept", "subject=line%201&note=x", Settle),
    ("/reports/statements/987654321/paid", "amount=1&note=x", Settle),
    ("/people", "name=&role=risk&password=short", Admin),
    ("/people/nobody-at-all/disable", "", Admin),
    ("/password", "old=wrong&new=short", Everybody),
];

struct Staffed {
    // Before the gate, because its log is in the gate's folder.
    up: Listening,
    gate: Gate,
}

/// A gate with one held reward, and a person for each role.
fn staffed(on: Kind) -> Staffed {
    let gate = Gate::new(on);
    let up = gate.up();
    deliver(up.address, &Event::too_fast("u-1", "T-1", 10).credit());
    gate.api(up.address).reward("T-1");
    for role in ROLES {
        gate.add_person(&format!("person-{role}"), role);
    }
    Staffed { up, gate }
}

fn every_call_of_the_api_is_refused_to_whoever_has_no_right_to_it(on: Kind) {
    let staffed = staffed(on);
    let (up, gate) = (&staffed.up, &staffed.gate);
    let document = json_of(&call(up.address, &Request::get("/api/v1/openapi.json")));
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, methods)| {
            let path = path.strip_prefix("/api/v1/").expect("a path of the API");
            let methods = methods.as_object().expect("methods").keys();
            methods.map(|method| (method.clone(), path.to_owned())).collect::<Vec<_>>()
        })
        .collect();
    let calls: Vec<_> = CALLS.into_iter().chain(MORE_CALLS).collect();
    let listed = calls.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    let differ: Vec<_> = documented.symmetric_difference(&listed).collect();
    assert!(differ.is_empty(), "asked here and in the document are not the same: {differ:?}");

    let tokens: BTreeMap<_, _> = ROLES.into_iter().map(|role| (role, gate.token(role))).collect();
    let (revoked, expired) = (gate.token("admin"), gate.token("admin"));
    for (token, change) in [(&revoked, "revoked_at"), (&expired, "expires_at")] {
        let hash = domain::access::token_hash(token);
        gate.database.execute(&format!("UPDATE tokens SET {change} = 1 WHERE token_hash = '{hash}'"));
    }
    let short = tokens["admin"].get(1..).unwrap_or_default().to_owned();
    for (method, path, may) in calls {
        let path = path.replace("{id}", NONE).replace("{date}", "2020-01-01");
        let path = path.replace("{app}", "nobodys");
        let ask = |token: &str| {
            let api = Api { address: up.address, token: token.into() };
            if method == "get" { api.ask(&path) } else { api.post(&path, "{}") }
        };
        for (who, token) in [("nobody", ""), ("revoked", &revoked), ("expired", &expired), ("short", &short)]
        {
            assert_eq!(ask(token).status, 401, "{method} {path} by {who}");
        }
        for (role, token) in &tokens {
            let answer = ask(token);
            if may.allows(role) {
                assert!(
                    ![401, 403].contains(&answer.status) && answer.status < 500,
                    "{method} {path} by {role}: {answer:?}"
                );
            } else {
                assert_eq!(answer.status, 403, "{method} {path} by {role}: {}", answer.body);
            }
        }
    }
}

fn get(address: SocketAddr, path: &str, cookies: &str) -> Answer {
    call(address, &Request::get(path).header("Cookie", cookies))
}

fn post(address: SocketAddr, path: &str, cookies: &str, form: &str) -> Answer {
    let request = Request::new("POST", path).header("Cookie", cookies);
    call(address, &request.header("Content-Type", "application/x-www-form-urlencoded").body(form))
}

fn every_page_and_form_is_refused_to_whoever_has_no_right_to_it(on: Kind) {
    let staffed = staffed(on);
    let (up, gate) = (&staffed.up, &staffed.gate);
    let sessions: BTreeMap<_, _> = ROLES
        .into_iter()
        .map(|role| (role, SignedIn::new(up.address, &format!("person-{role}"), &[])))
        .collect();
    let ended = SignedIn::new(up.address, "person-admin", &[]);
    let hash = {
        let token = ended.cookie.split('=').nth(1).expect("a token");
        domain::access::token_hash(token.split(';').next().unwrap_or(token))
    };
    gate.database
        .execute(&format!("UPDATE sessions SET seen_at = 1, began_at = 1 WHERE token_hash = '{hash}'"));

    for (path, may) in PAGES {
        for (who, cookies) in [("nobody", ""), ("an ended session", &*ended.cookie)] {
            let answer = get(up.address, path, cookies);
            let to = answer.header("location").unwrap_or_default();
            let is_sent_to_sign_in =
                answer.status == 303 && to.starts_with("/login") && answer.body.is_empty();
            assert!(is_sent_to_sign_in || path == "/no-such-page", "{path} by {who}: {answer:?}");
        }
        for (role, session) in &sessions {
            let status = get(up.address, path, &session.cookie).status;
            if may.allows(role) {
                assert!([200, 404].contains(&status), "{path} by {role}: {status}");
            } else {
                assert_eq!(status, 403, "{path} by {role}");
            }
        }
    }
    for (path, fields, may) in FORMS {
        let form = |csrf: &str| format!("csrf={csrf}&{fields}");
        for (who, cookies) in [("nobody", ""), ("an ended session", &*ended.cookie)] {
            let answer = post(up.address, path, cookies, &form(&ended.csrf));
            // The sign-in form keeps the text that was written.
            let asks = answer.status == 401 && answer.body.contains("name=\"password\"");
            let to = answer.header("location").unwrap_or_default();
            assert!(asks || answer.status == 303 && to.starts_with("/login"), "{path} by {who}: {answer:?}");
        }
        for (role, session) in &sessions {
            for foreign in ["", &*ended.csrf] {
                let status = post(up.address, path, &session.cookie, &form(foreign)).status;
                assert_eq!(status, 403, "{path} by {role} without the token of its form");
            }
            let answer = post(up.address, path, &session.cookie, &form(&session.csrf));
            if may.allows(role) {
                assert!(
                    ![401, 403].contains(&answer.status) && answer.status < 500,
                    "{path} by {role}: {answer:?}"
                );
            } else {
                assert_eq!(answer.status, 403, "{path} by {role}: {}", answer.body);
            }
        }
    }
    assert_eq!(gate.api(up.address).reward("T-1")["status"], "held");
}
