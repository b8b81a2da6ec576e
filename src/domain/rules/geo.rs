//! G1 to G4 and N1: where the address is, and what kind of network it belongs to.
//!
//! The reported country is often the network's own lookup of the same address, so a mismatch can be two databases
//! disagreeing. That is why there are five results and not two, and why registry data weighs less.

use super::Facts;
use crate::country::{Hidden, hidden};
use crate::location::{GeoResult, NetworkTrait};
use crate::policy::{NetworkPoints, Rules, Weight};
use crate::postback::networks::Field;
use crate::signal::{Family, Finding, Signal};

/// G1: the address is in another country than the network says.
pub(super) fn g1(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let fired = facts.geo == GeoResult::Mismatch;
    let (located, reported) = (located(facts), reported(facts));
    let registry = facts.location.registry_only;
    let is_common = facts.mismatch_permille.is_some_and(|share| share > super::COMMON_MISMATCH_PERMILLE);
    let is_relay = facts.location.network.contains(&NetworkTrait::Relay);
    let text = match facts.geo {
        GeoResult::Match => format!("The address is in {located}, as the network says."),
        GeoResult::Mismatch if registry && !is_relay => {
            format!(
                "The address is registered in {located}, the network says {reported} (registry data only)."
            )
        }
        GeoResult::Mismatch if is_relay => {
            format!(
                "The address is in {located}, the network says {reported}; it is a relay that the settings name."
            )
        }
        GeoResult::Mismatch if is_common => {
            format!(
                "The address is in {located}, the network says {reported}, as in {} % of its postbacks.",
                facts.mismatch_permille.unwrap_or_default() / 10
            )
        }
        GeoResult::Mismatch => format!("The address is in {located}, the network says {reported}."),
        _ => "The two countries do not contradict each other.".into(),
    };
    let points = match (registry, is_common) {
        (true, _) => rules.g1.registry_points,
        (false, true) => rules.g1.common_points,
        (false, false) => rules.g1.points,
    };
    let weight = Weight { points, ..rules.g1.weight() };
    // Whoever runs a relay chooses where it ends: its country says nothing about the user.
    let weight = if is_relay { Weight { points: 0, hard: false, ..weight } } else { weight };
    finding(facts, "G1", fired, text).weigh(weight)
}

/// G2: not the same country, but no contradiction.
pub(super) fn g2(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let fired = facts.geo == GeoResult::Compatible;
    let text = if fired {
        format!(
            "The address is in {}, the network says {}: they share networks, or the block is registered or used there.",
            located(facts),
            reported(facts)
        )
    } else {
        "The two countries are not a related pair.".into()
    };
    finding(facts, "G2", fired, text).weigh(rules.g2.weight())
}

/// G3: one of the two countries is not known.
pub(super) fn g3(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let fired = facts.geo == GeoResult::Unknown;
    let text = match (facts.geo, facts.event.ip.is_some(), facts.event.country_code.as_deref()) {
        (GeoResult::Unknown, false, _) if facts.event.lacks(Field::Ip) => {
            "The network sent no address that can be used.".into()
        }
        (GeoResult::Unknown, false, _) => "The network sent no address.".into(),
        (GeoResult::Unknown, true, None) if facts.event.lacks(Field::CountryCode) => {
            "The network sent no country that can be used.".into()
        }
        (GeoResult::Unknown, true, None) => "The network sent no country.".into(),
        (GeoResult::Unknown, true, Some(sent)) if hidden(sent).is_some() => {
            format!("\u{201c}{sent}\u{201d} stands for a kind of network, and hides the country.")
        }
        (GeoResult::Unknown, true, Some(sent)) if crate::location::country_code(sent).is_none() => {
            format!("\u{201c}{sent}\u{201d} is not a country code.")
        }
        (GeoResult::Unknown, ..) => "No database knows the country of the address.".into(),
        _ => "No country was missing.".into(),
    };
    finding(facts, "G3", fired, text).weigh(rules.g3.weight())
}

/// G4: not an address of the public internet.
pub(super) fn g4(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let fired = facts.geo == GeoResult::Invalid;
    let text = if fired {
        "The address is private, reserved, carrier-grade NAT or malformed: it is not the user's own address."
    } else {
        "The address is one of the public internet, or none was sent."
    };
    finding(facts, "G4", fired, text.into()).weigh(rules.g4.weight())
}

/// N1: Tor, VPN, proxy or hosting. The strongest kind counts.
pub(super) fn n1(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let mut traits = facts.location.network.clone();
    // The network's own database may know what ours does not.
    let reported = facts.event.country_code.as_deref().and_then(hidden).map(|hidden| match hidden {
        Hidden::Tor => NetworkTrait::Tor,
        Hidden::Anonymous => NetworkTrait::Anonymous,
        Hidden::Satellite => NetworkTrait::Satellite,
    });
    let is_only_reported = reported.is_some_and(|kind| !traits.contains(&kind));
    if is_only_reported {
        traits.extend(reported);
    }
    // Databases file a relay under hosting or VPN; the settings know better.
    let relay = traits.iter().copied().find(|kind| *kind == NetworkTrait::Relay);
    let strongest = relay.or_else(|| traits.iter().copied().max_by_key(|kind| points(&rules.n1, *kind)));
    let points = strongest.map_or(0, |kind| points(&rules.n1, kind));
    let organisation =
        facts.location.organisation.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    let text = match strongest {
        Some(kind) if is_only_reported && reported == Some(kind) => {
            format!(
                "The network says that the address belongs to {} (country {}).",
                kind.words(),
                self::reported(facts)
            )
        }
        Some(kind) => format!("The address belongs to {}{organisation}.", kind.words()),
        None => "Nothing is known against the network of the address.".into(),
    };
    let value =
        (!traits.is_empty()).then(|| traits.iter().map(|kind| kind.words()).collect::<Vec<_>>().join(", "));
    let finding = Finding {
        code: "N1",
        family: Family::Geo,
        fired: points > 0,
        value,
        limit: None,
        sample: None,
        text,
    };
    finding.weigh(Weight { points, ..rules.n1.weight() })
}

fn points(points: &NetworkPoints, kind: NetworkTrait) -> i64 {
    match kind {
        NetworkTrait::Tor => points.tor,
        NetworkTrait::Vpn | NetworkTrait::Anonymous => points.vpn,
        NetworkTrait::PublicProxy | NetworkTrait::ResidentialProxy => points.proxy,
        NetworkTrait::Hosting => points.hosting,
        NetworkTrait::Satellite | NetworkTrait::Anycast | NetworkTrait::Cellular | NetworkTrait::Relay => 0,
    }
}

fn located<'a>(facts: &Facts<'a>) -> &'a str {
    let location = facts.location;
    location.country.as_deref().or(location.registered_country.as_deref()).unwrap_or("an unknown country")
}

fn reported<'a>(facts: &Facts<'a>) -> &'a str {
    facts.event.country_code.as_deref().unwrap_or("nothing")
}

fn finding(facts: &Facts<'_>, code: &'static str, fired: bool, text: String) -> Finding {
    let location = facts.location;
    Finding {
        code,
        family: Family::Geo,
        fired,
        value: location.country.clone().or_else(|| location.registered_country.clone()),
        limit: facts.event.country_code.clone(),
        sample: None,
        text,
    }
}
