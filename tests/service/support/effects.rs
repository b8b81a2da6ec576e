//! The sum of it all: every event had exactly one effect.

use std::collections::{BTreeMap, BTreeSet};

use domain::money::Micros;

use crate::support::api::Api;
use crate::support::gate::Gate;
use crate::support::network::Event;

/// Demands that exactly `events` became rewards, those in `reversed` taken back and all others credited; that every
/// user has exactly what follows from that; and that the books are in order.
pub(crate) fn assert_one_effect_each(gate: &Gate, api: &Api, events: &[Event], reversed: &BTreeSet<String>) {
    api.await_processing();
    let mut expected: Vec<_> = events
        .iter()
        .map(|event| {
            let status = if reversed.contains(&event.tx) { "reversed" } else { "credited" };
            (event.tx.clone(), event.user.clone(), event.reward.to_string(), status.to_owned(), false)
        })
        .collect();
    let mut found: Vec<_> = api
        .all("rewards", 1_000)
        .iter()
        .map(|reward| {
            let text = |name: &str| reward[name].as_str().unwrap_or_default().to_owned();
            let conflict = reward["conflict"] != false;
            (text("tx_id"), text("user_id"), text("reward"), text("status"), conflict)
        })
        .collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found.len(), expected.len(), "one reward for each event");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }

    let mut balances: BTreeMap<&str, i64> = BTreeMap::new();
    for event in events {
        let kept = if reversed.contains(&event.tx) { 0 } else { event.reward.0 };
        *balances.entry(&event.user).or_default() += kept;
    }
    for (user, balance) in balances {
        assert_eq!(api.balance(user), Micros(balance).to_string(), "balance of {user}");
    }
    gate.assert_proven();
}
