//! Every network that ships, driven as its own pages describe it: signed, repeated, taken back, and forged.

use base64::Engine as _;
use domain::postback::networks::coverage::{self, Protection};
use domain::postback::networks::definition::ParameterSource;
use domain::postback::networks::kinds::{By, Meaning};
use domain::postback::networks::signature::{Keys, PublicKey};
use domain::postback::networks::{Call, Definition, Field, FieldDefinition, Method, TimeFormat, shipped};
use domain::postback::signature::Secret;
use domain::time::TimestampMs;
use p256::ecdsa::SigningKey;
use p256::pkcs8::EncodePublicKey as _;
use serde_json::json;

use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening};
use crate::support::http::{Answer, Request, call};
use crate::support::network::{USER_IP, now_s};
use crate::support::settings::PUBLIC_URL;

on_both_databases!(
    every_network_credits_once_takes_back_and_refuses_what_it_did_not_sign,
    a_test_and_what_is_not_sure_yet_move_nothing,
    a_dashboard_that_looks_with_head_finds_the_endpoint,
);

const SECRET: &str = "network-secret-of-some-length";
const SECOND: &str = "second-secret-of-some-length";
/// The private key of the network that signs with one.
const PRIVATE: [u8; 32] = [7; 32];

fn definitions() -> Vec<Definition> {
    let read =
        |name| shipped::definition(name).expect("it ships").unwrap_or_else(|faults| panic!("{faults}"));
    shipped::names().map(read).collect()
}

/// A source for every network, named as the network.
fn all(on: Kind) -> Gate {
    let sections: String = definitions().iter().map(section).collect();
    let gate = Gate::with(on, |settings| {
        settings
            .with_in_source("name = \"another\"")
            .with_tail(&sections)
            .with_variable("NETWORK_SECRET", SECRET)
            .with_variable("SECOND_SECRET", SECOND)
    });
    let list = json!({ "keys": [{ "keyId": 1, "base64": public_key() }] });
    std::fs::write(gate.path("keys.json"), list.to_string()).expect("room");
    gate
}

/// The base64 of its DER.
fn public_key() -> String {
    let key = SigningKey::from_slice(&PRIVATE).expect("a key");
    let der = key.verifying_key().to_public_key_der().expect("DER");
    base64::engine::general_purpose::STANDARD.encode(der.as_bytes())
}

fn section(definition: &Definition) -> String {
    let needs = definition.signature.proof.needs();
    let lines = [
        Some(format!(
            "[[sources]]\nname = \"{0}\"\nnetwork = \"{0}\"\ncurrency = \"coins\"",
            definition.name
        )),
        Some("allow_ips = [\"127.0.0.1\", \"::1\"]".into()),
        needs.secret.then(|| "secret = \"env:NETWORK_SECRET\"".into()),
        needs.second_secret.then(|| "second_secret = \"env:SECOND_SECRET\"".into()),
        definition.field(Field::Reward).is_none().then(|| "reward_per_usd = \"500\"".into()),
        needs.public_keys.then(|| "public_keys = \"keys.json\"".into()),
    ];
    lines.into_iter().flatten().collect::<Vec<String>>().join("\n") + "\n"
}

/// A call of a network.
#[derive(Clone)]
struct Sent {
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    /// Signed, with these values.
    fn of(definition: &Definition, values: impl Fn(&FieldDefinition) -> String) -> Self {
        Self::unsigned(definition, values).signed(definition)
    }

    fn unsigned(definition: &Definition, values: impl Fn(&FieldDefinition) -> String) -> Self {
        let fields = definition.fields.iter().filter(|field| field.fixed.is_none());
        let pairs: Vec<_> = fields.map(|field| (field.parameter.clone(), values(field))).collect();
        let text = if definition.parameters == ParameterSource::Json {
            let object: serde_json::Map<_, _> =
                pairs.into_iter().map(|(name, value)| (name, value.into())).collect();
            serde_json::Value::Object(object).to_string()
        } else {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        };
        let is_get = definition.methods.contains(&Method::Get);
        let in_url = is_get || definition.parameters == ParameterSource::Query;
        let path = format!("/pb/{}", definition.name);
        Self {
            method: if is_get { Method::Get } else { Method::Post },
            target: if in_url { format!("{path}?{text}") } else { path },
            headers: Vec::new(),
            body: if in_url { Vec::new() } else { text.into_bytes() },
        }
    }

    fn signed(self, definition: &Definition) -> Self {
        let is_ecdsa = definition.signature.proof.needs().public_keys;
        let secret = if is_ecdsa { PRIVATE.to_vec() } else { SECRET.into() };
        let public = PublicKey::read("1", &public_key()).expect("a key");
        let keys = Keys {
            secrets: Secret::new(secret).into_iter().collect(),
            second: Secret::new(SECOND).into_iter().collect(),
            public: vec![public],
        };
        let call = Call {
            origin: PUBLIC_URL,
            method: self.method,
            target: &self.target,
            headers: &[],
            body: &self.body,
        };
        let signed = definition.sign(&call, &keys, TimestampMs(now_s() * 1_000));
        let signed = signed.unwrap_or_else(|error| panic!("{}: {error}", definition.name));
        Self { method: self.method, target: signed.target, headers: signed.headers, body: signed.body }
    }

