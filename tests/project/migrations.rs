//! The migrations of both databases are the same steps.

use std::collections::BTreeSet;

use crate::{none_of, root};

/// `0001_inbox.sql`, in the order of their numbers.
fn names(database: &str) -> Vec<String> {
    let folder = root().join("migrations").join(database).read_dir().expect("a folder");
    let mut names: Vec<_> = folder
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// What is wrong with the names of one database's migrations.
fn faults(names: &[String]) -> Vec<String> {
    let mut numbers = BTreeSet::new();
    let mut faults = Vec::new();
    for name in names {
        let number = name.split('_').next().unwrap_or_default();
        let words = name.strip_prefix(number).and_then(|rest| rest.strip_prefix('_'));
        let words = words.and_then(|rest| rest.strip_suffix(".sql")).unwrap_or_default();
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if number.len() != 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            faults.push(format!("{name}: must begin with a number of four digits and `_`"));
        }
        if words.is_empty() || !words.bytes().all(is_word) {
            faults.push(format!("{name}: needs lower-case words and `.sql` after its number"));
        }
        if !numbers.insert(number.to_owned()) {
            faults.push(format!("{name}: the number {number} is taken; use the next free one"));
        }
    }
    faults
}

#[test]
fn both_databases_have_migrations_of_the_same_numbers_and_names() {
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    assert!(sqlite.len() > 20, "{sqlite:?}");
    let mut found = faults(&sqlite);
    for (name, lacking, there) in
        sqlite.iter().filter(|name| !postgres.contains(name)).map(|name| (name, "postgres", "sqlite")).chain(
            postgres.iter().filter(|name| !sqlite.contains(name)).map(|name| (name, "sqlite", "postgres")),
        )
    {
        found.push(format!("migrations/{there}/{name}: there is no migrations/{lacking}/{name}"));
    }
    none_of(&found);
}

#[test]
fn a_migration_with_a_taken_number_or_an_odd_name_is_found() {
    let faults = |names: &[&str]| faults(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    assert_eq!(faults(&["0001_inbox.sql", "0003_ledger.sql"]), Vec::<String>::new());
    for names in [
        &["0001_a.sql", "0001_b.sql"][..],
        &["1_a.sql"],
        &["0001_.sql"],
        &["0001_a.txt"],
        &["0001_A.sql"],
        &["000x_a.sql"],
    ] {
        assert_eq!(faults(names).len(), 1, "{names:?}: {:?}", faults(names));
    }
}
