//! People, their sessions and the audit.

use domain::access::Role;
use domain::time::TimestampMs;
use store::audit::{AuditFilter, Line};
use store::people::{NewPerson, Person, PersonChange};
use store::sessions::{ABSOLUTE_MS, IDLE_MS};

use crate::database::Home;
use crate::story::NOW;

contract! {
    both:
        a_name_is_given_to_one_person_for_ever,
        a_disabled_person_has_no_session_and_begins_none,
        a_new_password_ends_every_session,
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
    let person = person(home, name).await;
    home.store.begin_session(token.into(), person, Some([203, 0, 113, 7].into()), NOW).await.expect("begun");
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
        let line = Line::new(&"ann".into(), "looked", format!("page {number}"), String::new());
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
    assert_eq!(subjects(of(None, Some("looked"), None), 2).await, ["page 4", "page 3"]);
    let rows = home.store.audit(&of(Some("ann"), None, None), 2).await.expect("listed");
    assert_eq!(subjects(of(Some("ann"), None, Some(rows[1].id)), 2).await, ["page 2", "page 1"]);
    let (actors, actions) = home.store.audit_choices().await.expect("listed");
    assert_eq!(
        (actors, actions),
        (vec!["ann".into(), "root".into()], vec!["looked".into(), "person_added".into()])
    );
}

async fn an_audit_line_never_changes_and_never_goes(home: &Home) {
    add(home, "ann", Role::Risk).await;
    let mut raw = home.raw().await;
    for sql in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
        assert!(raw.attempt(sql).await.is_err(), "{sql}");
    }
}
