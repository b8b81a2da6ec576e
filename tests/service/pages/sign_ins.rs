//! Signing in under attack: its cost, who gets in, who is notified, and what a new password ends.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::thread;

use super::{PASSWORD, Team};
use crate::support::database::Kind;
use crate::support::gate::text;
use crate::support::http::{Answer, Request, call};
use crate::support::network::{Event, deliver};
use crate::support::wait::until;

on_both_databases!(
    many_sign_ins_take_bounded_memory_and_calls_are_acknowledged,
    one_address_locks_nobody_out_elsewhere_and_successes_are_free,
    a_known_person_gets_in_while_everybody_guesses,
    a_name_of_any_length_is_refused_and_nothing_is_looked_up_for_it,
    wrong_passwords_are_shown_to_the_person_and_audited,
    a_sign_in_in_flight_while_the_password_changes_leaves_no_session,
    people_and_admins_see_and_end_sessions,
);

/// Where the people of the team sit.
const HOME: &str = "203.0.113.7";

fn team(on: Kind) -> Team {
    Team::with(on, |settings| settings.with("trusted_proxies = 1"))
}

/// A request as the proxy passes it on from `from`.
fn from(request: Request, from: &str) -> Request {
    request.header("X-Forwarded-For", from)
}

/// The cookie that an answer sets.
fn cookie(answer: &Answer) -> &str {
    answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie")
}

fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs).finish()
}

fn post(address: SocketAddr, caller: &str, path: &str, cookie: &str, pairs: &[(&str, &str)]) -> Answer {
    let request = Request::new("POST", path).header("Content-Type", "application/x-www-form-urlencoded");
    call(address, &from(request.header("Cookie", cookie).body(form(pairs)), caller))
}

/// Asks for the form and sends it.
fn sign_in(address: SocketAddr, caller: &str, name: &str, password: &str) -> Answer {
    let asked = call(address, &from(Request::get("/login"), caller));
    let (_, csrf) = cookie(&asked).split_once('=').expect("a token");
    let pairs = [("csrf", csrf), ("name", name), ("password", password)];
    post(address, caller, "/login", cookie(&asked), &pairs)
}

/// Signs in and hands back the cookie.
fn session(address: SocketAddr, caller: &str, name: &str, password: &str) -> String {
    let answer = sign_in(address, caller, name, password);
    assert_eq!(answer.status, 303, "{name} from {caller}: {}", answer.body);
    cookie(&answer).to_owned()
}

fn look(address: SocketAddr, session: &str, path: &str) -> Answer {
    call(address, &from(Request::get(path).header("Cookie", session), HOME))
}

/// The token of the forms of this session.
fn csrf(address: SocketAddr, session: &str) -> String {
    let page = look(address, session, "/password").body;
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
    rest.split('"').next().expect("a token").to_owned()
}

fn is_signed_in(address: SocketAddr, session: &str) -> bool {
    look(address, session, "/password").status == 200
}

/// A refused sign-in says when to try again.
fn assert_turned_away_well(answer: &Answer) {
    assert!([401, 429].contains(&answer.status), "{} {}", answer.status, answer.body);
    let wait = answer.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
    assert_eq!(wait.is_some_and(|seconds| (1..=60).contains(&seconds)), answer.status == 429, "{wait:?}");
}

fn many_sign_ins_take_bounded_memory_and_calls_are_acknowledged(on: Kind) {
    let team = team(on);
    let address = team.up.address;
    session(address, HOME, "mara", PASSWORD);
    let before = team.up.process.peak_kib();
    thread::scope(|scope| {
        let guesses: Vec<_> = (0..200)
            .map(|n| {
                let (caller, name) = (format!("198.51.100.{}", n % 20), format!("name {n}"));
                scope.spawn(move || sign_in(address, &caller, &name, "not this one"))
            })
            .collect();
        for n in 0..20 {
            deliver(address, &Event::honest("u-1", &format!("T-{n}"), 500).credit());
        }
        let answers: Vec<_> = guesses.into_iter().map(|guess| guess.join().expect("an answer")).collect();
        answers.iter().for_each(assert_turned_away_well);
        assert!(answers.iter().any(|answer| answer.status == 429), "not all of them were hashed");
    });
    if let (Some(before), Some(after)) = (before, team.up.process.peak_kib()) {
        assert!(after - before < 64 * 1_024, "{before} KiB grew to {after} KiB");
    }
}

