//! People, their sessions and the audit.

use std::collections::BTreeSet;

use domain::access::Role;
use domain::audit::Action;
use domain::time::{DAY_MS, TimestampMs};
use store::access::audit::{AuditFilter, Line};
use store::access::sessions::{ABSOLUTE_MS, IDLE_MS};
use store::access::sign_ins::NewSession;
use store::access::staff::{FailedTries, NewPerson, Person, PersonChange};

use crate::support::database::Home;
use crate::support::postbacks::NOW;

contract! {
    both:
        a_name_is_given_to_one_person_for_ever,
        a_disabled_person_has_no_session_and_begins_none,
        a_new_password_ends_every_session,
        no_session_begins_with_a_password_or_role_that_is_no_longer,
        a_sign_in_in_flight_while_the_password_changes_leaves_no_session,
        a_session_of_an_older_version_has_ended,
        of_two_changes_with_the_same_old_password_one_counts,
        a_person_sees_and_ends_their_sessions,
        places_are_known_of_each_person_few_and_for_a_time,
        many_failed_sign_ins_are_shown_until_the_person_has_seen_them,
        a_session_ends_by_disuse_by_age_and_by_hand,
        a_session_in_use_lasts_until_its_day_is_over,
        the_audit_lists_newest_first_by_who_and_what_page_by_page,
        an_audit_line_never_changes_and_never_goes;
}

async fn add(home: &Home, name: &str, role: Role) -> bool {
    let person = NewPerson { name: name.into(), role, password_hash: format!("hash of {name}") };
    home.store.add_person(person, "root".into(), NOW).await.expect("asked")
}

async fn person(home: &Home, name: &str) -> Person {
    home.store.person_to_sign_in(name).await.expect("looked for").expect("there").0
}

async fn begin(home: &Home, token: &str, name: &str) {
    assert!(begin_as(home, token, person(home, name).await, "home", NOW).await);
}

/// Begins a session of `person` as they were when their password was checked.
async fn begin_as(home: &Home, token: &str, person: Person, place: &str, now: TimestampMs) -> bool {
    let (token_hash, from, place) = (token.to_owned(), Some([203, 0, 113, 7].into()), place.to_owned());
    let new = NewSession { token_hash, person, from, place, failed: None };
    home.store.begin_session(new, now).await.expect("asked")
}

async fn whose(home: &Home, token: &str, after_ms: i64) -> Option<String> {
    let session = home.store.session(token, TimestampMs(NOW.0 + after_ms)).await.expect("looked for");
    session.map(|person| person.name)
}

async fn change(home: &Home, name: &str, change: PersonChange) -> bool {
    home.store.change_person(name.into(), change, "root".into(), NOW).await.expect("asked")
}

async fn a_name_is_given_to_one_person_for_ever(home: &Home) {
    assert!(add(home, "ann", Role::Risk).await);
    assert!(!add(home, "ann", Role::Admin).await);
    assert!(change(home, "ann", PersonChange::Disable).await);
    assert!(!change(home, "ann", PersonChange::Disable).await, "nothing to change");
    assert!(!change(home, "bob", PersonChange::Disable).await, "nobody there");
    assert!(!add(home, "ann", Role::Admin).await, "her name stands in the evidence");
    let people = home.store.people().await.expect("listed");
    assert_eq!(people.len(), 1);
    assert_eq!((people[0].role, people[0].disabled_at), (Role::Risk, Some(NOW)));
}

async fn a_disabled_person_has_no_session_and_begins_none(home: &Home) {
    add(home, "ann", Role::Risk).await;
    begin(home, "token", "ann").await;
    assert_eq!(whose(home, "token", 0).await.as_deref(), Some("ann"));
    change(home, "ann", PersonChange::Disable).await;
    assert_eq!(whose(home, "token", 0).await, None);
    assert!(home.store.person_to_sign_in("ann").await.expect("looked for").is_none());
    change(home, "ann", PersonChange::Enable).await;
    assert_eq!(whose(home, "token", 0).await, None, "the session is gone for good");
    person(home, "ann").await;
}

