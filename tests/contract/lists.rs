//! Lists: one entry of a key in force, former ones kept, everything audited, and a version that every change raises.

use chrono_tz::Tz;
use domain::batch::BatchOutcome;
use domain::lists::entry::{Draft, Known, NewEntry};
use domain::lists::matcher::Lists;
use domain::lists::{Effect, Kind, MAX_ENTRIES};
use domain::time::{DAY_MS, TimestampMs};
use jobs::lists::LiveLists;
use store::access::audit::AuditFilter;
use store::lists::ListRow;
use store::lists::change::{ListAdded, ListRemoved};
use store::lists::rows::{ListFilter, ListState};
use store::postbacks::inbox::Claim;

use crate::support::database::Home;
use crate::support::postbacks::{Call, NOW, SOURCE, credit, processed, processor_of_lists};

contract! {
    both:
        an_entry_is_in_force_until_its_end_or_its_removal,
        a_newer_entry_of_a_key_ends_the_one_before_and_both_stay,
        every_change_raises_the_version_and_is_audited,
        a_file_is_added_whole_and_noted_once,
        entries_are_found_by_what_they_say_and_page_by_page,
        more_entries_than_the_limit_change_nothing,
        of_two_entries_of_a_key_at_the_same_time_one_is_in_force,
        an_entry_is_evidence_and_never_changes,
        a_blocked_user_is_held_and_the_verdict_says_why_for_good,
        the_memory_follows_the_database;
}

fn known() -> Known {
    Known { sources: vec![SOURCE.into()], apps: vec!["main".into()], zone: Tz::UTC }
}

fn entry(effect: &str, kind: &str, value: &str, expires: &str) -> NewEntry {
    let source = if matches!(kind, "sub_id" | "offer") { SOURCE } else { "" };
    let draft = Draft { kind, value, effect, reason: "abuse", source, expires, ..Draft::default() };
    NewEntry::read(&draft, &known(), NOW).expect("a good entry")
}

async fn add(home: &Home, entry: NewEntry) -> i64 {
    match home.store.add_list_entry(entry, "anna".into(), NOW).await.expect("it is added") {
        ListAdded::Done { ids, .. } => ids[0],
        other @ ListAdded::TooMany { .. } => panic!("{other:?}"),
    }
}

async fn rows(home: &Home, filter: ListFilter) -> Vec<ListRow> {
    home.store.list_entries(&filter, NOW, 99).await.expect("listed")
}

async fn in_force(home: &Home, at: TimestampMs) -> Vec<i64> {
    home.store.lists_in_force(at).await.expect("read").iter().map(|entry| entry.id).collect()
}

async fn an_entry_is_in_force_until_its_end_or_its_removal(home: &Home) {
    let ending = add(home, entry("block", "address", "203.0.113.9/24", "30d")).await;
    let lasting = add(home, entry("trust", "user", "u-1", "")).await;
    assert_eq!(in_force(home, NOW).await, [ending, lasting]);
    let end = TimestampMs(NOW.0 + 30 * DAY_MS);
    assert_eq!(in_force(home, TimestampMs(end.0 - 1)).await, [ending, lasting]);
    assert_eq!(in_force(home, end).await, [lasting]);
    assert_eq!(home.store.list_count(end).await.expect("counted"), 1);
    let remove = |id| home.store.remove_list_entry(id, "bert".into(), NOW);
    assert_eq!(remove(lasting).await.expect("removed"), ListRemoved::Done);
    assert_eq!(remove(lasting).await.expect("looked at"), ListRemoved::Already);
    assert_eq!(remove(9_999).await.expect("looked at"), ListRemoved::NotFound);
    assert_eq!(in_force(home, NOW).await, [ending]);
    let removed = home.store.list_entry(lasting).await.expect("read").expect("it stays");
    assert_eq!((removed.removed_at, removed.removed_by.as_deref()), (Some(NOW.0), Some("bert")));
    assert!(!removed.is_in_force(NOW));
}

async fn a_newer_entry_of_a_key_ends_the_one_before_and_both_stay(home: &Home) {
    let first = add(home, entry("watch", "asn", "AS64500", "")).await;
    let added = home.store.add_list_entry(entry("block", "asn", "64500", ""), "bert".into(), NOW).await;
    let ListAdded::Done { ids, replaced } = added.expect("added") else { panic!("there is room") };
    assert_eq!((replaced, in_force(home, NOW).await), (1, ids.clone()));
    let all = rows(home, ListFilter { state: ListState::All, ..ListFilter::default() }).await;
    let shown: Vec<_> =
        all.iter().map(|row| (row.id, row.effect.as_str(), row.removed_by.as_deref())).collect();
    assert_eq!(shown, [(ids[0], "block", None), (first, "watch", Some("bert"))]);
    // The same value of another app is another key.
    let mut of_app = entry("trust", "asn", "64500", "");
    of_app.key.app = Some("main".into());
    add(home, of_app).await;
    assert_eq!(in_force(home, NOW).await.len(), 2);
}