fn one_address_locks_nobody_out_elsewhere_and_successes_are_free(on: Kind) {
    let team = team(on);
    let address = team.up.address;
    let mut turned_away = 0;
    for _ in 0..15 {
        let answer = sign_in(address, "198.51.100.1", "mara", "not this one");
        assert_turned_away_well(&answer);
        turned_away += usize::from(answer.status == 429);
        session(address, HOME, "mara", PASSWORD);
    }
    assert!(turned_away > 0, "guessing is slowed down");
    // Nor do successes from a place that was never seen before count.
    for _ in 0..15 {
        session(address, "192.0.2.44", "joe", PASSWORD);
    }
}

fn a_known_person_gets_in_while_everybody_guesses(on: Kind) {
    let team = team(on);
    let address = team.up.address;
    session(address, HOME, "mara", PASSWORD);
    thread::scope(|scope| {
        let guessing: Vec<_> = (0..40)
            .map(|n| {
                scope.spawn(move || {
                    let caller = format!("2001:db8:{n}::1");
                    for round in 0..8 {
                        let name =
                            if round % 2 == 0 { "mara".to_owned() } else { format!("name {n}.{round}") };
                        assert_turned_away_well(&sign_in(address, &caller, &name, "not this one"));
                    }
                })
            })
            .collect();
        while !guessing.iter().all(thread::ScopedJoinHandle::is_finished) {
            session(address, HOME, "mara", PASSWORD);
        }
    });
    // Guessing from many addresses is slowed down, but not for her where she is known.
    let mut callers = (0..).map(|n: u32| format!("2001:db8:ffff:{n:x}::1"));
    until("guessing is slowed down for one person", || {
        let caller = callers.next().expect("without end");
        (sign_in(address, &caller, "mara", "not this one").status == 429).then_some(())
    });
    session(address, HOME, "mara", PASSWORD);
    session(address, "192.0.2.44", "joe", PASSWORD);
}

fn a_name_of_any_length_is_refused_and_nothing_is_looked_up_for_it(on: Kind) {
    let team = team(on);
    for name in ["x".repeat(41), "x".repeat(60_000), "ü".repeat(30), "a\nb".into(), "' OR 1=1 --".into()] {
        let answer = sign_in(team.up.address, HOME, &name, PASSWORD);
        assert_eq!(answer.status, 401, "{}", name.len());
        assert!(answer.body.contains("Incorrect name or password"), "{}", answer.body);
    }
    let answer = sign_in(team.up.address, HOME, "mara", &"x".repeat(60_000));
    assert_eq!(answer.status, 401);
    let root = session(team.up.address, HOME, "root", PASSWORD);
    let audit = look(team.up.address, &root, "/audit?action=sign_in_refused").body;
    assert!(audit.contains(r"person a\nb"), "{audit}");
    assert!(!audit.contains("xxxx") && !audit.contains("üü"), "{audit}");
}

fn wrong_passwords_are_shown_to_the_person_and_audited(on: Kind) {
    let team = team(on);
    let address = team.up.address;
    for _ in 0..2 {
        sign_in(address, "198.51.100.20", "joe", "not this one");
    }
    let joe = session(address, HOME, "joe", PASSWORD);
    assert!(!look(address, &joe, "/").body.contains("failed sign-in attempts"), "two may be his own typing");
    for _ in 0..4 {
        sign_in(address, "198.51.100.20", "mara", "not this one");
    }
    let mara = session(address, HOME, "mara", PASSWORD);
    for page in ["/", "/review", "/password"] {
        let page = look(address, &mara, page).body;
        assert!(page.contains("4 failed sign-in attempts as mara since 20"), "{page}");
        assert!(page.contains("from 198.51.100.0/24") && !page.contains("198.51.100.20"), "{page}");
    }
    assert!(!look(address, &joe, "/").body.contains("failed sign-in attempts"), "it is hers");
    let token = csrf(address, &mara);
    let answer = post(address, HOME, "/password/seen", &mara, &[("csrf", &token), ("tries", "4")]);
    assert_eq!(answer.status, 303);
    assert!(!look(address, &mara, "/").body.contains("failed sign-in attempts"));
    let root = session(address, HOME, "root", PASSWORD);
    for (action, words) in [("many_sign_ins_refused", "person mara"), ("saw_refused_sign_ins", "4 tries")] {
        let audit = look(address, &root, &format!("/audit?action={action}")).body;
        assert!(audit.contains(words), "{action}: {audit}");
    }
}

