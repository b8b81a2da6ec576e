//! `[callers]` and `[retries]`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::section::{At, Faults, Section};
use crate::postback::networks::definition::{Callers, Confirmed, Retries};

/// 90 days.
const MAX_HORIZON_MINUTES: i64 = 129_600;

pub(super) fn read(file: &Section<'_>, sure: Confirmed, faults: &mut Faults) -> Option<Callers> {
    let none = Callers { ips: Vec::new(), required: false, confirmed: sure };
    let Some(at) = file.get("callers") else { return Some(none) };
    let section = at.section(faults)?;
    section.only(&["ips", "required", "confirmed"], faults);
    let items = section.get("ips").map_or(Some(Vec::new()), |at| at.list(faults));
    let ips: Vec<_> = items?.iter().map(|item| network(item, faults)).collect();
    let required = section.get("required").map_or(Some(false), |at| at.boolean(faults));
    let confirmed = confirmed(&section, sure, faults);
    Some(Callers { ips: ips.into_iter().collect::<Option<_>>()?, required: required?, confirmed: confirmed? })
}

fn network(at: &At<'_>, faults: &mut Faults) -> Option<IpNet> {
    let text = at.text(faults)?;
    let parsed = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    match parsed {
        Some(network) if network.prefix_len() == 0 => {
            at.fault("is every address there is", "write the network's own addresses", faults);
            None
        }
        Some(network) => Some(network.trunc()),
        None => {
            let what = format!("`{text}` is neither an address nor a network");
            at.fault(what, "write e.g. 203.0.113.7 or 203.0.113.0/24", faults);
            None
        }
    }
}

pub(super) fn retries(file: &Section<'_>, sure: Confirmed, faults: &mut Faults) -> Option<Retries> {
    let Some(at) = file.get("retries") else {
        let cure = "add [retries] with horizon_minutes; 0 if no repeat is known";
        faults.add(&file.place, "retries", "is missing", cure);
        return None;
    };
    let section = at.section(faults)?;
    section.only(&["horizon_minutes", "confirmed"], faults);
    let horizon_minutes = section
        .required("horizon_minutes", "1440", faults)
        .and_then(|at| at.integer(0, MAX_HORIZON_MINUTES, faults))
        .and_then(|minutes| u32::try_from(minutes).ok());
    let confirmed = confirmed(&section, sure, faults);
    Some(Retries { horizon_minutes: horizon_minutes?, confirmed: confirmed? })
}

/// How well a section is known: as it says, or as well as the whole definition.
pub(super) fn confirmed(section: &Section<'_>, sure: Confirmed, faults: &mut Faults) -> Option<Confirmed> {
    let at = section.get("confirmed");
    at.map_or(Some(sure), |at| at.one_of(&Confirmed::ALL, "a degree of confirmation", faults))
}
