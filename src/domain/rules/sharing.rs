//! S1 to S4: who shares an address, and who uses many.
//!
//! Many honest users of a mobile carrier share one address, so the limit of an address follows what was learned of its
//! network. A household of four passes.

use super::Facts;
use crate::location::NetworkTrait;
use crate::policy::{Rules, Weight};
use crate::signal::{Family, Finding, Signal};

/// S1: more users on the address within a day than is usual there.
pub(super) fn s1(facts: &Facts<'_>, rules: &Rules) -> Signal {
    if let Some(cold) = super::cold(facts, "S1", Family::Sharing) {
        return cold;
    }
    let users = facts.history.address_users + 1;
    let rule = &rules.s1;
    let (fired, points, limit, text) = match facts.history.usual_sharing {
        _ if facts.event.ip.is_none() => (false, 0, None, "There is no address.".into()),
        usual => {
            let limit = usual.unwrap_or_default().max(rule.users);
            let is_far = users > limit.saturating_mul(rule.far_factor);
            let points = if is_far { rule.far_points } else { rule.points };
            let text = if users > limit {
                format!("{users} users came from this address within a day; up to {limit} are usual there.")
            } else {
                format!("Of this address, {} came within a day, not over {limit}.", people(users))
            };
            (users > limit, points, Some(limit.to_string()), text)
        }
    };
    finding("S1", fired, Some(users.to_string()), limit, text).weigh(Weight { points, ..rule.weight() })
}

/// S2: others at the address did the same offer and event within seven days.
pub(super) fn s2(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let others = facts.history.task_users;
    let rule = &rules.s2;
    // The /64 of an IPv6 address is one customer; only addresses of IPv4 are shared by strangers.
    let is_cold = !facts.history.is_ipv6 && facts.history.usual_sharing.is_none();
    let is_shared = is_shared(facts, rules);
    let points = if others >= 2 { rule.third_points } else { rule.points };
    let points = match (is_cold, is_shared) {
        // Little enough for the reward to count for what is normal.
        (true, _) => points / 4,
        (false, true) => points / 2,
        (false, false) => points,
    };
    let text = if others == 0 {
        "Nobody else at this address was rewarded for the same offer and event.".into()
    } else {
        let who = if others == 1 { "Another user".into() } else { format!("{others} other users") };
        let was = if others == 1 { "was" } else { "were" };
        let shared = match (is_cold, is_shared) {
            (true, _) => "; it weighs a quarter until it is learned which addresses many share",
            (false, true) => "; many share this network, so it weighs half",
            (false, false) => "",
        };
        format!("{who} at this address {was} rewarded for the same offer and event within 7 days{shared}.")
    };
    finding("S2", others > 0, Some(others.to_string()), Some("0".into()), text)
        .weigh(Weight { points, ..rule.weight() })
}

/// S3: one user in many countries within a day.
pub(super) fn s3(facts: &Facts<'_>, rules: &Rules) -> Signal {
    if let Some(cold) = super::cold(facts, "S3", Family::Sharing) {
        return cold;
    }
    let countries = &facts.history.countries;
    let limit = rules.s3.limit;
    let number = i64::try_from(countries.len()).unwrap_or(i64::MAX);
    let fired = number >= limit;
    let points = if number >= rules.s3.many { rules.s3.many_points } else { rules.s3.points };
    let text = match number {
        0 => "The user was in one country within a day.".into(),
        _ if fired => {
            format!("The user was in {number} countries within a day ({}).", countries.join(", "))
        }
        _ => format!(
            "The user was in {number} countries within a day ({}), fewer than {limit}.",
            countries.join(", ")
        ),
    };
    finding("S3", fired, Some(number.max(1).to_string()), Some(limit.to_string()), text)
        .weigh(Weight { points, ..rules.s3.weight() })
}

/// S4: one user on many networks within a day.
pub(super) fn s4(facts: &Facts<'_>, rules: &Rules) -> Signal {
    if let Some(cold) = super::cold(facts, "S4", Family::Sharing) {
        return cold;
    }
    let networks = facts.history.networks_in_day.max(1);
    let limit = rules.s4.limit;
    let fired = networks >= limit;
    let text = if fired {
        format!(
            "The user came from {networks} networks within a day; an account is used from fewer than {limit}."
        )
    } else if networks == 1 {
        "The user came from one network within a day.".into()
    } else {
        format!("The user came from {networks} networks within a day, fewer than {limit}.")
    };
    finding("S4", fired, Some(networks.to_string()), Some(limit.to_string()), text).weigh(rules.s4.weight())
}

/// True if many users are usual on this address: a mobile network, or one that was learned to be shared.
fn is_shared(facts: &Facts<'_>, rules: &Rules) -> bool {
    facts.location.network.contains(&NetworkTrait::Cellular)
        || facts.history.usual_sharing.is_some_and(|usual| usual > rules.s1.users)
}

fn people(users: i64) -> String {
    if users == 1 { "1 user".into() } else { format!("{users} users") }
}

fn finding(
    code: &'static str,
    fired: bool,
    value: Option<String>,
    limit: Option<String>,
    text: String,
) -> Finding {
    Finding { code, family: Family::Sharing, fired, value, limit, sample: None, text }
}
