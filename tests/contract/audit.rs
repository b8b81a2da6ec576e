//! The audit is a hash chain: who, by what means and from where; a changed, deleted or inserted line is found.

use std::net::IpAddr;

use domain::access::Role;
use domain::actor::{Actor, Via};
use domain::audit::{Action, Chain, Fault};
use domain::time::TimestampMs;
use store::Store;
use store::access::audit::{AuditFilter, ExportFilter, Line};
use store::access::staff::NewPerson;

use crate::support::database::Home;
use crate::support::postbacks::NOW;
use crate::support::raw::Raw;

contract! {
    both:
        every_line_goes_on_from_the_one_before,
        a_line_says_by_what_means_and_from_where,
        many_writers_at_once_make_one_chain,
        what_fails_leaves_no_line_and_no_gap,
        nothing_in_the_audit_can_be_changed_deleted_or_replaced,
        the_first_line_that_was_tampered_with_is_named,
        a_missing_end_is_seen,
        addresses_leave_at_their_term_and_the_chain_holds,
        lines_older_than_the_chain_stay_readable,
        the_export_reads_forward_between_two_instants;
}

fn at(ms: i64) -> TimestampMs {
    TimestampMs(NOW.0 + ms)
}

fn mara() -> Actor {
    Actor::new("mara", Via::Page, Some(IpAddr::from([203, 0, 113, 7])))
}

async fn note(store: &Store, actor: &Actor, subject: &str, now: TimestampMs) {
    store
        .note_in_audit(Line::new(actor, Action::Released, subject.into(), String::new()), now)
        .await
        .expect("noted");
}

/// The faults found along the chain.
async fn walk(store: &Store) -> Result<i64, Fault> {
    let head = store.audit_head().await.expect("the head");
    let mut chain = Chain::default();
    loop {
        let lines = store.audit_chain(chain.last()).await.expect("lines");
        if lines.is_empty() {
            return chain.end(head.number).map(|()| chain.last());
        }
        for line in &lines {
            chain.look_at(&line.kept())?;
            chain.compare(head.number, &head.hash)?;
        }
    }
}

/// Drops the triggers that protect the audit, as the owner of the database can.
async fn disarm(raw: &mut Raw) {
    let triggers = [
        ("audit", "audit_is_frozen"),
        ("audit", "audit_stays"),
        ("audit", "audit_only_grows"),
        ("audit_addresses", "audit_addresses_are_frozen"),
    ];
    for (table, trigger) in triggers {
        match raw {
            Raw::Sqlite(_) => raw.execute(&format!("DROP TRIGGER {trigger}")).await,
            Raw::Postgres(_) => raw.execute(&format!("DROP TRIGGER {trigger} ON {table}")).await,
        }
    }
}

async fn every_line_goes_on_from_the_one_before(home: &Home) {
    assert_eq!(walk(&home.store).await, Ok(0));
    for number in 0..3 {
        note(&home.store, &mara(), &format!("page {number}"), NOW).await;
    }
    assert_eq!(walk(&home.store).await, Ok(3));
    let hashes = home.raw().await.texts("SELECT DISTINCT hash FROM audit").await;
    assert_eq!(hashes.len(), 3);
}

async fn a_line_says_by_what_means_and_from_where(home: &Home) {
    let from = Some(IpAddr::from([203, 0, 113, 7]));
    note(&home.store, &mara(), "1", NOW).await;
    note(&home.store, &Actor::new("mara", Via::Token("laptop".into()), from), "2", NOW).await;
    note(&home.store, &Actor::new("mara", Via::Command("root".into()), None), "3", NOW).await;
    note(&home.store, &"policy".into(), "4", NOW).await;
    let rows = home.store.audit(&AuditFilter::default(), 9).await.expect("listed");
    let said: Vec<_> = rows
        .iter()
        .rev()
        .map(|row| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            (
                row.actor.as_str(),
                text(&row.via),
                text(&row.via_name),
                text(&row.from_network),
                text(&row.address),
            )
        })
        .collect();
    let line = |actor, via: &str, name: &str, network: &str, address: &str| {
        (actor, via.to_owned(), name.to_owned(), network.to_owned(), address.to_owned())
    };
    assert_eq!(
        said,
        [
            line("mara", "page", "", "203.0.113.0/24", "203.0.113.7"),
            line("mara", "token", "laptop", "203.0.113.0/24", "203.0.113.7"),
            line("mara", "command", "root", "", ""),
            line("policy", "gateway", "", "", ""),
        ]
    );
}

