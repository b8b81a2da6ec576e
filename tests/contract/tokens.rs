//! Tokens: found by their hash, named once.

use domain::access::{Role, token_hash};
use domain::time::TimestampMs;
use store::access::staff::{NewPerson, PersonChange};
use store::access::tokens::{NewToken, TokenOwner};

use crate::support::database::Home;
use crate::support::postbacks::NOW;

contract! {
    both:
        a_token_is_found_by_its_hash_with_its_name_and_role,
        a_hash_that_is_not_there_belongs_to_nobody,
        a_name_is_given_only_once,
        a_token_is_never_two_peoples,
        of_two_tokens_of_one_name_at_the_same_time_one_is_added,
        a_token_works_in_every_process_at_once,
        a_token_of_a_person_speaks_for_that_person,
        a_token_of_somebody_who_is_disabled_is_refused,
        a_token_ends_at_its_term_or_when_it_is_revoked,
        the_use_of_a_token_is_noted_once_a_minute,
        a_role_that_nobody_knows_is_named_as_corrupt;
}

fn owner(name: &str, role: Role) -> TokenOwner {
    owner_of(name, name, role)
}

/// A token of this name.
fn owner_of(token: &str, name: &str, role: Role) -> TokenOwner {
    TokenOwner { name: name.into(), role, token: token.into() }
}

fn new(name: &str, role: Role) -> NewToken {
    NewToken { name: name.into(), owner: None, role, expires_at: None }
}

async fn add(home: &Home, name: &str, role: Role, hash: &str) -> bool {
    add_new(home, new(name, role), hash).await
}

async fn add_new(home: &Home, token: NewToken, hash: &str) -> bool {
    home.store.add_token(token, hash.into(), "admin".into(), NOW).await.expect("the answer is yes or no")
}

async fn find(home: &Home, hash: &str) -> Option<TokenOwner> {
    find_at(home, hash, 0).await
}

/// The owner of the token so many milliseconds later.
async fn find_at(home: &Home, hash: &str, later_ms: i64) -> Option<TokenOwner> {
    home.store.token_owner(hash, TimestampMs(NOW.0 + later_ms)).await.expect("it is looked for")
}

async fn add_person(home: &Home, name: &str) {
    let person = NewPerson { name: name.into(), role: Role::Risk, password_hash: "hash".into() };
    assert!(home.store.add_person(person, "admin".into(), NOW).await.expect("the answer is yes or no"));
}

async fn a_token_of_a_person_speaks_for_that_person(home: &Home) {
    add_person(home, "mara").await;
    let of_mara = NewToken { owner: Some("mara".into()), ..new("laptop", Role::Risk) };
    assert!(add_new(home, of_mara, "one").await);
    assert_eq!(find(home, "one").await, Some(owner_of("laptop", "mara", Role::Risk)));
    assert!(!add(home, "mara", Role::Finance, "two").await, "no service has the name of a person");
    let of_mara = NewToken { owner: Some("mara".into()), ..new("mara", Role::Finance) };
    assert!(add_new(home, of_mara, "two").await);
    assert_eq!(find(home, "two").await, Some(owner("mara", Role::Finance)), "it has her name");
    let of_nobody = NewToken { owner: Some("joe".into()), ..new("desktop", Role::Risk) };
    assert!(add_new(home, of_nobody, "three").await);
    assert_eq!(find(home, "three").await, None, "there is no joe");
}

async fn a_token_of_somebody_who_is_disabled_is_refused(home: &Home) {
    add_person(home, "mara").await;
    add_new(home, NewToken { owner: Some("mara".into()), ..new("laptop", Role::Risk) }, "one").await;
    add_new(home, NewToken { owner: Some("mara".into()), ..new("mara", Role::Risk) }, "two").await;
    add(home, "bot", Role::Risk, "three").await;
    let change = |change| home.store.change_person("mara".into(), change, "admin".into(), NOW);
    assert!(change(PersonChange::Disable).await.expect("changed"));
    assert_eq!((find(home, "one").await, find(home, "two").await), (None, None));
    assert_eq!(find(home, "three").await, Some(owner("bot", Role::Risk)), "a service is not concerned");
    assert!(change(PersonChange::Enable).await.expect("changed"));
    assert_eq!(find(home, "one").await, Some(owner_of("laptop", "mara", Role::Risk)));
}

async fn a_token_ends_at_its_term_or_when_it_is_revoked(home: &Home) {
    let term = NewToken { expires_at: Some(TimestampMs(NOW.0 + 1_000)), ..new("short", Role::Risk) };
    add_new(home, term, "one").await;
    assert!(find_at(home, "one", 999).await.is_some());
    assert_eq!(find_at(home, "one", 1_000).await, None);
    add(home, "bot", Role::Risk, "two").await;
    let revoke = |name: &str| home.store.revoke_token(name.into(), "admin".into(), NOW);
    assert!(revoke("bot").await.expect("revoked"));
    assert_eq!(find(home, "two").await, None);
    assert!(!revoke("bot").await.expect("asked"), "once");
    assert!(!revoke("nobody").await.expect("asked"));
    assert!(!add(home, "bot", Role::Risk, "three").await, "its name stands in the evidence");
    let tokens = home.store.tokens().await.expect("listed");
    let states: Vec<_> =
        tokens.iter().map(|row| (row.name.as_str(), row.revoked_at, row.expires_at)).collect();
    assert_eq!(states, [("bot", Some(NOW.0), None), ("short", None, Some(NOW.0 + 1_000))]);
    let lines = home.raw().await.texts("SELECT action || ' ' || subject FROM audit ORDER BY id").await;
    assert_eq!(lines, ["token_added token short", "token_added token bot", "token_revoked token bot"]);
}