async fn a_new_password_ends_every_session(home: &Home) {
    add(home, "ann", Role::Risk).await;
    begin(home, "one", "ann").await;
    begin(home, "two", "ann").await;
    assert!(change(home, "ann", PersonChange::Password("another".into())).await);
    for token in ["one", "two"] {
        assert_eq!(whose(home, token, 0).await, None, "{token}");
    }
    let (_, hash) = home.store.person_to_sign_in("ann").await.expect("looked for").expect("there");
    assert_eq!(hash, "another");
}

async fn no_session_begins_with_a_password_or_role_that_is_no_longer(home: &Home) {
    add(home, "ann", Role::Risk).await;
    let changes = [
        PersonChange::Password("another".into()),
        PersonChange::Role(Role::Finance),
        PersonChange::Disable,
        PersonChange::Enable,
    ];
    let mut before = person(home, "ann").await;
    for step in changes {
        begin_as(home, "kept", before.clone(), "home", NOW).await;
        assert!(change(home, "ann", step.clone()).await, "{step:?}");
        assert_eq!(whose(home, "kept", 0).await, None, "{step:?}");
        assert!(!begin_as(home, "late", before, "home", NOW).await, "{step:?}");
        assert_eq!(whose(home, "late", 0).await, None, "{step:?}");
        let found = home.store.person_to_sign_in("ann").await.expect("looked for");
        before = match found {
            Some((person, _)) => person,
            // Disabled; a sign-in in progress must not succeed once she is enabled.
            None => home.store.people().await.expect("listed").remove(0),
        };
    }
    assert!(begin_as(home, "now", person(home, "ann").await, "home", NOW).await);
    assert_eq!(person(home, "ann").await.role, Role::Finance);
    assert!(!change(home, "ann", PersonChange::Role(Role::Finance)).await, "nothing to change");
    assert_eq!(whose(home, "now", 0).await.as_deref(), Some("ann"));
}

async fn a_sign_in_in_flight_while_the_password_changes_leaves_no_session(home: &Home) {
    for round in 0..10 {
        let name = format!("ann-{round}");
        add(home, &name, Role::Risk).await;
        let before = person(home, &name).await;
        let sign_ins = (0..4).map(|n| {
            let (store, person) = (home.store.clone(), before.clone());
            let token_hash = format!("{round}-{n}");
            let new = NewSession { token_hash, person, from: None, place: String::new(), failed: None };
            tokio::spawn(async move { store.begin_session(new, NOW).await.expect("asked") })
        });
        let sign_ins: Vec<_> = sign_ins.collect();
        assert!(change(home, &name, PersonChange::Password("another".into())).await);
        for one in sign_ins {
            one.await.expect("it ends");
        }
        for n in 0..4 {
            assert_eq!(whose(home, &format!("{round}-{n}"), 0).await, None);
        }
    }
}

async fn a_session_of_an_older_version_has_ended(home: &Home) {
    add(home, "ann", Role::Risk).await;
    begin(home, "token", "ann").await;
    // Whatever left it behind.
    home.raw().await.execute("UPDATE people SET sign_in_version = sign_in_version + 1").await;
    assert_eq!(whose(home, "token", 0).await, None);
    assert!(home.store.sessions_of("ann", NOW).await.expect("listed").is_empty());
    assert!(home.store.session_counts(NOW).await.expect("counted").is_empty());
}

async fn of_two_changes_with_the_same_old_password_one_counts(home: &Home) {
    add(home, "ann", Role::Risk).await;
    begin(home, "token", "ann").await;
    let proven = person(home, "ann").await;
    for (hash, counts) in [("first", true), ("second", false)] {
        let changed = home.store.change_own_password(proven.clone(), hash.into(), "ann".into(), NOW).await;
        assert_eq!(changed.expect("asked"), counts, "{hash}");
    }
    let (_, hash) = home.store.person_to_sign_in("ann").await.expect("looked for").expect("there");
    assert_eq!((hash.as_str(), whose(home, "token", 0).await), ("first", None));
}

