//! Every act leaves exactly one line in the audit, with who, by what means and from where; one that fails leaves none.

use serde_json::{Value, json};

use crate::api::{Api, json_of};
use crate::app::app;
use crate::database::Kind;
use crate::finance::{days_ago, line};
use crate::finishing::quarantine;
use crate::gate::{Gate, PASSWORD, text};
use crate::http::{Answer, Request, call};
use crate::network::{Event, deliver};
use crate::wait::until;

on_both_databases!(
    every_api_call_that_changes_something_leaves_one_line,
    every_page_form_that_changes_something_leaves_one_line,
    every_command_that_changes_something_leaves_one_line,
    refusals_leave_bounded_lines,
    the_audit_is_exported_and_its_chain_is_verified,
    a_command_acts_only_as_somebody_who_could_do_it,
);

impl Gate {
    /// The whole audit.
    fn audit(&self) -> Vec<Value> {
        let output = self.run(&["audit", "export", "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// Looks at what each act adds to the audit.
struct Book<'g> {
    gate: &'g Gate,
    lines: usize,
}

/// Who, by what means, by which token or user of the system, and from where.
type Signed<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

const HERE: Option<&str> = Some("127.0.0.0/24");

impl<'g> Book<'g> {
    fn open(gate: &'g Gate) -> Self {
        Self { gate, lines: gate.audit().len() }
    }

    /// What came since the last look, without what workers did meanwhile.
    fn new_lines(&mut self) -> Vec<Value> {
        let lines = self.gate.audit();
        let new = lines[self.lines..].to_vec();
        self.lines = lines.len();
        new.into_iter().filter(|line| line["via"] != "gateway").collect()
    }

    /// Exactly one line came, of this action and so signed.
    fn one(&mut self, action: &str, (actor, via, via_name, network): Signed<'_>) {
        let new = self.new_lines();
        let [found] = new.as_slice() else { panic!("{action}: {new:?}") };
        let said =
            json!([found["action"], found["actor"], found["via"], found["via_name"], found["network"]]);
        assert_eq!(said, json!([action, actor, via, via_name, network]), "{found}");
        let address = network.map(|_| "127.0.0.1");
        assert_eq!(found["address"], json!(address), "{found}");
    }

    fn none(&mut self, what: &str) {
        let new = self.new_lines();
        assert!(new.is_empty(), "{what}: {new:?}");
    }
}

/// The user who runs the tests.
fn system_user() -> String {
    let output = std::process::Command::new("id").arg("-un").output().expect("id runs");
    text(&output.stdout).trim_end().to_owned()
}

fn held(api: &Api, tx: &str) -> i64 {
    deliver(api.address, &Event::too_fast("u-1", tx, 10).credit());
    api.reward(tx)["id"].as_i64().expect("an id")
}

/// The delivery of an honest reward that the app refused for good.
fn failed(api: &Api, tx: &str) -> i64 {
    deliver(api.address, &Event::honest(tx, tx, 10).credit());
    until("a failed delivery", || {
        let found = api.reward(tx)["deliveries"][0].clone();
        (found["status"] == "failed").then(|| found["id"].as_i64().expect("an id"))
    })
}

fn case(api: &Api, tx: &str) -> i64 {
    deliver(api.address, &Event::honest("u-9", tx, 10).credit());
    api.settle();
    deliver(api.address, &Event::honest("u-8", tx, 10).reversal());
    api.settle();
    let open = api.all("reversals", 100);
    open.last().expect("a case")["id"].as_i64().expect("an id")
}

fn statement(tx: &str) -> String {
    let head = "tx_id,status,user_id,offer_id,amount,currency,time\n".to_owned();
    head + &line(tx, "approved", "u-1", "1.00") + &line(&format!("{tx}-late"), "approved", "u-1", "1.00")
}

const GRACE: &str = "[deliveries]\ngrace_seconds = 600\n";

/// An app that says no for good, and what was credited is told at once.
fn gate_with_app(on: Kind, app: &sandbox::app::App) -> Gate {
    app.answer_with(|_| sandbox::app::Reply::Refuse(400));
    let gate = Gate::with(on, |settings| settings.telling(app, "schedule = [0.01]"));
    assert!(gate.run(&["migrate"]).status.success());
    gate
}

/// Sends the same twice: the first changes something and leaves one line; the second changes nothing and leaves none.
fn acts(book: &mut Book<'_>, api: &Api, (path, body, action): (&str, &Value, &str), by: Signed<'_>) {
    let done = api.post(path, &body.to_string());
    assert_eq!(done.status, 200, "{path}: {}", done.body);
    book.one(action, by);
    let again = api.post(path, &body.to_string());
    assert!(again.status >= 400, "{path} once more: {} {}", again.status, again.body);
    book.none(path);
}

fn every_api_call_that_changes_something_leaves_one_line(on: Kind) {
    let app = app();
    let gate = gate_with_app(on, &app);
    gate.add_person("mara", "admin");
    let up = gate.up();
    let output = gate.run(&["token", "add", "laptop", "--role", "admin", "--owner", "mara"]);
    let api = Api { address: up.address, token: text(&output.stdout).trim_end().to_owned() };
    let by = ("mara", "token", Some("laptop"), HERE);
    let (note, reason) = (json!({ "note": "why" }), json!({ "reason": "why" }));
    let (one, two) = (held(&api, "T-1"), held(&api, "T-2"));
    let quarantined = quarantine(&api, "Q-1", "reward=500", "reward=x");
    let case = case(&api, "C-1");
    let (lost, dead) = (failed(&api, "L-1"), failed(&api, "L-2"));
    api.settle();
    let mut book = Book::open(&gate);
    for (path, body, action) in [
        (format!("rewards/{one}/release"), &note, "released"),
        (format!("rewards/{two}/reject"), &note, "rejected"),
        (
            format!("reversals/{case}/resolve"),
            &json!({ "resolution": "dismiss", "note": "why" }),
            "reversal_dismissed",
        ),
        (format!("postbacks/{quarantined}/set-aside"), &reason, "postback_set_aside"),
        (format!("postbacks/{quarantined}/take-up"), &reason, "postback_taken_up"),
        (
            format!("postbacks/{quarantined}/state"),
            &json!({ "reward": "500", "reason": "why" }),
            "postback_stated",
        ),
        (format!("deliveries/{dead}/give-up"), &reason, "delivery_given_up"),
    ] {
        acts(&mut book, &api, (&path, body, action), by);
    }
    // What can be done again and again.
    assert_eq!(api.post(&format!("rewards/{two}/release"), &note.to_string()).status, 200);
    book.one("released", by);
    assert_eq!(api.post(&format!("deliveries/{lost}/resend"), "").status, 200);
    book.one("delivery_resent", by);
    until("it fails again", || (api.reward("L-1")["deliveries"][0]["status"] == "failed").then_some(()));
    assert_eq!(api.post("deliveries/resend", "{}").status, 200);
    book.one("deliveries_resent", by);
    assert_eq!(api.post("deliveries/resend", "{\"app\":\"nobody\"}").status, 200);
    book.none("nothing is sent again");
    // A postback that is quarantined and replayed is quarantined again.
    let again = quarantine(&api, "Q-2", "reward=500", "reward=x");
    assert_eq!(api.post(&format!("postbacks/{again}/replay"), "").status, 200);
    book.one("postback_replayed", by);
    assert_eq!(api.post("postbacks/999999/replay", "").status, 404);
    gate.database.execute("INSERT INTO disabled_apps (app, disabled_at, why) VALUES ('main', 1, 'gone')");
    assert_eq!(api.post("apps/main/enable", "").status, 200);
    book.one("app_enabled", by);
    assert_eq!(api.post("apps/main/enable", "").status, 200);
    book.none("it was on");
    statements_by_api(&mut book, &api, by);
    // A service acts under its own name.
    let service = Api { token: gate.run_token(&["robot", "--role", "admin"]), ..api.clone() };
    book.one("token_added", ("command line", "command", Some(&system_user()), None));
    let three = held(&service, "T-3");
    assert_eq!(service.decide(three, "reject", "why").status, 200);
    book.one("rejected", ("robot", "token", Some("robot"), HERE));
    gate.assert_proven();
}

fn statements_by_api(book: &mut Book<'_>, api: &Api, by: Signed<'_>) {
    let id = api.import("a.csv", &statement("L-1"));
    book.one("statement_received", by);
    let words = json!({ "subject": "line 3", "reason": "late" });
    acts(book, api, (&format!("statements/{id}/accept"), &words, "difference_accepted"), by);
    let paid = json!({ "amount": "1.00", "note": "wire" }).to_string();
    let answer = api.post(&format!("statements/{id}/paid"), &paid);
    assert_eq!(answer.status, 200, "{}", answer.body);
    book.one("statement_paid", by);
    let payment = api.get(&format!("statements/{id}/payments"))[0]["id"].clone();
    let back = json!({ "payment": payment, "reason": "a slip" });
    let answer = api.post(&format!("statements/{id}/take-back"), &back.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    book.one("payment_taken_back", by);
    assert_eq!(api.post(&format!("statements/{id}/discard"), "").status, 200);
    book.one("statement_discarded", by);
    assert!(api.post(&format!("statements/{id}/discard"), "").status >= 400);
    book.none("it is discarded already");
    let preview = json_of(&api.post("statements?source=targo&preview=true&name=b.csv", &statement("L-2")));
    book.one("statement_received", by);
    let id = preview["id"].as_i64().expect("an id");
    assert_eq!(api.post(&format!("statements/{id}/import"), "").status, 200);
    book.one("statement_imported", by);
}

impl Gate {
    fn run_token(&self, terms: &[&str]) -> String {
        let output = self.run(&[&["token", "add"], terms].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).trim_end().to_owned()
    }
}

/// Somebody who is signed in, without a browser.
struct Visitor {
    address: std::net::SocketAddr,
    session: String,
}

impl Visitor {
    fn sign_in(address: std::net::SocketAddr, name: &str, password: &str) -> Result<Self, Answer> {
        let page = call(address, &Request::get("/login"));
        let csrf = cookie(&page);
        let body = format!("csrf={csrf}&name={name}&password={}", password.replace(' ', "%20"));
        let request = Request::new("POST", "/login")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Cookie", &format!("rewardgate_login={csrf}"))
            .body(body);
        let answer = call(address, &request);
        if answer.status == 303 { Ok(Self { address, session: cookie(&answer) }) } else { Err(answer) }
    }

    fn post(&self, path: &str, fields: &str) -> Answer {
        let csrf = domain::access::csrf_token(&self.session);
        let request = Request::new("POST", path)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Cookie", &format!("rewardgate_session={}", self.session))
            .body(format!("csrf={csrf}&{fields}"));
        call(self.address, &request)
    }

    fn get(&self, path: &str) -> Answer {
        call(
            self.address,
            &Request::get(path).header("Cookie", &format!("rewardgate_session={}", self.session)),
        )
    }

    fn upload(&self, name: &str, file: &str) -> Answer {
        let csrf = domain::access::csrf_token(&self.session);
        let field = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = field("csrf", &csrf)
            + &field("source", "targo")
            + &format!(
                "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{file}\r\n--b--\r\n"
            );
        let request = Request::new("POST", "/reports/statements")
            .header("Content-Type", "multipart/form-data; boundary=b")
            .header("Cookie", &format!("rewardgate_session={}", self.session))
            .body(body);
        call(self.address, &request)
    }
}

/// The value of the cookie that is set.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    let value = set.split_once('=').map(|(_, rest)| rest.split(';').next().unwrap_or_default());
    value.expect("a value").to_owned()
}

fn every_page_form_that_changes_something_leaves_one_line(on: Kind) {
    let app = app();
    let gate = gate_with_app(on, &app);
    gate.change(|settings| settings.replace_in_tail("[deliveries]\n", GRACE));
    for name in ["mara", "joe"] {
        gate.add_person(name, "admin");
    }
    let up = gate.up();
    let api = gate.api(up.address);
    let held: Vec<i64> = ["T-1", "T-2", "T-3", "T-4"].into_iter().map(|tx| held(&api, tx)).collect();
    let quarantined = quarantine(&api, "Q-1", "reward=500", "reward=x");
    let again = quarantine(&api, "Q-2", "reward=500", "reward=x");
    let case = case(&api, "C-1");
    api.settle();
    let mut book = Book::open(&gate);
    let by = ("mara", "page", None, HERE);
    let wrong = Visitor::sign_in(up.address, "mara", "wrong horse").err().expect("refused");
    assert_eq!(wrong.status, 401);
    book.one("sign_in_refused", ("nobody", "page", None, HERE));
    let mara = Visitor::sign_in(up.address, "mara", PASSWORD).expect("signed in");
    book.one("signed_in", by);
    let forms: [(String, String, &str); 14] = [
        ("/review/decide".into(), format!("do=release&id={}:1&note=why", held[0]), "released"),
        ("/review/decide".into(), format!("do=reject&id={}:1&note=why", held[1]), "rejected"),
        (
            "/review/decide".into(),
            format!("do=reject-selected-now&id={}:1&id={}:1&shown=2&note=why", held[2], held[3]),
            "rejected",
        ),
        (format!("/rewards/{}/overturn", held[1]), "note=why".into(), "released"),
        (format!("/review/reversals/{case}"), "do=dismiss&note=why".into(), "reversal_dismissed"),
        (format!("/postbacks/{again}/replay"), String::new(), "postback_replayed"),
        (format!("/postbacks/{quarantined}/set-aside"), "reason=why".into(), "postback_set_aside"),
        (format!("/postbacks/{quarantined}/take-up"), "reason=why".into(), "postback_taken_up"),
        ("/people".into(), "name=ann&role=risk&password=correct%20horse".into(), "person_added"),
        ("/people/ann/disable".into(), String::new(), "person_disabled"),
        ("/people/ann/enable".into(), String::new(), "person_enabled"),
        ("/people/ann/password".into(), "password=another%20horse".into(), "password_changed"),
        ("/deliveries/apps/main/enable".into(), String::new(), "app_enabled"),
        ("/people/joe/disable".into(), String::new(), "person_disabled"),
    ];
    gate.database.execute("INSERT INTO disabled_apps (app, disabled_at, why) VALUES ('main', 1, 'gone')");
    for (path, fields, action) in &forms {
        let answer = mara.post(path, fields);
        assert!(answer.status < 400, "{path} {fields}: {} {}", answer.status, answer.body);
        book.one(action, by);
    }
    // The same once more changes nothing.
    for (path, fields, action) in &forms {
        // Of these the second one is an act of its own.
        if ["postback_replayed", "postback_set_aside"].contains(action) || path.starts_with("/people/ann/") {
            continue;
        }
        let _ = mara.post(path, fields);
        book.none(&format!("{path} {fields} once more"));
    }
    let id = gate.database.number("SELECT MAX(id) FROM decisions");
    let _ = mara.post(&format!("/decisions/{id}/undo"), "back=/review");
    book.one("undone", by);
    let uploaded = mara.upload("a.csv", &statement("C-1"));
    assert_eq!(uploaded.status, 303, "{}", uploaded.body);
    book.one("statement_received", by);
    let imported = mara.post("/reports/statements/1/import", "");
    assert_eq!(imported.status, 303, "{}", imported.body);
    book.one("statement_imported", by);
    until("a matched statement", || (api.get("statements/1")["state"] == "matched").then_some(()));
    book.none("workers are not people");
    let discarded = mara.post("/reports/statements/1/discard", "");
    assert_eq!(discarded.status, 303, "{}", discarded.body);
    book.one("statement_discarded", by);
    assert_eq!(mara.post("/password", "old=wrong&new=another%20horse").status, 200);
    book.one("sign_in_refused", ("nobody", "page", None, HERE));
    assert_eq!(mara.post("/password", "old=correct%20horse&new=another%20horse").status, 303);
    book.one("password_changed", by);
    let mara = Visitor::sign_in(up.address, "mara", "another horse").expect("signed in");
    book.one("signed_in", by);
    assert_eq!(mara.post("/logout", "").status, 303);
    book.one("signed_out", by);
    gate.assert_proven();
}

fn every_command_that_changes_something_leaves_one_line(on: Kind) {
    let app = app();
    let gate = gate_with_app(on, &app);
    let up = gate.up();
    let api = gate.api(up.address);
    let user = system_user();
    let machine = ("command line", "command", Some(user.as_str()), None);
    let quarantined = quarantine(&api, "Q-1", "reward=500", "reward=x").to_string();
    let (lost, dead) = (failed(&api, "L-1").to_string(), failed(&api, "L-2").to_string());
    gate.database.execute("INSERT INTO disabled_apps (app, disabled_at, why) VALUES ('main', 1, 'gone')");
    let mut book = Book::open(&gate);
    let file = gate.path("a.csv");
    std::fs::write(&file, statement("L-1")).expect("room for a file");
    let file = file.to_str().expect("a path").to_owned();
    for (arguments, action) in [
        (&["user", "add", "mara", "--role", "risk"][..], "person_added"),
        (&["user", "add", "fay", "--role", "finance"], "person_added"),
        (&["user", "disable", "mara"], "person_disabled"),
        (&["user", "enable", "mara"], "person_enabled"),
        (&["user", "passwd", "mara"], "password_changed"),
        (&["token", "add", "laptop", "--role", "risk", "--owner", "mara"], "token_added"),
        (&["token", "revoke", "laptop"], "token_revoked"),
        (&["deliveries", "resend", &lost], "delivery_resent"),
        (&["deliveries", "enable", "main"], "app_enabled"),
    ] {
        let done = gate.run_with_input(arguments, PASSWORD);
        assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
        book.one(action, machine);
        if arguments[1] != "passwd" && arguments[1] != "resend" {
            let again = gate.run_with_input(arguments, PASSWORD);
            assert_eq!(again.status.success(), arguments[1] == "enable" && arguments[0] == "deliveries");
            book.none(&format!("{arguments:?} once more"));
        }
    }
    let mara = ("mara", "command", Some(user.as_str()), None);
    let fay = ("fay", "command", Some(user.as_str()), None);
    for (arguments, action, by) in [
        (&["deliveries", "give-up", &dead, "--as", "mara", "--reason", "why"][..], "delivery_given_up", mara),
        (
            &["postbacks", "set-aside", &quarantined, "--as", "mara", "--reason", "why"],
            "postback_set_aside",
            mara,
        ),
        (
            &["postbacks", "take-up", &quarantined, "--as", "mara", "--reason", "why"],
            "postback_taken_up",
            mara,
        ),
        (
            &["postbacks", "state", &quarantined, "--reward", "500", "--as", "mara", "--reason", "why"],
            "postback_stated",
            mara,
        ),
        (&["statement", "import", &file, "--source", "targo"], "statement_received", machine),
        (
            &["statement", "accept", "1", "line 3", "--as", "fay", "--reason", "late"],
            "difference_accepted",
            fay,
        ),
        (
            &["statement", "paid", "1", "1.00", "--as", "fay", "--note", "wire", "--yes"],
            "statement_paid",
            fay,
        ),
        (
            &["statement", "take-back", "1", "1", "--as", "fay", "--reason", "a slip"],
            "payment_taken_back",
            fay,
        ),
        (&["statement", "discard", "1", "--as", "fay"], "statement_discarded", fay),
    ] {
        let done = gate.run(arguments);
        let is_import = arguments.contains(&"import");
        assert!(
            done.status.success() || is_import,
            "{arguments:?}: {}{}",
            text(&done.stdout),
            text(&done.stderr)
        );
        book.one(action, by);
        if !is_import {
            // The same payment once more is the same payment.
            let is_again = gate.run(arguments).status.success();
            assert_eq!(is_again, arguments.contains(&"paid"), "{arguments:?} once more");
            book.none(&format!("{arguments:?} once more"));
        }
    }
    let replayed = quarantine(&api, "Q-2", "reward=500", "reward=x").to_string();
    assert!(gate.run(&["replay", "--quarantined", "--id", &replayed]).status.success());
    book.one("postback_replayed", machine);
    gate.assert_proven();
}

fn refusals_leave_bounded_lines(on: Kind) {
    let gate = Gate::new(on);
    assert!(gate.run(&["migrate"]).status.success());
    gate.add_person("fin", "finance");
    let up = gate.up();
    let api = gate.api(up.address);
    let id = held(&api, "T-1");
    let finance = Api { token: gate.token("finance"), ..api.clone() };
    let mut book = Book::open(&gate);
    assert_eq!(finance.decide(id, "release", "why").status, 403);
    let new = book.new_lines();
    let [line] = new.as_slice() else { panic!("{new:?}") };
    assert_eq!((&line["action"], &line["via"]), (&json!("right_refused"), &json!("token")));
    assert_eq!(line["subject"], format!("POST /api/v1/rewards/{id}/release"));
    for _ in 0..30 {
        finance.decide(id, "release", "why");
    }
    assert_eq!(book.new_lines().len(), 9, "ten in an hour");
    let fin = Visitor::sign_in(up.address, "fin", PASSWORD).expect("signed in");
    book.one("signed_in", ("fin", "page", None, HERE));
    assert_eq!(fin.post("/review/decide", &format!("do=release&id={id}:1")).status, 403);
    book.one("right_refused", ("fin", "page", None, HERE));
    assert_eq!(fin.get("/people").status, 403);
    book.one("right_refused", ("fin", "page", None, HERE));
    let stranger = Api { token: "rwg_0123".into(), ..api.clone() };
    assert_eq!(stranger.ask("rewards").status, 401);
    book.one("token_refused", ("nobody", "token", Some("unknown"), HERE));
    for _ in 0..30 {
        stranger.ask("rewards");
        stranger.metrics();
    }
    assert_eq!(book.new_lines().len(), 9, "ten in an hour");
    assert_eq!(call(up.address, &Request::get("/api/v1/rewards")).status, 401);
    book.none("nobody tried a token");
    assert_eq!(api.reward("T-1")["status"], "held");
    gate.assert_proven();
}

fn the_audit_is_exported_and_its_chain_is_verified(on: Kind) {
    let gate = Gate::new(on);
    assert!(gate.run(&["migrate"]).status.success());
    gate.add_person("mara", "risk");
    gate.add_person("root", "admin");
    let mut up = gate.up();
    let csv = text(&gate.run(&["audit", "export"]).stdout);
    let mut lines = csv.lines();
    assert!(lines.next().expect("a head").starts_with("number,at,actor,via,via_name,network,address,action"));
    assert!(lines.next().expect("a line").contains("person mara"), "{csv}");
    assert_eq!(text(&gate.run(&["audit", "export", "--to", "2020-01-01", "--json"]).stdout), "");
    assert_eq!(gate.run(&["audit", "export", "--from", "yesterday"]).status.code(), Some(1));
    // Whole addresses are for admins.
    let (mara, root) = (
        Visitor::sign_in(up.address, "mara", PASSWORD).expect("signed in"),
        Visitor::sign_in(up.address, "root", PASSWORD).expect("signed in"),
    );
    let (of_mara, of_root) = (mara.get("/audit/audit.csv"), root.get("/audit/audit.csv?actor=mara"));
    assert!(of_mara.body.contains("127.0.0.0/24") && !of_mara.body.contains("127.0.0.1"), "{}", of_mara.body);
    assert!(of_root.body.contains("127.0.0.1") && !of_root.body.contains("person root"), "{}", of_root.body);
    assert!(root.get("/audit").body.contains("on a page from 127.0.0.0/24"));
    let proven = text(&gate.run(&["verify"]).stdout);
    assert!(proven.contains("the audit ends at line 4, hash "), "{proven}");
    up.process.stop();
    let (drop, on_audit) = match on {
        Kind::Sqlite => ("DROP TRIGGER audit_is_frozen", ""),
        Kind::Postgres => ("DROP TRIGGER audit_is_frozen", " ON audit"),
    };
    gate.database.execute(&format!("{drop}{on_audit}"));
    gate.database.execute("UPDATE audit SET actor = 'joe' WHERE seq = 2");
    let output = gate.run(&["verify"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("audit line 2 does not fit the line before it"), "{said}");
}

fn a_command_acts_only_as_somebody_who_could_do_it(on: Kind) {
    let gate = Gate::new(on);
    assert!(gate.run(&["migrate"]).status.success());
    gate.add_person("fay", "finance");
    gate.add_person("mara", "risk");
    gate.add_person("gone", "admin");
    assert!(gate.run(&["user", "disable", "gone"]).status.success());
    let before = gate.audit().len();
    let date = days_ago(1).date().to_string();
    for (arguments, of) in [
        (&["report", "sign-off", &date, "--note", "n", "--as"][..], "mara"),
        (&["statement", "accept", "1", "line 3", "--reason", "r", "--as"], "mara"),
        (&["statement", "paid", "1", "1.00", "--note", "n", "--as"], "mara"),
        (&["statement", "take-back", "1", "1", "--reason", "r", "--as"], "mara"),
        (&["statement", "discard", "1", "--as"], "mara"),
        (&["statement", "restore", "1", "--as"], "mara"),
        (&["deliveries", "give-up", "1", "--reason", "r", "--as"], "fay"),
        (&["postbacks", "state", "1", "--reward", "5", "--reason", "r", "--as"], "fay"),
        (&["postbacks", "confirm", "1", "1", "--as"], "fay"),
        (&["postbacks", "decline", "1", "1", "--reason", "r", "--as"], "fay"),
        (&["postbacks", "set-aside", "1", "--reason", "r", "--as"], "fay"),
        (&["postbacks", "take-up", "1", "--reason", "r", "--as"], "fay"),
    ] {
        for (name, says) in [
            ("nobody-known", "nobody named `nobody-known` may sign in"),
            ("gone", "nobody named `gone` may sign in"),
            ("Mara", "nobody named `Mara` may sign in"),
            ("", "nobody named `` may sign in"),
            (of, "has the role"),
        ] {
            let output = gate.run(&[arguments, &[name]].concat());
            assert_eq!(output.status.code(), Some(1), "{arguments:?} {name}");
            assert!(text(&output.stderr).contains(says), "{arguments:?} {name}: {}", text(&output.stderr));
        }
    }
    assert_eq!(gate.audit().len(), before);
}
