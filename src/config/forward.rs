//! Deliveries to apps: `[deliveries]` and `[apps.forward]`.

use std::time::Duration;

use domain::delivery::Wanted;
use domain::delivery::answer::{Answers, MAX_PATTERNS, Pattern};
use domain::delivery::message::Letterhead;
use domain::delivery::schedule::{Form, MAX_PAUSE_MS, MAX_PAUSES, Schedule};
use domain::delivery::sign::{HashAlgorithm, webhook_secret};
use domain::delivery::template::Template;
use domain::postback::signature::Secret;
use domain::time::SECOND_MS;
use ipnet::IpNet;
use jobs::deliveries::Target;
use serde::Deserialize;

use super::layers::Section;
use super::networks::OneOrMore;
use super::sources::addresses;
use super::{bounded, bounded_if_given};

/// Settings for all apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deliveries {
    /// Delay before a decision is delivered, in which it can be undone; milliseconds.
    pub(crate) grace_ms: i64,
    /// Private networks that may be called.
    pub(crate) allow_networks: Vec<IpNet>,
}

/// Deliveries to one app.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    /// URL, signature, schedule and limits.
    pub(crate) target: Target,
    /// Events to deliver in addition to credits and reversals.
    pub(crate) wanted: Wanted,
}

/// `[deliveries]`
pub(super) fn deliveries(top: &mut Section<'_>) -> Option<Deliveries> {
    let part = top.table("deliveries");
    let mut section = top.inner(part);
    let grace_seconds = bounded(&mut section, "grace_seconds", 0..=3_600);
    let allow_networks = addresses(&mut section, "allow_networks", "10.1.0.0/16");
    section.finish();
    Some(Deliveries { grace_ms: grace_seconds? * SECOND_MS, allow_networks: allow_networks? })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum GivenSchedule {
    Named(String),
    Pauses(Vec<f64>),
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Also {
    Held,
    Rejected,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Duplicate {
    Delivered,
    Failed,
}

/// `[apps.forward]`
pub(super) fn forward(section: &mut Section<'_>, app: Option<&str>) -> Option<Forward> {
    let form: Option<Form> = section.value("form");
    let url = url(section, form);
    let secrets = secrets(section, form);
    let hash: Option<HashAlgorithm> = section.value("hash");
    if section.is_given("hash") && form == Some(Form::StandardWebhooks) {
        section.fault("hash", "belongs to the form \"postback\"; webhooks have their own signature");
    }
    let answers = answers(section, form);
    let schedule = schedule(section);
    let also: Option<Vec<Also>> = section.value("also");
    let concurrency = bounded(section, "concurrency", 1..=256);
    let rate = bounded_if_given(section, "rate_per_second", 1..=100_000);
    let timeout_seconds = bounded(section, "timeout_seconds", 1..=60);
    let also = also?;
    Some(Forward {
        target: Target {
            app: app?.to_owned(),
            letterhead: Letterhead { form: form?, url: url?, hash: hash?, secrets: secrets? },
            answers: answers?,
            schedule: schedule?,
            concurrency: usize::try_from(concurrency?).ok()?,
            rate_per_second: rate.and_then(|rate| u32::try_from(rate).ok()),
            timeout: Duration::from_secs(u64::try_from(timeout_seconds?).ok()?),
        },
        wanted: Wanted { held: also.contains(&Also::Held), rejected: also.contains(&Also::Rejected) },
    })
}

fn url(section: &mut Section<'_>, form: Option<Form>) -> Option<Template> {
    let what = "the URL of the app, e.g. \"https://app.example.com/postback?user_id={user_id}&…\"";
    let text: String = section.required("url", what)?;
    let template = match form? {
        Form::Postback => Template::parse(&text),
        Form::StandardWebhooks => Template::parse_plain(&text),
    };
    template.map_err(|bad| section.fault("url", &bad.to_string())).ok()
}

fn secrets(section: &mut Section<'_>, form: Option<Form>) -> Option<Vec<Secret>> {
    let what = "\"env:NAME\" or \"file:PATH\"; webhooks sign with several in a list while rotating";
    let references = match section.required("secret", what)? {
        OneOrMore::One(reference) => vec![reference],
        OneOrMore::More(references) => references,
    };
    let form = form?;
    match (form, references.len()) {
        (Form::Postback, 1) | (Form::StandardWebhooks, 1 | 2) => {}
        (Form::Postback, _) => {
            section.fault(
                "secret",
                "must be one: a postback carries one hash, so the app accepts both while rotating",
            );
        }
        (Form::StandardWebhooks, _) => section.fault("secret", "must be one, or two while rotating"),
    }
    let mut secrets = Vec::new();
    for given in references {
        let secret = section.secret("secret", &given).and_then(|text| match form {
            Form::Postback => Secret::new(text).ok_or_else(|| "refers to an empty value".to_owned()),
            Form::StandardWebhooks => webhook_secret(&text).map_err(|bad| format!("{bad} (of a webhook)")),
        });
        match secret {
            Ok(secret) => secrets.push(secret),
            Err(what) => section.fault("secret", &what),
        }
    }
    Some(secrets)
}

/// Answers of the app that acknowledge, and its answer to duplicates.
fn answers(section: &mut Section<'_>, form: Option<Form>) -> Option<Answers> {
    let given: Option<OneOrMore> = section.optional("acknowledged");
    let duplicate: Option<Duplicate> = section.value("duplicate");
    let form = form?;
    let texts = match given {
        None => Vec::new(),
        Some(_) if form != Form::Postback => {
            section.fault(
                "acknowledged",
                "belongs to the form \"postback\"; a webhook is acknowledged by any 2xx",
            );
            return None;
        }
        Some(OneOrMore::One(text)) => vec![text],
        Some(OneOrMore::More(texts)) if texts.is_empty() || texts.len() > MAX_PATTERNS => {
            section.fault(
                "acknowledged",
                "must be one text, or a list of 1 to 16; leave it out for `1` and `OK`",
            );
            return None;
        }
        Some(OneOrMore::More(texts)) => texts,
    };
    let mut acknowledged = Vec::with_capacity(texts.len());
    let mut fits = true;
    for text in &texts {
        match Pattern::parse(text) {
            Ok(pattern) => acknowledged.push(pattern),
            Err(bad) => {
                fits = false;
                section.fault("acknowledged", &format!("`{text}` {bad}"));
            }
        }
    }
    let duplicate_fails = duplicate? == Duplicate::Failed;
    fits.then_some(Answers { form, acknowledged, duplicate_fails })
}

fn schedule(section: &mut Section<'_>) -> Option<Schedule> {
    let given = section.value("schedule")?;
    let fault =
        "must be \"default\", \"targo\", or a list of 1 to 100 pauses in seconds, each of 0 to 7 days";
    let schedule = match given {
        GivenSchedule::Named(name) if name == "default" => Some(Schedule::Exponential),
        GivenSchedule::Named(name) if name == "targo" => Some(Schedule::Targo),
        GivenSchedule::Named(_) => None,
        GivenSchedule::Pauses(seconds) => pauses_ms(&seconds).map(Schedule::List),
    };
    if schedule.is_none() {
        section.fault("schedule", fault);
    }
    schedule
}

fn pauses_ms(seconds: &[f64]) -> Option<Vec<i64>> {
    if seconds.is_empty() || seconds.len() > MAX_PAUSES {
        return None;
    }
    let ms = |seconds: &f64| {
        let ms = (seconds * 1_000.0).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "within a week")]
        let fits = (0.0..=MAX_PAUSE_MS as f64).contains(&ms).then_some(ms as i64);
        fits
    };
    seconds.iter().map(ms).collect()
}
