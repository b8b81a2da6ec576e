//! Has the store record and process postbacks, and reads the results.

use std::sync::Arc;

use domain::batch::BatchOutcome;
use domain::delivery::Subscriptions;
use domain::money::Micros;
use domain::review::decision::Review;
use store::postbacks::inbox::Claim;
use store::review::decisions::{Reviewed, Reviewer};
use store::rewards::list::{RewardFilter, RewardRow};

use crate::support::database::Home;
use crate::support::postbacks::{
    Call, NOW, PAYOUT, REWARD, SECOND_SOURCE, SOURCE, TODAY, app_of, processed, processor,
};

/// The outcome of a postback, and its reason if it has one.
pub(crate) type Outcome = (&'static str, Option<String>);

/// A limit that no test reaches.
pub(crate) const ALL: i64 = 10_000;

/// The balances after one credit of `u1`, as [`Home::balances`] gives them.
pub(crate) const CREDITED: [(&str, i64); 4] =
    [("earned", PAYOUT), ("granted", -REWARD), ("network", -PAYOUT), ("user u1", REWARD)];
/// The balances after one credit that is held.
pub(crate) const HELD: [(&str, i64); 4] =
    [("earned", PAYOUT), ("granted", -REWARD), ("held", REWARD), ("network", -PAYOUT)];

/// The reward `T1`, the outcomes and the balances after all postbacks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FinalState {
    pub(crate) status: String,
    pub(crate) repeats: i64,
    pub(crate) conflict: bool,
    pub(crate) received_at: i64,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) balances: Vec<(String, i64)>,
}

impl Home {
    pub(crate) async fn record(&self, calls: &[Call]) {
        let postbacks = calls.iter().map(Call::postback).collect();
        self.store.record(Arc::new(postbacks)).await.expect("they are recorded");
    }

    /// Processes up to `limit` postbacks that wait, which must succeed.
    pub(crate) async fn process_waiting(&self, limit: i64) -> BatchOutcome {
        processed(&self.store, Claim::First(limit), processor(), NOW).await.expect("they are processed")
    }

    /// The first postbacks that wait, at most `limit`.
    pub(crate) async fn first_waiting(&self, limit: i64) -> Vec<i64> {
        self.store.first_waiting(limit).await.expect("they are listed")
    }

    /// Records `calls` and processes them in one batch.
    pub(crate) async fn process(&self, calls: &[Call]) -> Vec<Outcome> {
        self.record(calls).await;
        let mut postbacks = self.process_waiting(ALL).await.postbacks;
        postbacks.sort_by_key(|processed| processed.postback_id);
        postbacks.into_iter().map(|processed| (processed.outcome.name(), processed.reason)).collect()
    }

    /// Records `calls` and processes each in a batch of its own.
    pub(crate) async fn process_singly(&self, calls: &[Call]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for call in calls {
            outcomes.extend(self.process(std::slice::from_ref(call)).await);
        }
        outcomes
    }

    /// Processes `calls` twice: in one batch, and one by one as coming from another source. Where batches end must not
    /// matter, so both end in the same state.
    pub(crate) async fn final_state(&self, calls: &[Call]) -> FinalState {
        let at_once = self.process(calls).await;
        let from_second: Vec<_> = calls.iter().map(|call| call.clone().of_source(SECOND_SOURCE)).collect();
        let singly = self.process_singly(&from_second).await;
        let at_once = self.final_state_of(SOURCE, at_once).await;
        let singly = self.final_state_of(SECOND_SOURCE, singly).await;
        assert_eq!(at_once, singly, "in one batch and one by one");
        self.prove().await;
        at_once
    }

    async fn final_state_of(&self, source: &str, outcomes: Vec<Outcome>) -> FinalState {
        let reward = self.reward_of(source, "T1").await;
        FinalState {
            status: reward.status,
            repeats: reward.repeats,
            conflict: reward.conflict != 0,
            received_at: reward.received_at,
            outcomes,
            balances: self.balances(source).await,
        }
    }

    /// The reward of [`SOURCE`] under `tx_id`.
    pub(crate) async fn reward(&self, tx_id: &str) -> RewardRow {
        self.reward_of(SOURCE, tx_id).await
    }

    async fn reward_of(&self, source: &str, tx_id: &str) -> RewardRow {
        let filter = RewardFilter {
            source: Some(source.into()),
            tx_id: Some(tx_id.into()),
            ..RewardFilter::default()
        };
        let mut found = self.store.rewards(&filter, ALL).await.expect("rewards are listed");
        assert_eq!(found.len(), 1, "one reward under {tx_id}");
        found.remove(0)
    }

    /// Every balance of `source` and its app's users that is not zero, by account.
    pub(crate) async fn balances(&self, source: &str) -> Vec<(String, i64)> {
        let sql = "SELECT name, balance_micros FROM accounts WHERE balance_micros <> 0";
        let mut accounts: Vec<(String, i64)> = self.raw().await.rows(sql).await;
        accounts.retain_mut(|(name, _)| match short_name(name, source) {
            Some(short) => {
                *name = short;
                true
            }
            None => false,
        });
        accounts.sort();
        accounts
    }

    /// What the steps of a reward moved, one line each: `1: granted → user u1, 500 coins`.
    pub(crate) async fn booked(&self, reward_id: i64) -> Vec<String> {
        let transfers = self.store.transfers(reward_id).await.expect("transfers are read");
        let lines = transfers.iter().map(|transfer| {
            let [debit, credit] = [&transfer.debit, &transfer.credit]
                .map(|name| short_name(name, SOURCE).expect("an account of the source"));
            let (seq, amount) = (transfer.step_seq.expect("a step"), Micros(transfer.amount_micros));
            format!("{seq}: {debit} → {credit}, {amount} {}", transfer.currency)
        });
        lines.collect()
    }

    /// Decides on a reward as Ann.
    pub(crate) async fn decide(&self, id: i64, decision: Review) -> store::Result<Reviewed> {
        self.store.review(id, decision, ann()).await
    }

    /// Asserts that the books are proven.
    pub(crate) async fn prove(&self) {
        let proof = self.store.prove().await.expect("the books are read");
        assert!(proof.is_proven(), "{proof:?}");
    }
}

/// No app gets deliveries, and a decision can be undone for ten seconds.
pub(crate) fn grace_only() -> Subscriptions {
    Subscriptions { grace_ms: 10_000, ..Subscriptions::default() }
}

/// Ann decides, with a note.
pub(crate) fn ann() -> Reviewer {
    let business_date = TODAY.to_owned();
    Reviewer { actor: "ann".into(), note: Some("looked at it".into()), now: NOW, business_date }
}

/// The balances of a [`FinalState`], comparable with literals.
pub(crate) fn plain(balances: &[(String, i64)]) -> Vec<(&str, i64)> {
    balances.iter().map(|(name, balance)| (name.as_str(), *balance)).collect()
}

/// `granted` for `granted:targo`, `user u1` for `user:main/u1`; `None` for an account of another source or app.
fn short_name(name: &str, source: &str) -> Option<String> {
    let (kind, owner) = name.split_once(':').expect("a kind and its owner");
    if kind == "user" {
        let (app, user_id) = owner.split_once('/').expect("an app and its user");
        (app == app_of(source)).then(|| format!("user {user_id}"))
    } else {
        (owner == source).then(|| kind.to_owned())
    }
}
