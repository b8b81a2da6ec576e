//! The schema: migrated by any number of processes at once, checked before anything else, equal on both databases.

use std::collections::BTreeSet;

use store::Error;

use crate::support::database::{Home, open};
use crate::support::place::Kind;
use crate::support::raw::Raw;

contract! {
    both:
        migrating_twice_changes_nothing,
        many_processes_may_open_and_migrate_a_new_database_at_once,
        a_database_without_a_schema_says_what_to_do,
        a_schema_that_is_behind_says_what_to_do,
        a_schema_that_is_ahead_is_worked_with,
        asking_for_the_schema_changes_nothing,
        a_failed_migration_is_an_error_of_the_schema;
    postgres:
        both_databases_have_the_same_schema;
}

async fn migrating_twice_changes_nothing(home: &Home) {
    let before = schema(&mut home.raw().await).await;
    home.store.migrate().await.expect("there is nothing to do");
    home.another_process().await.migrate().await.expect("there is nothing to do");
    assert_eq!(schema(&mut home.raw().await).await, before);
    home.store.assert_migrated().await.expect("it is up to date");
}

async fn many_processes_may_open_and_migrate_a_new_database_at_once(home: &Home) {
    for _ in 0..3 {
        let url = home.blank().await;
        let processes: Vec<_> = (0..4)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move {
                    let store = open(&url).await?;
                    store.migrate().await?;
                    store.assert_migrated().await?;
                    store.close().await;
                    Ok::<_, Error>(())
                })
            })
            .collect();
        for process in processes {
            process.await.expect("it ends").expect("it is opened and migrated");
        }
        let count = "SELECT COUNT(*) FROM _sqlx_migrations";
        let mut raw = Raw::open(&url).await;
        assert_eq!(raw.number(count).await, home.raw().await.number(count).await);
    }
}

