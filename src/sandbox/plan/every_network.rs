//! The plan of every network that ships: each call is signed, verified and mapped as its definition says.

use std::collections::BTreeSet;

use domain::postback::event::{Event as Mapped, Params};
use domain::postback::mapping::map_stated;
use domain::postback::networks::shipped;
use domain::postback::networks::signature::{Keys, Proof, PublicKey, Verified};
use domain::postback::signature::Secret;
use domain::postback::stated::Stated;
use domain::time::TimestampMs;

use super::*;
use crate::signer::{Secrets, Signer};

const NOW_MS: i64 = 1_795_000_000_123;
const ORIGIN: &str = "https://gw.example.com";
/// A private key, and the base64 of the DER of its public one.
const PRIVATE: [u8; 32] = [7; 32];
const PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";

/// A network with its calls.
struct Played {
    network: Network,
    template: Template,
    signer: Signer,
    calls: Vec<Call>,
}

impl Played {
    /// With as many calls as can be signed in a moment: ECDSA is slow without optimisation.
    fn new(name: &str, mix: &str) -> Self {
        let network = Network::shipped(name).expect("it ships");
        let is_slow = network.definition().signature.proof.needs().public_keys;
        Self::with(network, name, mix, if is_slow { 80 } else { 200 })
    }

    fn with(network: Network, name: &str, mix: &str, calls: u64) -> Self {
        let mark = if network.query().is_empty() { "" } else { "?" };
        let url = format!("http://127.0.0.1:8080/pb/{name}{mark}{}", network.query());
        let template = Template::parse(&url, &network).expect("a good template");
        let secret = if network.definition().signature.proof.needs().public_keys {
            PRIVATE.to_vec()
        } else {
            b"test-secret".to_vec()
        };
        let secrets = Secrets { secret, second: b"second-secret".to_vec() };
        let signer = Signer::new(&template, Some(ORIGIN), &secrets).expect("it can sign");
        let options = PlanOptions {
            mix: mix.parse().expect("a mix"),
            ..PlanOptions::new(3, Some(calls), template.clone())
        };
        let calls = Plan::new(&options).expect("a good plan").collect();
        Self { network, template, signer, calls }
    }

    fn postback(&self, call: &Call) -> crate::Postback {
        let postback = call.postback(&self.template, &self.signer, NOW_MS);
        postback.unwrap_or_else(|error| panic!("{}: {error}", self.name()))
    }

    fn name(&self) -> &str {
        &self.network.definition().name
    }

    fn is_verified(&self, call: &Call) -> bool {
        let keys = Keys {
            secrets: Secret::new("test-secret").into_iter().collect(),
            second: Secret::new("second-secret").into_iter().collect(),
            public: vec![public_key()],
        };
        let verified = self
            .postback(call)
            .with(ORIGIN, |call| self.network.definition().verify(call, &keys, TimestampMs(NOW_MS)));
        let is_unsigned = self.network.definition().signature.proof == Proof::Nothing;
        assert!(verified != Ok(Verified::Unsigned) || is_unsigned);
        verified.is_ok()
    }

    fn mapped(&self, call: &Call) -> Result<Mapped, String> {
        let params = Params::of(self.network.definition().clone());
        let params = params.with_reward_per_usd(PlanOptions::DEFAULT_RATIO);
        let mapped = self.postback(call).with("", |call| map_stated(call, &params, &Stated::default()));
        mapped.map_err(|quarantine| quarantine.reason)
    }
}

fn public_key() -> PublicKey {
    use base64::Engine as _;
    use p256::pkcs8::EncodePublicKey as _;
    let key = p256::SecretKey::from_slice(&PRIVATE).expect("a key").public_key();
    let der = key.to_public_key_der().expect("DER");
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_bytes());
    assert!(text.starts_with(PUBLIC));
    PublicKey::read("1", &text).expect("a key")
}

#[test]
fn every_genuine_call_of_every_network_verifies_and_no_forged_one() {
    for name in shipped::names() {
        let played = Played::new(name, "forged=0.3,broken=0.1,repeat=0.1,reversal=0.1,early_reversal=0.1");
        let mut forgeries = BTreeSet::new();
        for call in &played.calls {
            assert_eq!(
                played.is_verified(call),
                call.is_genuine(),
                "{name}: {} {:?}",
                call.act,
                played.postback(call)
            );
            if !call.is_genuine() {
                forgeries.insert(call.act.to_string());
            }
        }
        let unsigned = played.network.definition().signature.proof == Proof::Nothing;
        assert_eq!(forgeries.is_empty(), unsigned, "{name}: {forgeries:?}");
    }
}

#[test]
fn every_call_of_every_network_maps_to_its_event_and_broken_ones_do_not() {
    for name in shipped::names() {
        let played =
            Played::new(name, "forged=0,broken=0.2,repeat=0.1,reversal=0.1,early_reversal=0.1,duplicate=0.1");
        for call in &played.calls {
            let (event, found) = (&call.event, played.mapped(call));
            let Act::Broken(_) = call.act else {
                let found = found.unwrap_or_else(|reason| panic!("{name}, {}: {reason}", call.act));
                assert_eq!(found.kind.meaning(), call.act.meaning(), "{name}");
                assert_eq!((&found.user_id, found.key()), (&event.user_id(), event.key.as_str()), "{name}");
                assert_eq!(found.information, None, "{name}");
                assert!(found.notes.is_empty(), "{name}: {:?}", found.notes);
                if call.act == Act::Credit {
                    assert_eq!(found.reward, Some(event.reward), "{name}");
                    assert!(found.payout.is_none_or(|payout| payout == event.payout), "{name}: {found:?}");
                }
                continue;
            };
            assert!(found.is_err() && event.outlook == Outlook::Nothing, "{name}, {}: {found:?}", call.act);
        }
    }
}

#[test]
fn a_plan_has_what_its_network_has_and_nothing_else() {
    for name in shipped::names() {
        let mix = "honest,impossible_speed=0.1,wrong_country=0.1,repeat=0.1,reversal=0.1,early_reversal=0.1,\
                   duplicate=0.1,forged=0.1,broken=0.1";
        let played = Played::with(Network::shipped(name).expect("it ships"), name, mix, 600);
        let seen: BTreeSet<_> = played.calls.iter().map(|call| call.event.variety).collect();
        let expected: BTreeSet<_> =
            Variety::ALL.into_iter().filter(|variety| played.network.lacks(*variety).is_none()).collect();
        assert_eq!(seen, expected, "{name}");
    }
}

#[test]
fn what_an_open_signature_leaves_is_held_unless_the_caller_is_listed() {
    let outlooks = |is_caller_listed| -> BTreeSet<_> {
        let template = Played::new("cpx-research", "honest").template;
        let mix = "honest,reversal=0.2".parse().expect("a mix");
        let options = PlanOptions { mix, is_caller_listed, ..PlanOptions::new(3, Some(200), template) };
        assert_eq!(options.is_all_held(), !is_caller_listed);
        let plan = Plan::new(&options).expect("a good plan");
        plan.map(|call| format!("{:?}", call.event.outlook)).collect()
    };
    assert_eq!(outlooks(false), BTreeSet::from(["Held".to_owned()]));
    assert_eq!(outlooks(true), BTreeSet::from(["Credited".to_owned()]));
}