async fn every_change_raises_the_version_and_is_audited(home: &Home) {
    let version = async || home.store.lists_version().await.expect("read");
    let mut before = version().await;
    let mut rises = async || {
        let now = version().await;
        assert!(now > before, "{now} after {before}");
        before = now;
    };
    let first = add(home, entry("watch", "offer", "7", "30d")).await;
    rises().await;
    let second = add(home, entry("block", "offer", "7", "")).await;
    rises().await;
    home.store.remove_list_entry(second, "bert".into(), NOW).await.expect("removed");
    rises().await;
    let lines = home.store.audit(&AuditFilter::default(), 9).await.expect("listed");
    let shown: Vec<_> = lines
        .iter()
        .rev()
        .map(|line| format!("{} {} {}: {}", line.actor, line.action, line.subject, line.detail))
        .collect();
    let until = TimestampMs(NOW.0 + 30 * DAY_MS).rfc3339();
    assert_eq!(
        shown,
        [
            format!(
                "anna list_entry_added list entry {first}: watch offer 7 of {SOURCE} until {until}: abuse"
            ),
            format!(
                "anna list_entry_added list entry {second}: block offer 7 of {SOURCE}, instead of entry {first} \
                 (watch): abuse"
            ),
            format!("bert list_entry_removed list entry {second}: block offer 7 of {SOURCE}"),
        ]
    );
}

async fn a_file_is_added_whole_and_noted_once(home: &Home) {
    add(home, entry("watch", "user", "u-3", "")).await;
    // More than any statement for SQLite has places for.
    let entries: Vec<_> =
        (0..3_000).map(|number| entry("block", "user", &format!("u-{number}"), "")).collect();
    let import = home.store.import_list_entries(entries, "abc".into(), "anna".into(), NOW);
    let ListAdded::Done { ids, replaced } = import.await.expect("imported") else { panic!("there is room") };
    assert_eq!((ids.len(), replaced), (3_000, 1));
    let kept = home.store.list_entry(ids[7]).await.expect("read").expect("it is there");
    assert_eq!((kept.value.as_str(), kept.effect.as_str()), ("u-7", "block"), "in the order given");
    assert_eq!(in_force(home, NOW).await.len(), 3_000);
    let filter = AuditFilter { action: Some("list_imported".into()), ..AuditFilter::default() };
    let lines = home.store.audit(&filter, 9).await.expect("listed");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].detail, "3000 entries of a file with the SHA-256 abc, 1 instead of another");
}

async fn entries_are_found_by_what_they_say_and_page_by_page(home: &Home) {
    let user = add(home, entry("trust", "user", "u-1", "")).await;
    let address = add(home, entry("block", "address", "203.0.113.7", "")).await;
    let watched = add(home, entry("watch", "user", "u-2", "")).await;
    let ids = async |filter| rows(home, filter).await.iter().map(|row| row.id).collect::<Vec<_>>();
    let any = ListFilter::default;
    assert_eq!(ids(any()).await, [watched, address, user], "newest first");
    assert_eq!(ids(ListFilter { kind: Some(Kind::User), ..any() }).await, [watched, user]);
    assert_eq!(ids(ListFilter { effect: Some(Effect::Block), ..any() }).await, [address]);
    assert_eq!(ids(ListFilter { value: Some("203.0.113.7".into()), ..any() }).await, [address]);
    assert_eq!(ids(ListFilter { app: Some("main".into()), ..any() }).await, Vec::<i64>::new());
    assert_eq!(ids(ListFilter { before: Some(address), ..any() }).await, [user]);
    home.store.remove_list_entry(user, "anna".into(), NOW).await.expect("removed");
    assert_eq!(ids(any()).await, [watched, address]);
    assert_eq!(ids(ListFilter { state: ListState::Ended, ..any() }).await, [user]);
}