async fn many_writers_at_once_make_one_chain(home: &Home) {
    let other = home.another_process().await;
    let mut writing = Vec::new();
    for number in 0..40 {
        let store = if number % 2 == 0 { home.store.clone() } else { other.clone() };
        writing.push(tokio::spawn(async move { note(&store, &mara(), &number.to_string(), NOW).await }));
    }
    for one in writing {
        one.await.expect("noted");
    }
    assert_eq!(walk(&home.store).await, Ok(40));
    other.close().await;
}

async fn what_fails_leaves_no_line_and_no_gap(home: &Home) {
    let person = || NewPerson { name: "ann".into(), role: Role::Risk, password_hash: "hash".into() };
    assert!(home.store.add_person(person(), mara(), NOW).await.expect("asked"));
    assert!(!home.store.add_person(person(), mara(), NOW).await.expect("asked"));
    assert!(!home.store.revoke_token("nobody".into(), mara(), NOW).await.expect("asked"));
    // A transaction that fails after it has noted: the line that it would add stands there already.
    let mut raw = home.raw().await;
    raw.execute(
        "INSERT INTO audit (seq, happened_at, actor, action, subject, detail, hash) VALUES (2, 0, 'x', 'x', 'x', '', 'x')",
    )
    .await;
    let ann = Line::new(&mara(), Action::Released, "page".into(), String::new());
    assert!(home.store.note_in_audit(ann, NOW).await.is_err());
    disarm(&mut raw).await;
    raw.execute("DELETE FROM audit WHERE seq = 2").await;
    note(&home.store, &"policy".into(), "page", NOW).await;
    assert_eq!(walk(&home.store).await, Ok(2));
}

async fn nothing_in_the_audit_can_be_changed_deleted_or_replaced(home: &Home) {
    for number in 0..3 {
        note(&home.store, &mara(), &format!("page {number}"), NOW).await;
    }
    let mut raw = home.raw().await;
    let line = "happened_at, actor, action, subject, detail, hash";
    let mut attempts = vec![
        "UPDATE audit SET actor = 'x' WHERE seq = 2".to_owned(),
        "UPDATE audit SET seq = NULL WHERE seq = 3".into(),
        "DELETE FROM audit WHERE seq = 3".into(),
        format!("INSERT INTO audit (seq, {line}) VALUES (NULL, 0, 'x', 'x', 'x', '', 'x')"),
        format!("INSERT INTO audit (seq, {line}) VALUES (2, 0, 'x', 'x', 'x', '', 'x')"),
        "UPDATE audit_head SET number = 2".into(),
        "UPDATE audit_head SET number = 9, hash = 'x'".into(),
        "UPDATE audit_head SET lines_before = 1, number = number + 1".into(),
        "DELETE FROM audit_head".into(),
        "INSERT INTO audit_head (one, number, hash, lines_before) VALUES (1, 0, '', 0)".into(),
        "UPDATE audit_addresses SET address = '203.0.113.9'".into(),
        "INSERT INTO audit_addresses (seq, address, salt, noted_at) VALUES (1, 'x', 'x', 0)".into(),
    ];
    match &raw {
        Raw::Sqlite(_) => attempts.extend([
            format!(
                "INSERT OR REPLACE INTO audit (id, seq, {line}) VALUES (2, 2, 0, 'x', 'x', 'x', '', 'x')"
            ),
            format!("REPLACE INTO audit (id, seq, {line}) VALUES (3, 9, 0, 'x', 'x', 'x', '', 'x')"),
            format!("REPLACE INTO audit (seq, {line}) VALUES (3, 0, 'x', 'x', 'x', '', 'x')"),
            "UPDATE OR REPLACE audit SET seq = 1 WHERE seq = 2".into(),
            "REPLACE INTO audit_head (one, number, hash, lines_before) VALUES (1, 0, '', 0)".into(),
        ]),
        Raw::Postgres(_) => attempts.extend([
            "TRUNCATE audit".into(),
            "TRUNCATE audit_head".into(),
            "TRUNCATE audit, audit_head, audit_addresses CASCADE".into(),
            format!(
                "INSERT INTO audit (seq, {line}) VALUES (3, 0, 'x', 'x', 'x', '', 'x')
                 ON CONFLICT (seq) DO UPDATE SET actor = 'x'"
            ),
            "TRUNCATE decisions".into(),
            "TRUNCATE transfers CASCADE".into(),
        ]),
    }
    for sql in &attempts {
        assert!(raw.attempt(sql).await.is_err(), "{sql}");
    }
    assert_eq!(walk(&home.store).await, Ok(3));
    assert_eq!(home.store.audit(&AuditFilter::default(), 9).await.expect("listed").len(), 3);
}

