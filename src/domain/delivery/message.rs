//! The call itself: the values of one delivery, filled into the app's form and signed.

use serde::Serialize;

use super::schedule::Form;
use super::sign::{self, HashAlgorithm};
use super::template::Template;
use super::{Event, Reason};
use crate::money::Micros;
use crate::postback::signature::Secret;
use crate::time::{SECOND_MS, TimestampMs};

/// The values of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the macros, described in the README")]
pub struct Message {
    pub event: Event,
    pub reason: Reason,
    pub reward_id: i64,
    /// The number of the step that caused it: greater is later.
    pub sequence: i64,
    /// When the step was taken; the same for every attempt.
    pub caused_at: TimestampMs,
    pub source: String,
    pub user_id: String,
    pub tx_id: String,
    pub reward: Micros,
    pub payout: Option<Micros>,
    pub currency: String,
    /// The user's balance when the call is made, not when it was caused.
    pub balance: Micros,
    pub offer_id: Option<String>,
    pub offer_name: Option<String>,
    pub event_id: Option<String>,
    pub event_name: Option<String>,
    pub ip: Option<String>,
    pub country_code: Option<String>,
    pub clicked_at: Option<TimestampMs>,
    pub sub1: Option<String>,
    pub sub2: Option<String>,
}

/// The form of the calls to one app, and the keys that sign them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letterhead {
    /// What the call looks like.
    pub form: Form,
    /// The app's URL, with macros only in the `postback` form.
    pub url: Template,
    /// The hash of the `postback` form.
    pub hash: HashAlgorithm,
    /// The first one signs; the `standard-webhooks` form carries one signature for each.
    pub secrets: Vec<Secret>,
}

/// A signed call, ready to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The whole URL.
    pub url: String,
    /// Name and value, in the order they are sent.
    pub headers: Vec<(&'static str, String)>,
    /// The body of a POST; `None` is a GET.
    pub body: Option<String>,
}

impl Message {
    /// The idempotency key: the same for every attempt of one delivery.
    pub fn id(&self) -> String {
        format!("rwd_{}_{}", self.reward_id, self.sequence)
    }

    /// The signed call; `None` if there is no secret to sign with.
    pub fn call(&self, letterhead: &Letterhead, now: TimestampMs) -> Option<Call> {
        let url = letterhead.url.expand(|name| self.value(name));
        let secret = letterhead.secrets.first()?;
        Some(match letterhead.form {
            Form::Postback => {
                Call { url: sign::postback(&url, letterhead.hash, secret), headers: Vec::new(), body: None }
            }
            Form::StandardWebhooks => {
                let (id, timestamp_s, body) = (self.id(), now.0 / SECOND_MS, self.json());
                let signature = sign::webhook(&id, timestamp_s, &body, &letterhead.secrets);
                let headers = vec![
                    ("content-type", "application/json".to_owned()),
                    ("webhook-id", id),
                    ("webhook-timestamp", timestamp_s.to_string()),
                    ("webhook-signature", signature),
                ];
                Call { url, headers, body: Some(body) }
            }
        })
    }

    /// The value of a macro; empty if it is unknown.
    fn value(&self, name: &str) -> String {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        match name {
            "user_id" => self.user_id.clone(),
            "tx_id" => self.tx_id.clone(),
            "reward" => self.reward.to_string(),
            "payout" => self.payout.map(|payout| payout.to_string()).unwrap_or_default(),
            "status" => self.event.status_number().to_string(),
            "offer_id" => text(&self.offer_id),
            "offer_name" => text(&self.offer_name),
            "event_id" => text(&self.event_id),
            "event_name" => text(&self.event_name),
            "ip" => text(&self.ip),
            "country_code" => text(&self.country_code),
            "timestamp" => self.clicked_at.map(|at| (at.0 / SECOND_MS).to_string()).unwrap_or_default(),
            "sub1" => text(&self.sub1),
            "sub2" => text(&self.sub2),
            "reward_id" => self.reward_id.to_string(),
            "sequence" => self.sequence.to_string(),
            "event" => self.event.name().to_owned(),
            "reason" => self.reason.name().to_owned(),
            "balance" => self.balance.to_string(),
            "currency" => self.currency.clone(),
            "source" => self.source.clone(),
            _ => String::new(),
        }
    }