    fn send(&self, up: &Listening) -> Answer {
        let mut request = Request::new(self.method.name(), &self.target);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if self.method == Method::Post {
            request = request.header("Content-Type", "application/x-www-form-urlencoded").body(&self.body);
        }
        call(up.address, &request)
    }

    /// The same with another value of `parameter`, and the signature of before.
    fn forged(&self, parameter: &str) -> Self {
        let edit = |text: &str| {
            for (before, end) in [
                (format!("?{parameter}="), '&'),
                (format!("&{parameter}="), '&'),
                (format!("\"{parameter}\":\""), '"'),
            ] {
                let Some(at) = text.find(&before) else { continue };
                let start = at + before.len();
                let end = text[start..].find(end).map_or(text.len(), |end| start + end);
                // A digit more in front changes numbers and texts alike.
                return format!("{}9{}{}", &text[..start], &text[start..end], &text[end..]);
            }
            text.to_owned()
        };
        let body = edit(&format!("?{}", String::from_utf8_lossy(&self.body)));
        let body = body.trim_start_matches('?').as_bytes().to_vec();
        let forged = Self { target: edit(&self.target), body, ..self.clone() };
        assert!(forged.target != self.target || forged.body != self.body, "{parameter}: {}", self.target);
        forged
    }
}

/// Plain values of a postback that means `kind`.
fn value<'d>(
    definition: &'d Definition,
    kind: Meaning,
    tag: &'d str,
) -> impl Fn(&FieldDefinition) -> String + 'd {
    let deciding = definition.kinds.example(kind).expect("a row of this kind");
    let negative = definition.identity.amounts.is_negative(kind);
    let tx = format!("T-{}-{tag}", definition.name);
    move |own| {
        let decided = deciding.iter().find(|(by, _)| *by == By::Field(own.field));
        let sign = deciding.iter().find(|(by, _)| *by == By::Sign).map(|(_, sign)| sign.as_str());
        let minus = if negative || sign == Some("negative") { "-" } else { "" };
        match (own.field, decided) {
            (_, Some((_, word))) => word.clone(),
            (Field::Reward | Field::Payout, _) if sign == Some("zero") => "0".into(),
            (Field::Reward, _) => format!("{minus}500"),
            (Field::Payout, _) => format!("{minus}1.25"),
            (Field::Test, _) => if kind == Meaning::Test { "1" } else { "0" }.into(),
            (Field::TxId, _) if kind == Meaning::Reversal && definition.field(Field::RefTxId).is_none() => {
                format!("{}{tx}", definition.identity.strip_prefix)
            }
            (Field::TxId, _) if kind == Meaning::Reversal => format!("{tx}-back"),
            (Field::TxId | Field::RefTxId, _) => tx.clone(),
            (Field::UserId, _) => format!("u-{}", definition.name),
            (Field::Ip, _) => USER_IP.into(),
            (Field::CountryCode, _) => "GB".into(),
            (Field::ClickedAt | Field::ConvertedAt, _) => time(own),
            (field, _) => format!("{}-{tag}", field.name()),
        }
    }
}

fn time(own: &FieldDefinition) -> String {
    let at = now_s() - if own.field == Field::ClickedAt { 600 } else { 0 };
    match own.format {
        TimeFormat::Seconds => at.to_string(),
        TimeFormat::Millis => (at * 1_000).to_string(),
        TimeFormat::Minutes => "202601021455".into(),
        TimeFormat::Rfc3339 => TimestampMs(at * 1_000).rfc3339(),
        TimeFormat::Text => "2026-01-02 14:55:00".replace(' ', "T"),
    }
}

fn has(definition: &Definition, kind: Meaning) -> bool {
    definition.kinds.rows.iter().any(|row| row.kind == kind)
}

/// The reward that the source of `definition` has under `tag`.
fn reward(api: &Api, definition: &Definition, tag: &str) -> serde_json::Value {
    let list = api.get(&format!("rewards?source={}", definition.name));
    let items = list["items"].as_array().expect("a list");
    let found: Vec<_> =
        items.iter().filter(|it| it["tx_id"].as_str().is_some_and(|tx| tx.contains(tag))).collect();
    assert_eq!(found.len(), 1, "{} {tag}: {list}", definition.name);
    api.get(&format!("rewards/{}", found[0]["id"]))
}

