//! Every definition that ships, driven from a signed call to its event.

use super::*;
use crate::money::Micros;
use crate::postback::event::{Event, Params};
use crate::postback::mapping::map_stated;
use crate::postback::networks::call::{Call, Method};
use crate::postback::networks::coverage::Protection;
use crate::postback::networks::definition::{Confirmed, ParameterSource};
use crate::postback::networks::kinds::{By, Meaning};
use crate::postback::networks::signature::{Digest, Keys, Place, Proof, PublicKey, Refusal, Verified};
use crate::postback::networks::trial::trial;
use crate::postback::networks::{Field, Unit};
use crate::postback::signature::Secret;
use crate::postback::stated::Stated;
use crate::statement::format::Format;
use crate::time::TimestampMs;

const NOW: TimestampMs = TimestampMs(1_733_500_000_000);

fn all() -> Vec<Definition> {
    let read = |name| definition(name).expect("it ships").unwrap_or_else(|faults| panic!("{faults}"));
    names().map(read).collect()
}

#[test]
fn every_definition_reads_and_is_named_as_its_file() {
    assert!(names().is_sorted());
    assert_eq!(names().count(), 42);
    for (name, definition) in names().zip(all()) {
        assert_eq!(definition.name, name);
        assert!(definition.documentation.starts_with("https://"), "{name}");
        assert!(!definition.title.is_empty() && !definition.query_template().is_empty(), "{name}");
        for field in &definition.fields {
            assert!(field.unit == Unit::Usd || field.field == Field::Payout, "{name}");
        }
    }
    assert!(definition("targoo").is_none());
}

#[test]
fn only_targo_says_how_its_statements_are_written() {
    let says = all()
        .into_iter()
        .filter(|it| it.statement.format() != Format::default() || it.statement.credits.is_some());
    let names: Vec<_> = says.map(|it| (it.name, it.statement.confirmed)).collect();
    assert_eq!(names, [("targo".to_owned(), Confirmed::Unproven)], "no other network documents an export");
}

#[test]
fn what_is_not_signed_says_where_its_calls_come_from() {
    for definition in all() {
        if definition.signature.proof == Proof::Nothing {
            let callers = &definition.callers;
            assert!(!callers.ips.is_empty() || callers.required, "{}", definition.name);
        }
    }
}

#[test]
fn an_unproven_definition_has_an_unproven_signature() {
    for definition in all().iter().filter(|definition| definition.confirmed == Confirmed::Unproven) {
        let allowed = ["annecy-media", "adscend-media"].contains(&definition.name.as_str());
        assert!(definition.signature.confirmed == Confirmed::Unproven || allowed, "{}", definition.name);
    }
}