    fn json(&self) -> String {
        let payload = Payload {
            r#type: format!("reward.{}", self.event.name()),
            timestamp: self.caused_at.rfc3339(),
            data: Data {
                reward_id: self.reward_id,
                sequence: self.sequence,
                reason: self.reason.name(),
                source: &self.source,
                user_id: &self.user_id,
                tx_id: &self.tx_id,
                reward: self.reward.to_string(),
                currency: &self.currency,
                balance: self.balance.to_string(),
                payout: self.payout.map(|payout| payout.to_string()),
                offer_id: self.offer_id.as_deref(),
                offer_name: self.offer_name.as_deref(),
                event_id: self.event_id.as_deref(),
                event_name: self.event_name.as_deref(),
                ip: self.ip.as_deref(),
                country_code: self.country_code.as_deref(),
                clicked_at: self.clicked_at.map(TimestampMs::rfc3339),
                sub1: self.sub1.as_deref(),
                sub2: self.sub2.as_deref(),
            },
        };
        // Plain data with text keys: writing it as JSON cannot fail.
        serde_json::to_string(&payload).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    r#type: String,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    reward_id: i64,
    sequence: i64,
    reason: &'static str,
    source: &'a str,
    user_id: &'a str,
    tx_id: &'a str,
    reward: String,
    currency: &'a str,
    balance: String,
    payout: Option<String>,
    offer_id: Option<&'a str>,
    offer_name: Option<&'a str>,
    event_id: Option<&'a str>,
    event_name: Option<&'a str>,
    ip: Option<&'a str>,
    country_code: Option<&'a str>,
    clicked_at: Option<String>,
    sub1: Option<&'a str>,
    sub2: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::template::macros;

    fn message() -> Message {
        Message {
            event: Event::Reversed,
            reason: Reason::TakenBack,
            reward_id: 41,
            sequence: 2,
            caused_at: TimestampMs(1_795_428_000_000),
            source: "targo-main".into(),
            user_id: "u 1".into(),
            tx_id: "T-1".into(),
            reward: Micros(500_500_000),
            payout: Some(Micros(1_000_000)),
            currency: "coins".into(),
            balance: Micros(-20_000_000),
            offer_id: Some("o".into()),
            offer_name: Some("Café".into()),
            event_id: Some("e".into()),
            event_name: Some("level 3".into()),
            ip: Some("2001:db8::1".into()),
            country_code: Some("GB".into()),
            clicked_at: Some(TimestampMs(1_795_427_000_999)),
            sub1: Some("a".into()),
            sub2: Some("b".into()),
        }
    }

    #[test]
    fn a_postback_says_what_the_network_would_have_said() {
        let url = "https://app.example.com/pb?uid={user_id}&tx={tx_id}&reward={reward}&status={status}&b={balance}\
                   &why={reason}&t={timestamp}";
        let letterhead = Letterhead {
            form: Form::Postback,
            url: Template::parse(url).expect("a template"),
            hash: HashAlgorithm::Sha1,
            secrets: vec![Secret::new("app-secret").expect("not empty")],
        };
        let call = message().call(&letterhead, TimestampMs(0)).expect("a call");
        let (unsigned, hash) = call.url.split_once("&hash=").expect("a hash");
        assert_eq!(
            unsigned,
            "https://app.example.com/pb?uid=u%201&tx=T-1&reward=500.5&status=2&b=-20&why=taken_back&t=1795427000"
        );
        assert_eq!((hash.len(), call.body, call.headers), (40, None, vec![]));
    }

    #[test]
    fn a_webhook_is_json_with_the_three_headers() {
        let secret = sign::webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let letterhead = Letterhead {
            form: Form::StandardWebhooks,
            url: Template::parse_plain("https://app.example.com/hook").expect("a template"),
            hash: HashAlgorithm::Sha1,
            secrets: vec![secret.clone()],
        };
        let call = message().call(&letterhead, TimestampMs(1_795_428_001_999)).expect("a call");
        let body = call.body.expect("a body");
        let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(json["type"], "reward.reversed");
        assert_eq!(json["timestamp"], "2026-11-23T10:00:00.000Z");
        assert_eq!((&json["data"]["reward"], &json["data"]["balance"]), (&"500.5".into(), &"-20".into()));
        let header =
            |name| call.headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str());
        assert_eq!(header("webhook-id"), Some("rwd_41_2"));
        assert_eq!(header("webhook-timestamp"), Some("1795428001"));
        let expected = sign::webhook("rwd_41_2", 1_795_428_001, &body, &[secret]);
        assert_eq!(header("webhook-signature"), Some(expected.as_str()));
    }

    #[test]
    fn every_macro_has_a_value() {
        for name in macros() {
            assert_ne!(message().value(name), "", "{name}");
        }
    }
}