async fn a_person_sees_and_ends_their_sessions(home: &Home) {
    add(home, "ann", Role::Risk).await;
    add(home, "bob", Role::Risk).await;
    let (one, two, three) = ("1".repeat(64), "2".repeat(64), "3".repeat(64));
    begin(home, &one, "ann").await;
    begin_as(home, &two, person(home, "ann").await, "work", TimestampMs(NOW.0 + 5)).await;
    begin(home, &three, "bob").await;
    let sessions = home.store.sessions_of("ann", NOW).await.expect("listed");
    let shown: Vec<_> = sessions.iter().map(|row| (row.id.as_str(), row.began_at)).collect();
    assert_eq!(shown, [(&two[..12], NOW.0 + 5), (&one[..12], NOW.0)]);
    assert_eq!(sessions[0].began_from.as_deref(), Some("203.0.113.0/24"));
    assert_eq!(
        home.store.session_counts(NOW).await.expect("counted").into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([("ann".to_owned(), 2), ("bob".to_owned(), 1)])
    );
    let end = async |name: &str, only: Option<&str>| {
        let ended = home.store.end_sessions(name.into(), only.map(Into::into), "ann".into(), NOW);
        ended.await.expect("asked")
    };
    assert_eq!(end("ann", Some(&three[..12])).await, 0, "somebody else's");
    assert_eq!(end("ann", Some(&two[..12])).await, 1);
    assert_eq!((whose(home, &two, 0).await, whose(home, &one, 0).await.as_deref()), (None, Some("ann")));
    assert_eq!((end("ann", None).await, end("ann", None).await), (1, 0));
    assert_eq!(whose(home, &three, 0).await.as_deref(), Some("bob"));
    let filter = AuditFilter { action: Some("sessions_ended".into()), ..AuditFilter::default() };
    let lines = home.store.audit(&filter, 9).await.expect("listed");
    let lines: Vec<_> = lines.iter().map(|row| (row.subject.as_str(), row.detail.as_str())).collect();
    assert_eq!(lines, [("person ann", "1 session"), ("person ann", "1 session")]);
}

async fn places_are_known_of_each_person_few_and_for_a_time(home: &Home) {
    add(home, "ann", Role::Risk).await;
    add(home, "bob", Role::Risk).await;
    let (ann, bob) = (person(home, "ann").await, person(home, "bob").await);
    let after = |days: i64| TimestampMs(NOW.0 + days * DAY_MS);
    let knows = async |person: &Person, place: &str, days: i64| {
        home.store.knows_place(person.id, place, after(days)).await.expect("asked")
    };
    assert!(!knows(&ann, "home", 0).await);
    begin_as(home, "first", ann.clone(), "home", NOW).await;
    assert!(knows(&ann, "home", 90).await && !knows(&ann, "home", 91).await);
    assert!(!knows(&bob, "home", 0).await, "hers, not his");
    for n in 1..=12 {
        begin_as(home, &format!("token {n}"), ann.clone(), &format!("place {n}"), after(n)).await;
    }
    let mut known = Vec::new();
    for n in 1..=12 {
        known.push(knows(&ann, &format!("place {n}"), 12).await);
    }
    assert_eq!(known.iter().filter(|known| **known).count(), 10, "the newest ten");
    assert!(!known[0] && !known[1] && !knows(&ann, "home", 12).await);
    change(home, "ann", PersonChange::Password("another".into())).await;
    assert!(knows(&ann, "place 12", 12).await, "she is no stranger there");
    change(home, "ann", PersonChange::Disable).await;
    assert!(!knows(&ann, "place 12", 12).await);
}

