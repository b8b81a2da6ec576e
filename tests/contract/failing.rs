//! A failed batch: nothing of it is saved, the postbacks still wait, and the store goes on.

use std::time::Duration;

use domain::review::decision::Review;
use store::postbacks::inbox::{Claim, WaitingPostback};
use store::review::decisions::Reviewed;
use store::rewards::process::{Claimed, MappedPostback, Saved};

use crate::support::database::{Home, eventually, open};
use crate::support::postbacks::{NOW, credit, processed, processor, reversal, suspicious, unmappable};
use crate::support::processing::{ALL, CREDITED, plain};
use crate::support::proxy::{Proxy, Slow};
use crate::support::raw::Raw;

contract! {
    both:
        a_balance_that_would_overflow_is_refused_and_nothing_is_saved,
        a_balance_that_would_underflow_is_refused_and_nothing_is_saved,
        one_postback_that_cannot_be_saved_holds_up_nobody_once_it_is_put_aside,
        a_settling_that_fails_at_its_last_statement_leaves_nothing_behind,
        a_review_that_fails_at_its_last_statement_leaves_nothing_behind,
        a_fault_in_deciding_saves_nothing_and_the_store_goes_on,
        a_settlement_of_what_does_not_wait_is_refused,
        a_reward_with_a_status_that_nobody_knows_is_named_as_corrupt,
        a_failed_settling_has_let_go_of_everything_when_it_answers;
}

/// Asserts that processing fails permanently, saves nothing, and leaves `waiting` postbacks in the inbox.
async fn assert_fails_and_saves_nothing(home: &Home, waiting: i64) -> store::Error {
    let before = home.raw().await.census().await;
    let refused =
        processed(&home.store, Claim::First(ALL), processor(), NOW).await.expect_err("it cannot be saved");
    assert!(!refused.is_transient() && !refused.is_broken(), "{refused}");
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, waiting);
    assert_eq!(home.raw().await.census().await, before);
    refused
}

async fn set_balance(home: &Home, name: &str, balance: i64) {
    let sql = format!(
        "INSERT INTO accounts (name, currency, balance_micros) VALUES ('{name}', 'coins', {balance})
         ON CONFLICT (name, currency) DO UPDATE SET balance_micros = {balance}"
    );
    home.raw().await.execute(&sql).await;
}

async fn a_balance_that_would_overflow_is_refused_and_nothing_is_saved(home: &Home) {
    // The range that is allowed is left by the smallest reward and by the largest.
    for (balance, reward) in
        [(9_000_000_000_000_000_000, "0.000001"), (8_999_999_999_999_999_999, "1000000000")]
    {
        set_balance(home, "user:main/u1", balance).await;
        home.record(&[credit("T1").by("u2"), credit(&format!("T{balance}")).with("reward", reward)]).await;
        let waiting = home.store.inbox_depth().await.expect("a depth").waiting;
        assert_fails_and_saves_nothing(home, waiting).await;
        let kept = home.store.balances("main", "u1").await.expect("balances are read")[0].balance_micros;
        assert_eq!(kept, balance);
    }
}

async fn a_balance_that_would_underflow_is_refused_and_nothing_is_saved(home: &Home) {
    set_balance(home, "user:main/u1", -9_000_000_000_000_000_000).await;
    home.process(&[credit("T1")]).await;
    set_balance(home, "user:main/u1", -9_000_000_000_000_000_000).await;
    home.record(&[reversal("T1")]).await;
    assert_fails_and_saves_nothing(home, 1).await;
}

async fn one_postback_that_cannot_be_saved_holds_up_nobody_once_it_is_put_aside(home: &Home) {
    set_balance(home, "user:main/rich", 9_000_000_000_000_000_000).await;
    home.record(&[credit("T0").by("rich"), credit("T1")]).await;
    let refused = assert_fails_and_saves_nothing(home, 2).await;
    let first = home.first_waiting(1).await[0];
    home.store.quarantine(first, refused.to_string(), NOW).await.expect("it is put aside");
    assert_eq!(home.process_waiting(ALL).await.postbacks.len(), 1);
    set_balance(home, "user:main/rich", 0).await;
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
    home.prove().await;
}

async fn a_settling_that_fails_at_its_last_statement_leaves_nothing_behind(home: &Home) {
    home.process(&[suspicious("T0"), credit("T1")]).await;
    let before = (home.reward("T0").await, home.balances("targo").await);
    home.raw().await.forbid("UPDATE", "postbacks", "NEW.target LIKE '%poison%'").await;
    home.record(&[credit("T0"), credit("T2"), unmappable(), credit("poison").by("u2")]).await;
    assert_fails_and_saves_nothing(home, 4).await;
    assert_eq!((home.reward("T0").await, home.balances("targo").await), before);
    home.prove().await;

    home.raw().await.allow("postbacks").await;
    assert_eq!(home.process_waiting(ALL).await.postbacks.len(), 4);
    assert_eq!(home.reward("T0").await.repeats, 1);
    home.prove().await;
}

