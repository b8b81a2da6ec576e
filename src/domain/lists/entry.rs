//! What a person wrote, as an entry in its canonical form.

use std::fmt;

use chrono_tz::Tz;

use super::{Effect, Kind};
use crate::caller::parse_network;
use crate::text::is_similar;
use crate::time::{DAY_MS, TimestampMs};

/// The longest value, in characters: as long as an id or a sub id that a person lists can sensibly be.
pub const MAX_VALUE_CHARS: usize = 256;
/// The longest reason, in characters. It is stored with every verdict that the entry takes part in.
pub const MAX_REASON_CHARS: usize = 300;
/// The longest time to the end of an entry, in days. Without an end it stays until it is removed.
pub const MAX_DAYS: i64 = 3_660;
/// The widest networks: wider ones are mistakes, or half of the internet.
const MIN_IPV4_BITS: u8 = 8;
const MIN_IPV6_BITS: u8 = 16;

/// What an entry names. Of each key at most one entry is in force.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// What `value` is.
    pub kind: Kind,
    /// The source that `value` belongs to; empty for users and networks.
    pub source: String,
    /// In canonical form: `203.0.113.0/24`, `203.0.113.7`, `64500`.
    pub value: String,
    /// Only rewards of this app; `None`: of every app.
    pub app: Option<String>,
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.kind == Kind::Asn { "AS" } else { "" };
        write!(out, "{} {prefix}{}", self.kind.words(), self.value)?;
        if self.kind.is_of_source() {
            write!(out, " of {}", self.source)?;
        }
        self.app.as_ref().map_or(Ok(()), |app| write!(out, " (app {app})"))
    }
}

/// An entry to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// What it names.
    pub key: Key,
    /// What it does.
    pub effect: Effect,
    /// Why, in the author's words; one line.
    pub reason: String,
    /// `None`: until it is removed.
    pub expires_at: Option<TimestampMs>,
}

/// An entry as it was written. Empty texts are absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Draft<'a> {
    /// `user`, `address`, `asn`, `sub_id` or `offer`.
    pub kind: &'a str,
    /// The user, the address or network, the number, the sub id or the offer.
    pub value: &'a str,
    /// `block`, `watch` or `trust`.
    pub effect: &'a str,
    /// Required.
    pub reason: &'a str,
    /// The source of a sub id or an offer.
    pub source: &'a str,
    /// Only rewards of this app.
    pub app: &'a str,
    /// `30d`, a date, or an instant.
    pub expires: &'a str,
}

/// The names that an entry may use, from the settings: an entry with another one would never match.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Of the sources.
    pub sources: Vec<String>,
    /// Of their apps.
    pub apps: Vec<String>,
    /// The zone in which a date begins.
    pub zone: Tz,
}

/// A part of a draft that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` {why}")]
pub struct BadDraft {
    /// The name of the part, as in [`Draft`].
    pub part: &'static str,
    /// What is wrong and what to write instead.
    pub why: String,
}

fn bad(part: &'static str, why: impl Into<String>) -> BadDraft {
    BadDraft { part, why: why.into() }
}

impl NewEntry {
    /// Reads a draft that is written at `now`. The first fault is reported.
    pub fn read(draft: &Draft<'_>, known: &Known, now: TimestampMs) -> Result<Self, BadDraft> {
        let key = Key::read(draft, known)?;
        let effect = Effect::parse(draft.effect.trim())
            .ok_or_else(|| bad("effect", format!("must be block, watch or trust, not {:?}", draft.effect)))?;
        let reason = draft.reason.trim();
        if reason.is_empty() {
            return Err(bad("reason", "is required: say why, for whoever reads the verdict"));
        }
        text(reason, "reason", MAX_REASON_CHARS)?;
        let expires_at = expires(draft.expires.trim(), known.zone, now)?;
        Ok(Self { key, effect, reason: reason.to_owned(), expires_at })
    }
}