async fn many_failed_sign_ins_are_shown_until_the_person_has_seen_them(home: &Home) {
    add(home, "ann", Role::Risk).await;
    add(home, "bob", Role::Risk).await;
    let ann = person(home, "ann").await;
    let fail = async |tries: i64, at: i64| {
        let (at, last_from) = (TimestampMs(NOW.0 + at), "198.51.100.0/24".to_owned());
        let failed = FailedTries { tries, since: at, last_at: at, last_from };
        let line = Line::new(&"nobody".into(), Action::SignInRefused, "person ann".into(), String::new());
        home.store.note_failed_sign_ins(line, vec![(ann.id, failed)], at).await.expect("noted");
    };
    let failed = async || {
        let failed = person(home, "ann").await.failed?;
        Some((failed.tries, failed.since.0 - NOW.0, failed.last_at.0 - NOW.0))
    };
    // A few are her own typing, and are forgotten when she signs in.
    fail(2, 1).await;
    assert_eq!(failed().await, Some((2, 1, 1)));
    begin(home, "one", "ann").await;
    assert_eq!(failed().await, None);
    // Many stay, also through signing in.
    fail(2, 2).await;
    fail(5, 3).await;
    begin(home, "two", "ann").await;
    assert_eq!(failed().await, Some((7, 2, 3)));
    let session = home.store.session("two", NOW).await.expect("looked for").expect("hers");
    assert_eq!(session.failed.expect("failed sign-ins").last_from, "198.51.100.0/24");
    assert_eq!(person(home, "bob").await.failed, None);
    // One more comes while she reads.
    fail(1, 4).await;
    home.store.saw_failed_sign_ins(ann.clone(), 7, "ann".into(), NOW).await.expect("noted");
    assert_eq!(failed().await.map(|(tries, ..)| tries), Some(1));
    home.store.saw_failed_sign_ins(ann.clone(), 7, "ann".into(), NOW).await.expect("nothing to note");
    assert_eq!(failed().await.map(|(tries, ..)| tries), Some(1), "the same click twice");
    let filter = |action: &str| AuditFilter { action: Some(action.into()), ..AuditFilter::default() };
    let many = home.store.audit(&filter("many_sign_ins_refused"), 9).await.expect("listed");
    assert_eq!(many.len(), 1, "said once");
    assert_eq!((many[0].actor.as_str(), many[0].subject.as_str()), ("nobody", "person ann"));
    assert!(many[0].detail.starts_with("7 tries") && many[0].detail.ends_with("198.51.100.0/24"));
    assert_eq!(home.store.audit(&filter("saw_refused_sign_ins"), 9).await.expect("listed").len(), 1);
}

async fn a_session_ends_by_disuse_by_age_and_by_hand(home: &Home) {
    add(home, "ann", Role::Risk).await;
    begin(home, "token", "ann").await;
    assert_eq!(whose(home, "other", 0).await, None);
    assert_eq!(whose(home, "token", IDLE_MS + 1).await, None);
    assert_eq!(whose(home, "token", IDLE_MS).await.as_deref(), Some("ann"));
    home.store.end_session("token".into(), "ann".into(), NOW).await.expect("ended");
    assert_eq!(whose(home, "token", IDLE_MS).await, None);
}

async fn a_session_in_use_lasts_until_its_day_is_over(home: &Home) {
    add(home, "ann", Role::Risk).await;
    begin(home, "token", "ann").await;
    let mut at = 0;
    while at + IDLE_MS / 2 < ABSOLUTE_MS {
        at += IDLE_MS / 2;
        assert_eq!(whose(home, "token", at).await.as_deref(), Some("ann"), "after {at} ms");
    }
    assert_eq!(whose(home, "token", ABSOLUTE_MS + 1).await, None);
}

async fn the_audit_lists_newest_first_by_who_and_what_page_by_page(home: &Home) {
    add(home, "ann", Role::Risk).await;
    for number in 0..5 {
        let line = Line::new(&"ann".into(), Action::Released, format!("page {number}"), String::new());
        home.store.note_in_audit(line, NOW).await.expect("noted");
    }
    let of = |actor: Option<&str>, action: Option<&str>, before| AuditFilter {
        actor: actor.map(str::to_owned),
        action: action.map(str::to_owned),
        before,
    };
    let subjects = |filter: AuditFilter, limit| async move {
        let rows = home.store.audit(&filter, limit).await.expect("listed");
        rows.into_iter().map(|row| row.subject).collect::<Vec<_>>()
    };
    assert_eq!(subjects(of(Some("root"), None, None), 9).await, ["person ann"]);
    assert_eq!(subjects(of(None, Some("released"), None), 2).await, ["page 4", "page 3"]);
    let rows = home.store.audit(&of(Some("ann"), None, None), 2).await.expect("listed");
    assert_eq!(subjects(of(Some("ann"), None, Some(rows[1].id)), 2).await, ["page 2", "page 1"]);
    let (actors, actions) = home.store.audit_choices().await.expect("listed");
    assert_eq!(
        (actors, actions),
        (vec!["ann".into(), "root".into()], vec!["person_added".into(), "released".into()])
    );
}

async fn an_audit_line_never_changes_and_never_goes(home: &Home) {
    add(home, "ann", Role::Risk).await;
    let mut raw = home.raw().await;
    for sql in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
        assert!(raw.attempt(sql).await.is_err(), "{sql}");
    }
}