async fn more_entries_than_the_limit_change_nothing(home: &Home) {
    add(home, entry("watch", "user", "u-0", "")).await;
    let missing = MAX_ENTRIES - 1;
    let fill = format!(
        "INSERT INTO list_entries (kind, source, value, app, effect, author, reason, created_at)
         WITH RECURSIVE each(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM each WHERE number < {missing})
         SELECT 'user', '', 'many-' || number, '', 'block', 'anna', 'abuse', 0 FROM each"
    );
    home.raw().await.execute(&fill).await;
    let add_one =
        |value: &str| home.store.add_list_entry(entry("block", "user", value, ""), "anna".into(), NOW);
    assert_eq!(add_one("u-1").await.expect("refused"), ListAdded::TooMany { in_force: MAX_ENTRIES });
    assert!(matches!(add_one("u-0").await.expect("replaced"), ListAdded::Done { replaced: 1, .. }));
    assert_eq!(home.store.list_count(NOW).await.expect("counted"), MAX_ENTRIES);
    assert_eq!(home.store.lists_in_force(NOW).await.expect("read").len(), 100_000);
}

async fn of_two_entries_of_a_key_at_the_same_time_one_is_in_force(home: &Home) {
    let other = home.another_process().await;
    for _ in 0..10 {
        let (one, two) = tokio::join!(
            home.store.add_list_entry(entry("block", "user", "u-1", ""), "anna".into(), NOW),
            other.add_list_entry(entry("trust", "user", "u-1", ""), "bert".into(), NOW),
        );
        assert!(matches!(one.expect("added"), ListAdded::Done { .. }));
        assert!(matches!(two.expect("added"), ListAdded::Done { .. }));
    }
    other.close().await;
    assert_eq!(in_force(home, NOW).await.len(), 1);
    let all = rows(home, ListFilter { state: ListState::All, ..ListFilter::default() }).await;
    assert_eq!(all.len(), 20);
}

async fn an_entry_is_evidence_and_never_changes(home: &Home) {
    let id = add(home, entry("block", "user", "u-1", "")).await;
    let mut raw = home.raw().await;
    for sql in [
        format!("UPDATE list_entries SET reason = 'none' WHERE id = {id}"),
        format!("UPDATE list_entries SET expires_at = 1 WHERE id = {id}"),
        format!("DELETE FROM list_entries WHERE id = {id}"),
    ] {
        assert!(raw.attempt(&sql).await.is_err(), "{sql}");
    }
    home.store.remove_list_entry(id, "anna".into(), NOW).await.expect("removed");
    let again = format!("UPDATE list_entries SET removed_at = NULL WHERE id = {id}");
    assert!(raw.attempt(&again).await.is_err(), "an end is final");
}

async fn process_with(home: &Home, lists: &LiveLists, call: Call) -> BatchOutcome {
    home.record(&[call]).await;
    processed(&home.store, Claim::First(9), processor_of_lists(lists), NOW).await.expect("processed")
}

async fn a_blocked_user_is_held_and_the_verdict_says_why_for_good(home: &Home) {
    let lists = LiveLists::default();
    process_with(home, &lists, credit("T0").by("u2")).await;
    assert_eq!(home.reward("T0").await.status, "credited");
    let id = add(home, entry("block", "user", "u1", "30d")).await;
    lists.replace(Lists::new(home.store.lists_in_force(NOW).await.expect("read")));
    process_with(home, &lists, credit("T1")).await;
    home.store.remove_list_entry(id, "anna".into(), NOW).await.expect("removed");
    let reward = home.reward("T1").await;
    let verdict = reward.verdict.expect("it was judged");
    let signal = verdict.signals.iter().find(|signal| signal.code == "L1").expect("the rule reports");
    assert_eq!((reward.status.as_str(), signal.fired, signal.hard), ("held", true, true));
    let end = TimestampMs(NOW.0 + 30 * DAY_MS).business_date(Tz::UTC);
    assert_eq!(signal.text, format!("The user u1 is blocked until {end} by anna: abuse (entry {id})."));
    let checked = home.store.check_verdicts(0, 99).await.expect("checked");
    assert_eq!((checked.compared, checked.differing.len()), (2, 0), "it follows from its facts");
}

async fn the_memory_follows_the_database(home: &Home) {
    let (lists, clock) = (LiveLists::default(), domain::time::Clock::new(|| NOW));
    let version = lists.read(&home.store, &clock, None).await.expect("read");
    assert!(lists.current().is_empty());
    add(home, entry("block", "user", "u-1", "")).await;
    let next = lists.read(&home.store, &clock, Some(version)).await.expect("read");
    assert_eq!((next > version, lists.current().len()), (true, 1));
    assert_eq!(lists.read(&home.store, &clock, Some(next)).await.expect("read"), next);
}
