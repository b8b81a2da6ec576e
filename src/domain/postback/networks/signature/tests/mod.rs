//! Signatures of networks: every published and computed vector, and what must be refused.
//!
//! The vectors: the networks' pages where they publish one, otherwise computed from the formula with `test-secret`.

mod hostile;
mod nearest;
mod refusals;
mod shipped;
mod targo;
mod vectors;

use super::*;
use crate::postback::networks::call::{Call, Method};
use crate::postback::networks::{Definition, shipped as definitions};
use crate::postback::signature::Secret;
use crate::time::TimestampMs;

const ORIGIN: &str = "https://gw.example.com";
/// 2024-12-06T15:46:40Z.
const NOW: TimestampMs = TimestampMs(1_733_500_000_000);

fn keys(secret: &str) -> Keys {
    let secrets = ["retired", secret].into_iter().filter_map(Secret::new).collect();
    Keys { secrets, second: Vec::new(), public: Vec::new() }
}

fn test_keys() -> Keys {
    keys("test-secret")
}

/// A network with these fields and this `[signature]`.
fn network(parameters: &str, fields: &str, signature: &str) -> Definition {
    let methods = if parameters == "json" { "[\"POST\"]" } else { "[\"GET\", \"POST\"]" };
    let text = format!(
        "name = \"t\"\ntitle = \"T\"\ndocumentation = \"https://example.com\"\nconfirmed = \"documented\"\n\
         methods = {methods}\nparameters = \"{parameters}\"\n[fields]\n{fields}\n\
         [kinds]\nby = [\"constant\"]\nalways = \"credit\"\n[identity]\nevent = \"{{user_id}}\"\n\
         [answers]\nrecorded = {{ status = 200 }}\n[retries]\nhorizon_minutes = 0\n[signature]\n{signature}\n"
    );
    Definition::parse("t.toml", &text).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

/// The usual fields: `uid`, `tx`, `reward`, `payout`, `offer`, `ip`.
fn usual(signature: &str) -> Definition {
    network("query", USUAL, signature)
}

const USUAL: &str = "user_id = { parameter = \"uid\" }\ntx_id = { parameter = \"tx\" }\n\
    reward = { parameter = \"reward\" }\npayout = { parameter = \"payout\" }\n\
    offer_id = { parameter = \"offer\" }\nip = { parameter = \"ip\" }";

fn shipped_definition(name: &str) -> Definition {
    definitions::definition(name).expect("it ships").unwrap_or_else(|faults| panic!("{faults}"))
}

fn verify(definition: &Definition, target: &str, keys: &Keys) -> Result<Verified, Refusal> {
    definition.verify(&Call::get(ORIGIN, target), keys, NOW)
}

fn post<'a>(target: &'a str, headers: &'a [(&'a str, &'a [u8])], body: &'a [u8]) -> Call<'a> {
    Call { origin: ORIGIN, method: Method::Post, target, headers, body }
}