async fn a_review_that_fails_at_its_last_statement_leaves_nothing_behind(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    let (reward, before) = (home.reward("T1").await, home.raw().await.census().await);
    home.raw().await.forbid("INSERT", "transfers", &format!("NEW.reward_id = {}", reward.id)).await;
    let refused = home.decide(reward.id, Review::Release).await.expect_err("it is forbidden");
    assert!(!refused.is_transient(), "{refused}");
    assert_eq!(home.reward("T1").await, reward);
    assert_eq!(home.raw().await.census().await, before);
    home.prove().await;

    home.raw().await.allow("transfers").await;
    assert_eq!(home.decide(reward.id, Review::Release).await.expect("it is decided"), Reviewed::Done);
    home.prove().await;
}

async fn a_fault_in_deciding_saves_nothing_and_the_store_goes_on(home: &Home) {
    home.record(&[credit("T1")]).await;
    let before = home.raw().await.census().await;
    // More often than there are connections to lose.
    for _ in 0..10 {
        eventually("it waits again and is faulty again", async || {
            match home.store.process(Claim::First(ALL), NOW, fails).await {
                Err(store::Error::Aborted(_)) => Some(()),
                // The one before has not yet let go of it.
                Ok(None) => None,
                other => panic!("{other:?}"),
            }
        })
        .await;
    }
    assert_eq!(home.raw().await.census().await, before);
    assert_eq!(home.process_waiting(ALL).await.postbacks.len(), 1);
    home.prove().await;
}

async fn a_settlement_of_what_does_not_wait_is_refused(home: &Home) {
    home.process(&[credit("T0")]).await;
    home.record(&[credit("T1")]).await;
    let before = home.raw().await.census().await;
    let refused = home.store.process(Claim::First(ALL), NOW, confuses).await.expect_err("it does not wait");
    assert!(matches!(refused, store::Error::Contended(_)), "{refused}");
    assert_eq!(home.raw().await.census().await, before);
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 1);
}

async fn a_reward_with_a_status_that_nobody_knows_is_named_as_corrupt(home: &Home) {
    let id = corrupt(home).await;
    home.record(&[credit("T1")]).await;
    for refused in [
        assert_fails_and_saves_nothing(home, 1).await,
        home.decide(id, Review::Release).await.expect_err("it is corrupt"),
    ] {
        let store::Error::Corrupt { table, column, row, found } = refused else { panic!("{refused}") };
        assert_eq!((table, column, row, found.as_str()), ("rewards", "status", id, "lost"));
    }
}

/// Gives `T1` an unknown status. The database would refuse it too: only a damaged file or a manual change can
/// cause it.
async fn corrupt(home: &Home) -> i64 {
    home.process(&[credit("T1")]).await;
    let (id, mut raw) = (home.reward("T1").await.id, home.raw().await);
    let unguarded = match &raw {
        Raw::Sqlite(_) => "PRAGMA ignore_check_constraints = on",
        Raw::Postgres(_) => "ALTER TABLE rewards DROP CONSTRAINT rewards_status_check",
    };
    raw.execute(unguarded).await;
    raw.execute(&format!("UPDATE rewards SET status = 'lost' WHERE id = {id}")).await;
    id
}

/// Whoever then looks for the first waiting postback, to process it alone or to quarantine it, must find that one and not
/// its neighbour.
async fn a_failed_settling_has_let_go_of_everything_when_it_answers(home: &Home) {
    corrupt(home).await;
    home.record(&[credit("T1"), credit("T2")]).await;
    // A server far away, where one connection may be slower than another.
    let proxy = match home.raw().await {
        Raw::Sqlite(_) => None,
        Raw::Postgres(_) => {
            Some(Proxy::before(&home.url, Slow::Word("ROLLBACK"), Duration::from_millis(300)).await)
        }
    };
    let store = open(proxy.as_ref().map_or(&home.url, |proxy| &proxy.url)).await.expect("it opens");
    for attempt in 0..5 {
        let answer = processed(&store, Claim::First(1), processor(), NOW).await;
        assert!(answer.is_err(), "attempt {attempt} settled another: {answer:?}");
    }
    let first = home.first_waiting(1).await[0];
    for _ in 0..2 {
        processed(&store, Claim::Only(first), processor(), NOW).await.expect_err("it is corrupt");
    }
    store.quarantine(first, "it is poison".into(), NOW).await.expect("it is put aside");
    store.close().await;
    assert_eq!(home.process(&[]).await, [("processed", None)]);
    assert_eq!(home.reward("T2").await.status, "credited");
}

/// Fails in the middle of deciding.
async fn fails(_: Claimed) -> store::Result<Saved> {
    panic!("a fault in deciding, as the rule has it")
}

/// Returns an outcome for a postback that was processed long ago.
async fn confuses(claimed: Claimed) -> store::Result<Saved> {
    let one_off =
        |postback: &WaitingPostback| MappedPostback { id: postback.id - 1, ..processor().map(postback) };
    let batch: Vec<_> = claimed.postbacks.iter().map(one_off).collect();
    let (loaded, existing) = claimed.load(&batch, true).await?;
    loaded.save(processor().decide(batch, existing, NOW)).await
}