impl Key {
    /// Reads what a draft names; effect, reason and end are not looked at.
    pub fn read(draft: &Draft<'_>, known: &Known) -> Result<Self, BadDraft> {
        let kind = Kind::parse(draft.kind.trim()).ok_or_else(|| {
            bad("kind", format!("must be user, address, asn, sub_id or offer, not {:?}", draft.kind))
        })?;
        let value = canonical(kind, draft.value.trim())?;
        let source = draft.source.trim();
        match (kind.is_of_source(), source.is_empty()) {
            (true, true) => {
                return Err(bad("source", format!("is required: a {} belongs to a source", kind.words())));
            }
            (false, false) => {
                return Err(bad("source", format!("must be left out: a {} has no source", kind.words())));
            }
            _ => {}
        }
        name(source, "source", &known.sources)?;
        let app = draft.app.trim();
        name(app, "app", &known.apps)?;
        Ok(Self { kind, source: source.to_owned(), value, app: (!app.is_empty()).then(|| app.to_owned()) })
    }
}

impl Key {
    /// `value` as entries of `kind` store it, to search for one: an address or a number in any form. What cannot be read
    /// is searched for as it is.
    pub fn searched(kind: Option<Kind>, value: &str) -> String {
        let value = value.trim();
        let kinds = kind.map_or_else(|| vec![Kind::Address], |kind| vec![kind]);
        kinds.into_iter().find_map(|kind| canonical(kind, value).ok()).unwrap_or_else(|| value.to_owned())
    }
}

/// `value` in the one form in which it is stored and compared.
fn canonical(kind: Kind, value: &str) -> Result<String, BadDraft> {
    if value.is_empty() {
        return Err(bad("value", format!("is required: the {} to list", kind.words())));
    }
    text(value, "value", MAX_VALUE_CHARS)?;
    match kind {
        Kind::User | Kind::SubId | Kind::Offer => Ok(value.to_owned()),
        Kind::Asn => {
            let digits = value.get(..2).filter(|start| start.eq_ignore_ascii_case("as"));
            let digits = digits.map_or(value, |_| &value[2..]);
            let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse::<u32>().ok().filter(|number| is_plain && *number > 0);
            let number = number.ok_or_else(|| {
                bad("value", format!("{value:?} is not the number of a network such as 64500 or AS64500"))
            })?;
            Ok(number.to_string())
        }
        Kind::Address => {
            let network = parse_network(value).ok_or_else(|| {
                bad(
                    "value",
                    format!("{value:?} is neither an address nor a network such as 203.0.113.0/24 or 2001:db8::/64"),
                )
            })?;
            let least = if network.addr().is_ipv4() { MIN_IPV4_BITS } else { MIN_IPV6_BITS };
            if network.prefix_len() < least {
                return Err(bad(
                    "value",
                    format!("{value:?} is too wide; list /{least} or a smaller network"),
                ));
            }
            let network = network.trunc();
            let is_one = network.prefix_len() == network.max_prefix_len();
            Ok(if is_one { network.addr().to_string() } else { network.to_string() })
        }
    }
}

fn text(value: &str, part: &'static str, most: usize) -> Result<(), BadDraft> {
    let length = value.chars().count();
    if length > most {
        return Err(bad(part, format!("has {length} characters; at most {most} are stored")));
    }
    if value.chars().any(char::is_control) {
        return Err(bad(part, "contains a line break or another control character"));
    }
    Ok(())
}

fn name(name: &str, part: &'static str, known: &[String]) -> Result<(), BadDraft> {
    if name.is_empty() || known.iter().any(|it| it == name) {
        return Ok(());
    }
    let hint = match known.iter().find(|it| is_similar(name, it)) {
        Some(similar) => format!("; did you mean {similar:?}?"),
        None if known.is_empty() => String::new(),
        None => format!("; known: {}", known.join(", ")),
    };
    Err(bad(part, format!("{name:?} is not in the settings{hint}")))
}

