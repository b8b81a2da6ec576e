//! The definitions that ship, one file for each.

use crate::postback::networks::Definition;
use crate::postback::networks::fault::BadDefinition;

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        /// Name and text of each, sorted by name.
        const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("definitions/", $name, ".toml")))),+
        ];
    };
}

shipped![
    "acorn-ads",
    "adgate",
    "adgem",
    "admob",
    "adscend-media",
    "annecy-media",
    "ayet-studios",
    "bitcotasks",
    "bitlabs",
    "cpalead",
    "cpx-research",
    "digital-turbine",
    "gemiads",
    "inbrain",
    "kiwiwall",
    "levelplay",
    "lootably",
    "md5-family",
    "mmolove",
    "monlix",
    "mychips",
    "notik",
    "offertoro",
    "playtimeads",
    "pollfish",
    "pubscale",
    "purespectrum",
    "rapidoreach",
    "revlum",
    "revtoo",
    "revu",
    "sparkwall",
    "superrewards",
    "tapjoy",
    "targo",
    "theoremreach",
    "timewall",
    "tyrads",
    "unity-ads",
    "wannads",
    "wannads-migrated",
    "wannads-new",
];

/// The names, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The text of a definition.
pub fn text(name: &str) -> Option<&'static str> {
    let at = SHIPPED.binary_search_by_key(&name, |(name, _)| *name).ok()?;
    Some(SHIPPED[at].1)
}

/// The definition of that name; `None` if none ships. It is read anew each time. It has no faults: a test reads all.
pub fn definition(name: &str) -> Option<Result<Definition, BadDefinition>> {
    Some(Definition::parse(&format!("{name}.toml"), text(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postback::networks::call::{Call, Method};
    use crate::postback::networks::definition::{Confirmed, ParameterSource};
    use crate::postback::networks::kinds::{By, Kind};
    use crate::postback::networks::signature::{Digest, Keys, Proof, PublicKey, Verified};
    use crate::postback::networks::{Field, Unit};
    use crate::postback::query::Plus;
    use crate::postback::signature::Secret;
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
    fn call_body(definition: &Definition, kind: Kind) -> String {
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
                (Field::TxId, _) if kind == Kind::Reversal => {
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

    #[test]
    fn every_network_is_signed_verified_and_read_as_credit_and_as_reversal() {
        for definition in all() {
            for kind in [Kind::Credit, Kind::Reversal] {
                if !definition.kinds.rows.iter().any(|row| row.kind == kind) {
                    continue;
                }
                let text = call_body(&definition, kind);
                let is_get = definition.methods.contains(&Method::Get);
                let in_url = is_get || definition.parameters == ParameterSource::Query;
                let target = if in_url { format!("/pb/n?{text}") } else { "/pb/n".to_owned() };
                let body = if in_url { &b""[..] } else { text.as_bytes() };
                let method = if is_get { Method::Get } else { Method::Post };
                let call =
                    Call { origin: "https://gw.example.com", method, target: &target, headers: &[], body };
                let keys = keys(&definition);
                let name = &definition.name;
                let signed =
                    definition.sign(&call, &keys, NOW).unwrap_or_else(|error| panic!("{name}: {error}"));
                let headers: Vec<_> =
                    signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
                let call = Call { target: &signed.target, headers: &headers, body: &signed.body, ..call };
                let verified =
                    definition.verify(&call, &keys, NOW).unwrap_or_else(|error| panic!("{name}: {error}"));
                let unsigned = definition.signature.proof == Proof::Nothing;
                assert_eq!(verified == Verified::Unsigned, unsigned, "{name}");
                let event =
                    definition.event(&call, Plus::Space).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(event.kind, kind, "{name}");
                let answer = definition
                    .answers
                    .recorded
                    .body_for(|field| event.values.get(&field).map(String::as_str));
                assert!(!answer.contains('{'), "{name}: {answer}");
            }
        }
    }

    #[test]
    fn a_reversal_names_the_reward_of_its_credit() {
        for definition in all().iter().filter(|it| it.kinds.rows.iter().any(|row| row.kind == Kind::Reversal))
        {
            let reward = |kind| {
                let text = call_body(definition, kind);
                let target = format!("/pb/n?{text}");
                let call = Call::get("https://gw.example.com", &target);
                let call = if definition.methods.contains(&Method::Get)
                    || definition.parameters == ParameterSource::Query
                {
                    call
                } else {
                    Call { method: Method::Post, body: text.as_bytes(), ..call }
                };
                definition
                    .event(&call, Plus::Space)
                    .unwrap_or_else(|error| panic!("{}: {error}", definition.name))
                    .ids
                    .reward
            };
            // With their type in the id: a reversal of the same type.
            let (credit, reversal) = (reward(Kind::Credit), reward(Kind::Reversal));
            assert_eq!(credit, reversal, "{}", definition.name);
        }
    }
}