async fn the_first_line_that_was_tampered_with_is_named(home: &Home) {
    for number in 0..5 {
        note(&home.store, &mara(), &format!("page {number}"), at(number)).await;
    }
    let mut raw = home.raw().await;
    disarm(&mut raw).await;
    let tampering = [
        ("actor = 'joe'", "actor = 'mara'"),
        ("subject = 'page 9'", "subject = 'page 2'"),
        ("happened_at = 0", &format!("happened_at = {}", at(2).0)),
        ("from_network = NULL", "from_network = '203.0.113.0/24'"),
        ("via = 'gateway'", "via = 'page'"),
    ];
    for (wrong, right) in tampering {
        raw.execute(&format!("UPDATE audit SET {wrong} WHERE seq = 3")).await;
        assert_eq!(walk(&home.store).await, Err(Fault::Changed(3)), "{wrong}");
        raw.execute(&format!("UPDATE audit SET {right} WHERE seq = 3")).await;
        assert_eq!(walk(&home.store).await, Ok(5), "{right}");
    }
    raw.execute("UPDATE audit_addresses SET address = '198.51.100.1' WHERE seq = 4").await;
    assert_eq!(walk(&home.store).await, Err(Fault::Address(4)));
    raw.execute("DELETE FROM audit WHERE seq = 2").await;
    assert_eq!(walk(&home.store).await, Err(Fault::Missing(2)));
}

async fn a_missing_end_is_seen(home: &Home) {
    for number in 0..3 {
        note(&home.store, &mara(), &format!("page {number}"), NOW).await;
    }
    let mut raw = home.raw().await;
    disarm(&mut raw).await;
    raw.execute("DELETE FROM audit WHERE seq = 3").await;
    assert_eq!(walk(&home.store).await, Err(Fault::Tail { last: 2, head: 3 }));
    raw.execute("DELETE FROM audit").await;
    assert_eq!(walk(&home.store).await, Err(Fault::Tail { last: 0, head: 3 }));
}

async fn addresses_leave_at_their_term_and_the_chain_holds(home: &Home) {
    for number in 0..3 {
        note(&home.store, &mara(), &format!("page {number}"), at(number)).await;
    }
    assert_eq!(home.store.forget_audit_addresses(at(2)).await.expect("a step").rows, 2);
    assert_eq!(home.store.forget_audit_addresses(at(2)).await.expect("a step").rows, 0);
    let rows = home.store.audit(&AuditFilter::default(), 9).await.expect("listed");
    let kept: Vec<_> = rows.iter().map(|row| (row.address.as_deref(), row.from_network.as_deref())).collect();
    let network = Some("203.0.113.0/24");
    assert_eq!(kept, [(Some("203.0.113.7"), network), (None, network), (None, network)]);
    assert_eq!(walk(&home.store).await, Ok(3));
}

async fn lines_older_than_the_chain_stay_readable(home: &Home) {
    // As the migration finds them.
    let mut raw = home.raw().await;
    disarm(&mut raw).await;
    raw.execute(
        "INSERT INTO audit (happened_at, actor, action, subject, detail) VALUES (1, 'old', 'looked', 'page', 'from x')",
    )
    .await;
    note(&home.store, &mara(), "page", NOW).await;
    let rows = home.store.audit_export(&ExportFilter::default(), 0, 9).await.expect("read");
    let lines: Vec<_> = rows.iter().map(|row| (row.actor.as_str(), row.seq)).collect();
    assert_eq!(lines, [("old", None), ("mara", Some(1))]);
    let head = home.store.audit_head().await.expect("the head");
    assert_eq!((head.lines_before, head.lines_outside), (0, 1), "one that came later is counted");
}

async fn the_export_reads_forward_between_two_instants(home: &Home) {
    for number in 0..5 {
        note(&home.store, &mara(), &format!("page {number}"), at(number)).await;
    }
    let filter = ExportFilter { from: Some(at(1)), to: Some(at(4)), ..ExportFilter::default() };
    let first = home.store.audit_export(&filter, 0, 2).await.expect("read");
    let rest = home.store.audit_export(&filter, first[1].id, 2).await.expect("read");
    let subjects: Vec<_> = first.iter().chain(&rest).map(|row| row.subject.as_str()).collect();
    assert_eq!(subjects, ["page 1", "page 2", "page 3"]);
    assert!(home.store.audit_export(&filter, rest[0].id, 2).await.expect("read").is_empty());
}