/// A call of `kind` with plain values, unsigned.
fn call_body(definition: &Definition, kind: Meaning) -> String {
    let deciding = definition.kinds.example(kind).expect("a row of this kind");
    let value = |field: Field| {
        let decided = deciding.iter().find(|(by, _)| *by == By::Field(field));
        match (field, decided) {
            (_, Some((_, word))) => word.clone(),
            (Field::Reward, _) if definition.identity.amounts.is_negative(kind) => "-500".into(),
            (Field::Reward, _) => "500".into(),
            (Field::Payout, _) if definition.identity.amounts.is_negative(kind) => "-1.25".into(),
            (Field::Payout, _) => "1.25".into(),
            (Field::Test, _) => "0".into(),
            (Field::TxId, _) if kind == Meaning::Reversal => {
                format!("{}T-1", definition.identity.strip_prefix)
            }
            (Field::TxId | Field::RefTxId, _) => "T-1".into(),
            (Field::Ip, _) => "203.0.113.7".into(),
            (field, _) => format!("{}-1", field.name()),
        }
    };
    let sent = definition.fields.iter().filter(|field| field.fixed.is_none());
    let pairs = sent.map(|field| (field.parameter.as_str(), value(field.field)));
    if definition.parameters == ParameterSource::Json {
        let object: serde_json::Map<_, _> =
            pairs.map(|(name, value)| (name.to_owned(), value.into())).collect();
        return serde_json::Value::Object(object).to_string();
    }
    pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn keys(definition: &Definition) -> Keys {
    let is_ecdsa = matches!(&definition.signature.proof, Proof::Signed(scheme) if scheme.digest == Digest::EcdsaP256Sha256);
    let secret = if is_ecdsa { vec![7; 32] } else { b"test-secret".to_vec() };
    // The public key of that private one.
    let public = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a key");
    let public = PublicKey::of("1", *public.verifying_key());
    let second = Secret::new("second-secret").into_iter().collect();
    Keys { secrets: Secret::new(secret).into_iter().collect(), second, public: vec![public] }
}

/// A signed call.
struct Sample {
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sample {
    fn of(definition: &Definition, kind: Meaning) -> Self {
        let text = call_body(definition, kind);
        let is_get = definition.methods.contains(&Method::Get);
        let in_url = is_get || definition.parameters == ParameterSource::Query;
        let target = if in_url { format!("/pb/n?{text}") } else { "/pb/n".to_owned() };
        let body = if in_url { Vec::new() } else { text.into_bytes() };
        let method = if is_get { Method::Get } else { Method::Post };
        let sample = Self { method, target, headers: Vec::new(), body };
        let signed = sample.with(|call| definition.sign(call, &keys(definition), NOW));
        let signed = signed.unwrap_or_else(|error| panic!("{}: {error}", definition.name));
        Self { target: signed.target, headers: signed.headers, body: signed.body, ..sample }
    }

    fn with<T>(&self, use_it: impl FnOnce(&Call<'_>) -> T) -> T {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        use_it(&Call {
            origin: "https://gw.example.com",
            method: self.method,
            target: &self.target,
            headers: &headers,
            body: &self.body,
        })
    }

    fn verify(&self, definition: &Definition) -> Result<Verified, Refusal> {
        self.with(|call| definition.verify(call, &keys(definition), NOW))
    }

    fn event(&self, definition: &Definition) -> Event {
        let params = Params::of(definition.clone()).with_reward_per_usd(Micros(500_000_000));
        let event = self.with(|call| map_stated(call, &params, &Stated::default()));
        event.unwrap_or_else(|error| panic!("{}: {error}", definition.name))
    }

    /// The same call with `parameter` changed by `change`.
    fn changed(&self, parameter: &str, change: impl Fn(&str) -> String) -> Self {
        let edit = |text: &str| {
            for (before, end) in [
                (format!("?{parameter}="), '&'),
                (format!("&{parameter}="), '&'),
                (format!("\"{parameter}\":\""), '"'),
            ] {
                let Some(at) = text.find(&before) else { continue };
                let start = at + before.len();
                let end = text[start..].find(end).map_or(text.len(), |end| start + end);
                return format!("{}{}{}", &text[..start], change(&text[start..end]), &text[end..]);
            }
            text.to_owned()
        };
        let body = edit(&format!("?{}", String::from_utf8_lossy(&self.body)));
        let changed = Self {
            method: self.method,
            target: edit(&self.target),
            headers: self.headers.clone(),
            body: body.trim_start_matches('?').as_bytes().to_vec(),
        };
        assert!(changed.target != self.target || changed.body != self.body, "{parameter} in {}", self.target);
        changed
    }
}

#[test]
fn every_network_is_signed_verified_and_read_as_credit_and_as_reversal() {
    for definition in all() {
        for kind in [Meaning::Credit, Meaning::Reversal] {
            if !definition.kinds.rows.iter().any(|row| row.kind == kind) {
                continue;
            }
            let (name, sample) = (&definition.name, Sample::of(&definition, kind));
            let verified = sample.verify(&definition).unwrap_or_else(|error| panic!("{name}: {error}"));
            let unsigned = definition.signature.proof == Proof::Nothing;
            assert_eq!(verified == Verified::Unsigned, unsigned, "{name}");
            let event = sample.event(&definition);
            assert_eq!(event.kind.meaning(), kind, "{name}");
            assert_eq!(event.information, None, "{name}");
            let answer = sample.with(|call| definition.answer_body(&definition.answers.recorded, call));
            assert!(!answer.contains('{'), "{name}: {answer}");
        }
    }
}

#[test]
fn coverage_is_what_a_change_of_each_field_shows() {
    for definition in all() {
        let sample = Sample::of(&definition, Meaning::Credit);
        for field in definition.fields.iter().filter(|field| field.fixed.is_none()) {
            let verify = |change: &dyn Fn(&str) -> String| {
                sample.changed(&field.parameter, change).verify(&definition)
            };
            let (before, behind) =
                (verify(&|value| format!("9{value}")), verify(&|value| format!("{value}.9")));
            let protection = definition.protection(field.field);
            let accepted = (before.is_ok(), behind.is_ok());
            let expected = match protection {
                Protection::Whole => (false, false),
                Protection::IntegerPart => (false, true),
                Protection::Nothing => (true, true),
            };
            assert_eq!(accepted, expected, "{} {}", definition.name, field.parameter);
        }
    }
}

#[test]
fn a_reversal_names_the_reward_of_its_credit() {
    for definition in all() {
        if definition.kinds.rows.iter().any(|row| row.kind == Meaning::Reversal) {
            let reward = |kind| Sample::of(&definition, kind).event(&definition).key().to_owned();
            assert_eq!(reward(Meaning::Credit), reward(Meaning::Reversal), "{}", definition.name);
        }
    }
}

#[test]
fn a_trial_of_a_signed_call_says_what_it_becomes_and_shows_no_secret() {
    for definition in all() {
        let name = &definition.name;
        let params = Params::of(definition.clone()).with_reward_per_usd(Micros(400_000_000));
        let sample = Sample::of(&definition, Meaning::Credit);
        let trial = sample.with(|call| trial(call, &params, Some(&keys(&definition)), NOW));
        assert!(trial.is_good(), "{name}: {trial:?}");
        let lines: Vec<_> = trial.lines("coins").into_iter().map(|line| line.text).collect();
        let result = lines.last().expect("a result");
        assert!(
            result.contains("it becomes a credit of ") || result.starts_with("It becomes a credit of "),
            "{name}: {result}"
        );
        assert!(result.contains(" coins, "), "{name}: {result}");
        let parameter = definition.signature.place().map(Place::name).unwrap_or_default();
        let signature = sample.target.split(&format!("&{parameter}=")).nth(1).filter(|text| text.len() > 20);
        for line in &lines {
            assert!(!line.contains("test-secret"), "{name}: {line}");
            assert!(signature.is_none_or(|signature| !line.contains(signature)), "{name}: {line}");
        }
    }
}