fn every_network_credits_once_takes_back_and_refuses_what_it_did_not_sign(on: Kind) {
    let gate = all(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let mut sent = Vec::new();
    for definition in definitions() {
        let (name, answers) = (definition.name.as_str(), &definition.answers);
        let credit = Sent::of(&definition, value(&definition, Meaning::Credit, "one"));
        let body = |answer| {
            let headers: [(&str, &[u8]); 0] = [];
            let call = Call {
                origin: PUBLIC_URL,
                method: credit.method,
                target: &credit.target,
                headers: &headers,
                body: &credit.body,
            };
            definition.answer_body(answer, &call)
        };
        assert_eq!(
            credit.send(&up).status_and_body(),
            (answers.recorded.status, body(&answers.recorded).as_str()),
            "{name}"
        );
        assert_eq!(
            credit.send(&up).status_and_body(),
            (answers.repeat.status, body(&answers.repeat).as_str()),
            "{name}, again"
        );
        // What is signed counts, whatever the method.
        let posted = Sent { method: Method::Post, ..credit.clone() };
        if credit.method == Method::Get && definition.parameters == ParameterSource::Query {
            assert_eq!(posted.send(&up).status, answers.repeat.status, "{name}, posted");
        }
        for field in definition.fields.iter().filter(|field| field.fixed.is_none()) {
            if definition.protection(field.field) == Protection::Whole {
                let forged = credit.forged(&field.parameter).send(&up);
                assert_eq!(forged.status, answers.refused.status, "{name}: {}", field.parameter);
            }
        }
        sent.push((definition, credit));
    }
    api.await_processing();
    for (definition, credit) in &sent {
        let name = &definition.name;
        let reward = reward(&api, definition, "one");
        let is_posted = credit.method == Method::Get && definition.parameters == ParameterSource::Query;
        let repeats = if is_posted { 2 } else { 1 };
        assert_eq!(
            (&reward["status"], &reward["repeats"]),
            (&json!("credited"), &json!(repeats)),
            "{name}: {reward}"
        );
        let fired: Vec<_> = reward["verdict"]["signals"]
            .as_array()
            .expect("signals")
            .iter()
            .filter(|signal| signal["fired"] == true)
            .map(|signal| {
                (signal["code"].as_str().unwrap_or_default(), signal["text"].as_str().unwrap_or_default())
            })
            .collect();
        let open = definition.unsigned();
        assert_eq!(fired.iter().any(|(code, _)| *code == "Q6"), !open.is_nothing(), "{name}: {fired:?}");
        let text = fired.iter().find(|(code, _)| *code == "Q6").map_or("", |(_, text)| *text);
        for field in open.fields {
            assert!(text.contains(coverage::name(field)), "{name}: {text}");
        }
        if has(definition, Meaning::Reversal) {
            let reversal = Sent::of(definition, value(definition, Meaning::Reversal, "one"));
            assert_eq!(reversal.send(&up).status, definition.answers.recorded.status, "{name}");
        }
    }
    api.await_processing();
    for (definition, credit) in &sent {
        let reward = reward(&api, definition, "one");
        let expected = if has(definition, Meaning::Reversal) { "reversed" } else { "credited" };
        assert_eq!(reward["status"], expected, "{}: {reward}", definition.name);
        // Known for good, and not only to the process that recorded it.
        let again = credit.send(&up);
        assert_eq!(again.status, definition.answers.repeat.status, "{}", definition.name);
    }
    gate.assert_proven();
}

fn a_test_and_what_is_not_sure_yet_move_nothing(on: Kind) {
    let gate = all(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let mut kinds = 0;
    for definition in definitions() {
        for kind in [Meaning::Pending, Meaning::Ignore, Meaning::Test] {
            let flagged = kind == Meaning::Test && definition.field(Field::Test).is_some();
            if !has(&definition, kind) && !flagged {
                continue;
            }
            let example = if has(&definition, kind) { kind } else { Meaning::Credit };
            let plain = value(&definition, example, "two");
            let sent = Sent::of(&definition, |own| {
                if flagged && own.field == Field::Test { "1".into() } else { plain(own) }
            });
            assert_eq!(sent.send(&up).status, definition.answers.recorded.status, "{}", definition.name);
            api.await_processing();
            let newest = &api.get("postbacks?limit=1")["items"][0];
            let outcome = if kind == Meaning::Test { "test" } else { "information" };
            assert_eq!(newest["outcome"], outcome, "{} {kind:?}: {newest}", definition.name);
            kinds += 1;
        }
    }
    assert!(kinds > 5, "only {kinds}");
    assert_eq!(api.get("rewards")["items"], json!([]));
    assert_eq!(api.get("ledger/proof")["transfers"], 0);
}

fn a_dashboard_that_looks_with_head_finds_the_endpoint(on: Kind) {
    let gate = all(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for (target, status) in [
        ("/pb/tapjoy?snuid=&id=", 200),
        ("/pb/adgem", 200),
        ("/pb/bitlabs?uid=[%USER:UID%]", 200),
        ("/pb/nobody", 404),
    ] {
        assert_eq!(call(up.address, &Request::new("HEAD", target)).status, status, "{target}");
    }
    api.await_processing();
    assert_eq!(api.get("postbacks?outcome=refused")["items"], json!([]), "nothing is kept of a look");
    assert_eq!(api.get("postbacks")["items"], json!([]));
}