fn assert_says_what_to_do(answer: store::Result<()>, says: &str) {
    match answer {
        Err(Error::Unfit(text)) => {
            assert!(text.contains("`rewardgate migrate`") && text.contains(says), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

async fn a_database_without_a_schema_says_what_to_do(home: &Home) {
    let url = home.blank().await;
    let store = open(&url).await.expect("it opens");
    assert_says_what_to_do(store.assert_migrated().await, "no schema yet");
    store.migrate().await.expect("the schema is made");
    store.assert_migrated().await.expect("it is up to date");
    store.close().await;
}

async fn a_schema_that_is_behind_says_what_to_do(home: &Home) {
    let newest = "(SELECT MAX(version) FROM _sqlx_migrations)";
    home.raw().await.execute(&format!("DELETE FROM _sqlx_migrations WHERE version = {newest}")).await;
    assert_says_what_to_do(home.store.assert_migrated().await, " is needed");
}

async fn a_schema_that_is_ahead_is_worked_with(home: &Home) {
    let ahead = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 SELECT version + 1000, 'of a newer version', success, checksum, execution_time
                 FROM _sqlx_migrations WHERE version = 1";
    home.raw().await.execute(ahead).await;
    let older = home.another_process().await;
    older.migrate().await.expect("there is nothing for it to do");
    older.assert_migrated().await.expect("it has all that it needs");
    older.close().await;
}

async fn asking_for_the_schema_changes_nothing(home: &Home) {
    let url = home.blank().await;
    let store = open(&url).await.expect("it opens");
    assert!(store.assert_migrated().await.is_err());
    store.close().await;
    assert_eq!(schema(&mut Raw::open(&url).await).await, BTreeSet::new());
}

async fn a_failed_migration_is_an_error_of_the_schema(home: &Home) {
    let url = home.blank().await;
    // Somebody else's table stands where ours is to be.
    Raw::open(&url).await.execute("CREATE TABLE users (id BIGINT)").await;
    let store = open(&url).await.expect("it opens");
    let refused = store.migrate().await.expect_err("the table exists");
    assert!(matches!(refused, Error::Migrate(_)), "{refused}");
    assert!(!refused.is_transient());
    assert_says_what_to_do(store.assert_migrated().await, "");
    store.close().await;
}

async fn both_databases_have_the_same_schema(home: &Home) {
    let sqlite = Home::on(Kind::Sqlite).await;
    let (ours, theirs) = (schema(&mut home.raw().await).await, schema(&mut sqlite.raw().await).await);
    // Each has a way of its own past a trigger for DELETE, and a guard on it: TRUNCATE on Postgres, REPLACE on SQLite.
    let is_own_guard =
        |line: &&String| line.contains("_not_emptied on ") || line.contains("_not_replaced on ");
    let only_in = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).filter(|line| !is_own_guard(line)).cloned().collect::<Vec<_>>()
    };
    assert_eq!((only_in(&ours, &theirs), only_in(&theirs, &ours)), (vec![], vec![]), "Postgres, SQLite");
    // Should both questions ever find nothing, nothing would differ.
    for line in [
        "column rewards.reward_micros INTEGER null",
        "column steps.note TEXT null",
        "column transfers.amount_micros INTEGER not null",
        "index postbacks_inbox on postbacks (id) partial",
        "index rewards_not_credited on rewards (status, received_at) partial",
        "unique rewards (event_key, source)",
        "key steps (reward_id, seq)",
        "trigger transfers_stay on transfers",
        "migration 1 inbox",
    ] {
        assert!(ours.contains(line), "{line} in {ours:#?}");
    }
    sqlite.leave().await;
}

/// The columns, keys, named indexes, triggers and migrations of a database, one line each.
async fn schema(raw: &mut Raw) -> BTreeSet<String> {
    let questions = match raw {
        Raw::Sqlite(_) => SQLITE,
        Raw::Postgres(_) => POSTGRES,
    };
    let mut lines: BTreeSet<String> = raw.texts(questions).await.into_iter().collect();
    lines.retain(|line| !APALIS.iter().any(|name| line.contains(name)) && !line.is_empty());
    if lines.iter().any(|line| line.starts_with("column _sqlx_migrations.")) {
        lines.retain(|line| !line.contains(" _sqlx_migrations"));
        let migrations = "SELECT 'migration ' || version || ' ' || description FROM _sqlx_migrations";
        lines.extend(raw.texts(migrations).await);
    }
    lines
}

/// The tables of the job storage belong to its library, and differ between databases.
const APALIS: [&str; 4] = [" Jobs", " Workers", " _apalis_migrations", " apalis."];

/// A column of a primary key is never null on SQLite either, also where its table does not say so: the tables are
/// STRICT.
const SQLITE: &str = "
    SELECT 'column ' || tables.name || '.' || columns.name || ' ' || columns.type
           || CASE WHEN columns.\"notnull\" OR columns.pk > 0 THEN ' not null' ELSE ' null' END
    FROM sqlite_master AS tables, pragma_table_xinfo(tables.name) AS columns
    WHERE tables.type = 'table' AND columns.hidden <> 1 AND tables.name NOT LIKE 'sqlite_%'
    UNION ALL
    SELECT 'key ' || tables.name || ' (' ||
           (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_table_info(tables.name) WHERE pk > 0 ORDER BY pk))
           || ')'
    FROM sqlite_master AS tables WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'
    UNION ALL
    SELECT 'unique ' || tables.name || ' (' ||
           (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(indexes.name) ORDER BY seqno)) || ')'
    FROM sqlite_master AS tables, pragma_index_list(tables.name) AS indexes
    WHERE tables.type = 'table' AND indexes.origin = 'u' AND tables.name NOT LIKE 'sqlite_%'
    UNION ALL
    SELECT 'index ' || indexes.name || ' on ' || tables.name || ' (' ||
           (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(indexes.name) ORDER BY seqno)) || ')'
           || CASE WHEN indexes.partial THEN ' partial' ELSE '' END
    FROM sqlite_master AS tables, pragma_index_list(tables.name) AS indexes
    WHERE tables.type = 'table' AND indexes.origin = 'c' AND tables.name NOT LIKE 'sqlite_%'
    UNION ALL
    SELECT 'trigger ' || name || ' on ' || tbl_name FROM sqlite_master WHERE type = 'trigger'";

const POSTGRES: &str = "
    SELECT 'column ' || table_name || '.' || column_name || ' '
           || CASE data_type WHEN 'bigint' THEN 'INTEGER' WHEN 'text' THEN 'TEXT' ELSE data_type END
           || CASE is_nullable WHEN 'YES' THEN ' null' ELSE ' not null' END
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT CASE contype WHEN 'p' THEN 'key ' ELSE 'unique ' END || conrelid::regclass || ' ('
           || (SELECT string_agg(attname, ', ' ORDER BY place)
               FROM unnest(conkey) WITH ORDINALITY AS columns (number, place)
               JOIN pg_attribute ON attrelid = conrelid AND attnum = number)
           || ')'
    FROM pg_constraint WHERE contype IN ('p', 'u') AND connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index ' || indexrelid::regclass || ' on ' || indrelid::regclass || ' ('
           || (SELECT string_agg(attname, ', ' ORDER BY place)
               FROM unnest(indkey) WITH ORDINALITY AS columns (number, place)
               JOIN pg_attribute ON attrelid = indrelid AND attnum = number)
           || ')' || CASE WHEN indpred IS NULL THEN '' ELSE ' partial' END
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = 'public'::regnamespace AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)
    UNION ALL
    SELECT 'trigger ' || tgname || ' on ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal";