/// `30d`, a date or an instant; empty: never.
fn expires(text: &str, zone: Tz, now: TimestampMs) -> Result<Option<TimestampMs>, BadDraft> {
    if text.is_empty() {
        return Ok(None);
    }
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
    let at = match days {
        Some(days) if (1..=MAX_DAYS).contains(&days) => TimestampMs(now.0.saturating_add(days * DAY_MS)),
        Some(_) => return Err(bad("expires", format!("must be between 1d and {MAX_DAYS}d"))),
        None => TimestampMs::parse(text, zone).ok_or_else(|| {
            bad(
                "expires",
                format!("{text:?} is neither a number of days such as 30d nor a date such as 2027-01-31"),
            )
        })?,
    };
    if at <= now {
        return Err(bad("expires", format!("{text:?} is in the past")));
    }
    if at.0 - now.0 > MAX_DAYS * DAY_MS {
        return Err(bad(
            "expires",
            format!("{text:?} is more than {MAX_DAYS} days ahead; leave it out for no end"),
        ));
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMs = TimestampMs(1_795_435_200_000);

    fn known() -> Known {
        Known { sources: vec!["targo".into()], apps: vec!["game".into()], zone: Tz::UTC }
    }

    fn draft<'a>(kind: &'a str, value: &'a str) -> Draft<'a> {
        let source = if matches!(kind, "sub_id" | "offer") { "targo" } else { "" };
        Draft { kind, value, effect: "block", reason: "abuse", source, ..Draft::default() }
    }

    fn value(kind: &str, value: &str) -> Result<String, String> {
        let read = NewEntry::read(&draft(kind, value), &known(), NOW);
        read.map(|entry| entry.key.value).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_value_has_one_form() {
        for (kind, written, stored) in [
            ("user", " u-1 ", "u-1"),
            ("address", "203.0.113.7", "203.0.113.7"),
            ("address", "203.0.113.7/32", "203.0.113.7"),
            ("address", "203.0.113.7/24", "203.0.113.0/24"),
            ("address", "::ffff:203.0.113.7", "203.0.113.7"),
            ("address", "2001:DB8:0:0::1/64", "2001:db8::/64"),
            ("address", "2001:db8::1/128", "2001:db8::1"),
            ("asn", "AS64500", "64500"),
            ("asn", "as0064500", "64500"),
            ("sub_id", "site-9", "site-9"),
            ("offer", "7", "7"),
        ] {
            assert_eq!(value(kind, written), Ok(stored.to_owned()), "{kind} {written}");
        }
    }

    #[test]
    fn a_fault_names_the_part_and_what_to_write() {
        let long = "x".repeat(MAX_VALUE_CHARS + 1);
        for (kind, written, fault) in [
            ("usr", "u-1", "`kind` must be user, address"),
            ("user", "", "`value` is required"),
            ("user", "a\tb", "control character"),
            ("user", &long, "at most 256"),
            ("address", "203.0.113", "203.0.113.0/24 or 2001:db8::/64"),
            ("address", "0.0.0.0/0", "too wide; list /8"),
            ("address", "2000::/3", "too wide; list /16"),
            ("asn", "0", "AS64500"),
            ("asn", "+5", "AS64500"),
            ("asn", "4294967296", "AS64500"),
        ] {
            let found = value(kind, written).expect_err("it is faulty");
            assert!(found.contains(fault), "{kind} {written}: {found}");
        }
        for (draft, fault) in [
            (Draft { source: "", ..draft("offer", "7") }, "`source` is required"),
            (Draft { source: "targo", ..draft("user", "7") }, "`source` must be left out"),
            (Draft { source: "tarqo", ..draft("offer", "7") }, "did you mean \"targo\"?"),
            (Draft { app: "other", ..draft("user", "7") }, "known: game"),
            (Draft { effect: "ban", ..draft("user", "7") }, "`effect` must be block, watch or trust"),
            (Draft { reason: " ", ..draft("user", "7") }, "`reason` is required"),
        ] {
            let found = NewEntry::read(&draft, &known(), NOW).expect_err("it is faulty").to_string();
            assert!(found.contains(fault), "{found}");
        }
    }

    #[test]
    fn an_end_is_a_number_of_days_or_a_date_ahead() {
        let read = |expires| {
            let entry = NewEntry::read(&Draft { expires, ..draft("user", "u") }, &known(), NOW);
            entry.map(|entry| entry.expires_at).map_err(|bad| bad.to_string())
        };
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("30d"), Ok(Some(TimestampMs(NOW.0 + 30 * DAY_MS))));
        assert_eq!(read("2026-12-01"), Ok(TimestampMs::parse("2026-12-01", Tz::UTC)));
        for (text, fault) in [
            ("0d", "between 1d and 3660d"),
            ("99999d", "between 1d and 3660d"),
            ("2026-11-01", "in the past"),
            ("2126-11-01", "more than 3660 days"),
            ("soon", "a date such as"),
        ] {
            let found = read(text).expect_err("it is faulty");
            assert!(found.contains(fault), "{text}: {found}");
        }
    }
}
