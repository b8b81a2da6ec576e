//! Tokens: found by their hash, named once.

use domain::access::{Role, token_hash};
use store::tokens::TokenOwner;

use crate::database::Home;
use crate::story::NOW;

contract! {
    both:
        a_token_is_found_by_its_hash_with_its_name_and_role,
        a_hash_that_is_not_there_belongs_to_nobody,
        a_name_is_given_only_once,
        a_token_is_never_two_peoples,
        of_two_tokens_of_one_name_at_the_same_time_one_is_added,
        a_token_works_in_every_process_at_once,
        a_role_that_nobody_knows_is_named_as_corrupt;
}

fn owner(name: &str, role: Role) -> TokenOwner {
    TokenOwner { name: name.into(), role }
}

async fn add(home: &Home, name: &str, role: Role, hash: &str) -> bool {
    home.store.add_token(owner(name, role), hash.into(), NOW).await.expect("the answer is yes or no")
}

async fn find(home: &Home, hash: &str) -> Option<TokenOwner> {
    home.store.token_owner(hash).await.expect("it is looked for")
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
    assert!(add(home, "Ann", Role::Admin, "two").await);
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
            tokio::spawn(async move { store.add_token(owner(&name, Role::Risk), hash, NOW).await })
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
    assert_eq!(other.token_owner("one").await.expect("found"), Some(owner("ann", Role::Finance)));
}

async fn a_role_that_nobody_knows_is_named_as_corrupt(home: &Home) {
    add(home, "ann", Role::Risk, "one").await;
    let mut raw = home.raw().await;
    // The database would not take it either: only a damaged file or a foreign hand brings it there.
    match &raw {
        crate::raw::Raw::Sqlite(_) => raw.execute("PRAGMA ignore_check_constraints = on").await,
        crate::raw::Raw::Postgres(_) => {
            raw.execute("ALTER TABLE tokens DROP CONSTRAINT tokens_role_check").await;
        }
    }
    raw.execute("UPDATE tokens SET role = 'root'").await;
    let refused = home.store.token_owner("one").await.expect_err("it is corrupt");
    let store::Error::Corrupt { table, column, found, .. } = refused else { panic!("{refused}") };
    assert_eq!((table, column, found.as_str()), ("tokens", "role", "root"));
}