async fn the_use_of_a_token_is_noted_once_a_minute(home: &Home) {
    add(home, "bot", Role::Risk, "one").await;
    let last = async || home.store.tokens().await.expect("listed")[0].last_used_at;
    assert_eq!(last().await, None);
    for (at, noted) in [(0, 0), (59_999, 0), (60_000, 60_000), (60_001, 60_000)] {
        assert!(find_at(home, "one", at).await.is_some());
        assert_eq!(last().await, Some(NOW.0 + noted), "after {at} ms");
    }
    find(home, "no such token").await;
}

async fn a_token_is_found_by_its_hash_with_its_name_and_role(home: &Home) {
    for role in Role::ALL {
        assert!(add(home, role.name(), role, &token_hash(role.name())).await);
    }
    for role in Role::ALL {
        assert_eq!(find(home, &token_hash(role.name())).await, Some(owner(role.name(), role)));
    }
    assert!(add(home, "Ännchen O'Brien \"x\"", Role::Risk, "another hash").await);
    assert_eq!(find(home, "another hash").await, Some(owner("Ännchen O'Brien \"x\"", Role::Risk)));
}

async fn a_hash_that_is_not_there_belongs_to_nobody(home: &Home) {
    let hash = token_hash("secret");
    assert_eq!(find(home, &hash).await, None);
    add(home, "ann", Role::Risk, &hash).await;
    for other in ["", "%", "secret", &hash.to_uppercase(), &hash[1..], &format!("{hash} ")] {
        assert_eq!(find(home, other).await, None, "{other}");
    }
}

async fn a_name_is_given_only_once(home: &Home) {
    assert!(add(home, "ann", Role::Risk, "one").await);
    assert!(!add(home, "ann", Role::Admin, "two").await);
    assert_eq!(find(home, "one").await, Some(owner("ann", Role::Risk)));
    assert_eq!(find(home, "two").await, None);
    for looks in ["Ann", "ANN", "\u{ff41}nn"] {
        assert!(!add(home, looks, Role::Admin, "two").await, "{looks}");
    }
    add_person(home, "bob").await;
    assert!(!add(home, "Bob", Role::Admin, "two").await, "nor like a person");
    let person = NewPerson { name: "ANN".into(), role: Role::Risk, password_hash: "hash".into() };
    assert!(
        !home.store.add_person(person, "admin".into(), NOW).await.expect("asked"),
        "nor a person like a service"
    );
    assert!(add(home, "anna", Role::Admin, "two").await);
}

async fn a_token_is_never_two_peoples(home: &Home) {
    assert!(add(home, "ann", Role::Risk, "one").await);
    assert!(!add(home, "bob", Role::Admin, "one").await);
    assert_eq!(find(home, "one").await, Some(owner("ann", Role::Risk)));
}

async fn of_two_tokens_of_one_name_at_the_same_time_one_is_added(home: &Home) {
    let other = home.another_process().await;
    for round in 0..10 {
        let name = format!("ann {round}");
        let adding = [&home.store, &other].map(|store| {
            let (store, name) = (store.clone(), name.clone());
            let hash = format!("{round} {:p}", &raw const store);
            tokio::spawn(
                async move { store.add_token(new(&name, Role::Risk), hash, "admin".into(), NOW).await },
            )
        });
        let mut added = 0;
        for answer in adding {
            added += i32::from(answer.await.expect("it ends").expect("the answer is yes or no"));
        }
        assert_eq!(added, 1, "{name}");
    }
}

async fn a_token_works_in_every_process_at_once(home: &Home) {
    let other = home.another_process().await;
    add(home, "ann", Role::Finance, "one").await;
    assert_eq!(other.token_owner("one", NOW).await.expect("found"), Some(owner("ann", Role::Finance)));
}

async fn a_role_that_nobody_knows_is_named_as_corrupt(home: &Home) {
    add(home, "ann", Role::Risk, "one").await;
    let mut raw = home.raw().await;
    // The database would not take it either: only a damaged file or a foreign hand brings it there.
    match &raw {
        crate::support::raw::Raw::Sqlite(_) => raw.execute("PRAGMA ignore_check_constraints = on").await,
        crate::support::raw::Raw::Postgres(_) => {
            raw.execute("ALTER TABLE tokens DROP CONSTRAINT tokens_role_check").await;
        }
    }
    raw.execute("UPDATE tokens SET role = 'root'").await;
    let refused = home.store.token_owner("one", NOW).await.expect_err("it is corrupt");
    let store::Error::Corrupt { table, column, found, .. } = refused else { panic!("{refused}") };
    assert_eq!((table, column, found.as_str()), ("tokens", "role", "root"));
}