/// Gives `name` a new password on the command line.
fn give_password(team: &Team, name: &str, password: &str) {
    let mut command = team.gate.command(&["staff", "passwd", name]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    writeln!(child.stdin.take().expect("its input"), "{password}").expect("it listens");
    assert!(child.wait().expect("it ends").success());
}

fn a_sign_in_in_flight_while_the_password_changes_leaves_no_session(on: Kind) {
    let team = team(on);
    let address = team.up.address;
    let sessions = thread::scope(|scope| {
        let old: Vec<_> = (0..40)
            .map(|n| scope.spawn(move || sign_in(address, &format!("198.51.100.{n}"), "mara", PASSWORD)))
            .collect();
        give_password(&team, "mara", "another password");
        let answers: Vec<_> = old.into_iter().map(|one| one.join().expect("an answer")).collect();
        let begun = answers.iter().filter(|answer| answer.status == 303);
        begun.map(|answer| cookie(answer).to_owned()).collect::<Vec<_>>()
    });
    for session in sessions {
        assert!(!is_signed_in(address, &session), "the old password left a session");
    }
    assert_eq!(sign_in(address, HOME, "mara", PASSWORD).status, 401);
    // Her own change, too.
    let one = session(address, HOME, "mara", "another password");
    let two = session(address, HOME, "mara", "another password");
    let pairs =
        [("csrf", csrf(address, &one)), ("old", "another password".into()), ("new", "a third one".into())];
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(post(address, HOME, "/password", &one, &pairs).status, 303);
    assert!(!is_signed_in(address, &one) && !is_signed_in(address, &two));
    session(address, HOME, "mara", "a third one");
}

fn people_and_admins_see_and_end_sessions(on: Kind) {
    let team = team(on);
    let address = team.up.address;
    let listed = |name: &str| {
        let output = team.gate.run(&["staff", "sessions", name]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).lines().count()
    };
    let mut hers: Vec<_> = (0..4).map(|_| session(address, HOME, "mara", PASSWORD)).collect();
    let joe = session(address, HOME, "joe", PASSWORD);
    let root = session(address, HOME, "root", PASSWORD);
    assert_eq!((listed("mara"), listed("joe"), listed("fin")), (4, 1, 0));
    // One of them.
    let page = look(address, &hers[0], "/password").body;
    assert!(page.contains("203.0.113.0/24") && page.contains("this session"), "{page}");
    let others: BTreeSet<_> =
        page.split("/password/sessions/").skip(1).filter_map(|rest| rest.split('/').next()).collect();
    assert_eq!(others.len(), 3);
    let token = csrf(address, &hers[0]);
    let other = others.iter().next().expect("another");
    let answer =
        post(address, HOME, &format!("/password/sessions/{other}/end"), &hers[0], &[("csrf", &token)]);
    assert!(answer.body.contains("The session was ended."), "{}", answer.body);
    assert_eq!(
        (listed("mara"), hers.iter().filter(|session| is_signed_in(address, session)).count()),
        (3, 3)
    );
    // Nobody ends somebody else's, and nothing is ended without the form's token.
    let answer = post(address, HOME, "/people/mara/sessions", &joe, &[("csrf", &csrf(address, &joe))]);
    assert_eq!(answer.status, 403);
    let theirs = others.iter().last().expect("another");
    post(address, HOME, &format!("/password/sessions/{theirs}/end"), &joe, &[("csrf", &csrf(address, &joe))]);
    assert_eq!(post(address, HOME, "/password/sign-out", &hers[0], &[]).status, 403);
    assert_eq!(listed("mara"), 3);
    // Everywhere.
    let answer = post(address, HOME, "/password/sign-out", &hers[0], &[("csrf", &token)]);
    assert_eq!((answer.status, listed("mara")), (303, 0));
    assert!(hers.drain(..).all(|session| !is_signed_in(address, &session)));
    // By an admin, on the page and on the command line.
    for by_command in [false, true] {
        let mara = session(address, HOME, "mara", PASSWORD);
        if by_command {
            assert_eq!(
                text(&team.gate.run(&["staff", "sessions", "mara", "--end"]).stdout),
                "sessions ended: 1\n"
            );
        } else {
            let token = csrf(address, &root);
            let answer = post(address, HOME, "/people/mara/sessions", &root, &[("csrf", &token)]);
            assert!(answer.body.contains("The sessions of mara have ended"), "{}", answer.body);
        }
        assert!(!is_signed_in(address, &mara));
    }
    // Another role.
    assert!(team.gate.run(&["staff", "role", "joe", "--role", "finance"]).status.success());
    assert!(!is_signed_in(address, &joe));
    assert!(!team.gate.run(&["staff", "sessions", "nobody"]).status.success());
    assert!(is_signed_in(address, &root));
}
