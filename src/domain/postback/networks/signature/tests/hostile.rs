//! Nothing that arrives can make a check panic, and no changed byte is accepted.

use proptest::prelude::*;

use super::*;

/// One definition for each message, and a call that fits its parameters.
fn definitions() -> Vec<Definition> {
    let hmac = "digest = \"hmac-sha256\"\nencoding = \"hex\"\n";
    let query = "at = { query = \"sig\" }";
    let header = "at = { header = \"X-Sig\", part = \"v1\" }";
    let signatures = [
        format!("message = {{ url = \"cut\" }}\n{hmac}{query}"),
        format!("message = {{ url = \"empty\" }}\n{hmac}{query}"),
        format!("message = {{ query = \"before_signature\" }}\n{hmac}{query}"),
        format!("message = {{ sorted = {{ encode = \"form\" }} }}\n{hmac}{query}"),
        format!("message = {{ sorted = {{ encode = \"double\", pair = \",\" }} }}\n{hmac}{header}"),
        format!("message = {{ concat = {{ parts = [\"user_id\", \"tx_id\", \"reward\"], separator = \":\" }} }}\n{hmac}{query}"),
        "message = { concat = { parts = [\"user_id\", { field = \"reward\", integer = true }, \"secret\"] } }\n\
         digest = \"md5\"\nencoding = \"base64\"\nat = { query = \"sig\" }"
            .to_owned(),
        format!("message = \"shared_secret\"\n{query}"),
        "message = \"shared_secret\"\nat = { path = \"last\" }".to_owned(),
    ];
    let mut all: Vec<_> = signatures.iter().map(|signature| usual(signature)).collect();
    for parameters in ["form", "json"] {
        for signature in [
            format!("message = \"body\"\n{hmac}{header}"),
            format!(
                "message = {{ timestamp_body = {{ part = \"t\", window_seconds = 60 }} }}\n{hmac}{header}"
            ),
            format!(
                "message = {{ concat = {{ parts = [\"user_id\", \"tx_id\", \"secret\"], separator = \".\" }} }}\n{hmac}at = {{ {parameters} = \"sig\" }}"
            ),
        ] {
            all.push(network(parameters, USUAL, &signature));
        }
    }
    all
}

fn body(definition: &Definition) -> &'static [u8] {
    match definition.parameters.name() {
        "json" => br#"{"uid":"abc123","tx":"T-1","reward":5.00}"#,
        "form" => b"uid=abc123&tx=T-1&reward=5.00",
        _ => b"",
    }
}

const TARGET: &str = "/pb/t?uid=abc123&tx=T-1&reward=5.00";

#[test]
fn what_a_network_signs_verifies_and_no_changed_byte_of_it_does() {
    let keys = Keys { secrets: test_keys().secrets.split_off(1), ..Keys::default() };
    for definition in definitions() {
        let call = post(TARGET, &[], body(&definition));
        let signed = definition.sign(&call, &keys, NOW).expect("signed");
        let headers: Vec<_> =
            signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let call = post(&signed.target, &headers, &signed.body);
        assert_eq!(definition.verify(&call, &keys, NOW), Ok(Verified::Secret(0)), "{definition:?}");

        // What is covered, and the signature itself.
        let covers_url = definition.parameters.name() == "query";
        let text = String::from_utf8(signed.body.clone()).expect("text");
        for (is_url, whole) in [(true, signed.target.as_str()), (false, text.as_str())] {
            for position in 0..whole.len() {
                let mut bytes = whole.as_bytes().to_vec();
                bytes[position] ^= 1;
                let changed = String::from_utf8(bytes).expect("ASCII stays ASCII");
                let call = if is_url {
                    Call { target: &changed, ..call }
                } else {
                    Call { body: changed.as_bytes(), ..call }
                };
                if is_url != covers_url || !is_covered(&definition, whole, position) {
                    let _ = definition.verify(&call, &keys, NOW);
                } else {
                    assert!(definition.verify(&call, &keys, NOW).is_err(), "{changed}\n{definition:?}");
                }
            }
        }
    }
}

/// A concat and a shared secret leave out what they do not name; a whole number also what is behind its point.
fn is_covered(definition: &Definition, whole: &str, position: usize) -> bool {
    let covers_all = match &definition.signature.proof {
        Proof::Signed(scheme) => match scheme.message {
            Message::Url(_) | Message::Body | Message::TimestampBody(_) => true,
            Message::QueryBeforeSignature | Message::Sorted(_) => position > TARGET.find('?').unwrap_or(0),
            Message::Concat(_) => false,
        },
        _ => false,
    };
    let value = |name: &str| {
        let at = whole.find(name).map_or(usize::MAX, |at| at + name.len());
        (at, at.saturating_add(6))
    };
    let (from, to) = value("abc123");
    let in_user = (from.saturating_sub(6)..to.saturating_sub(6)).contains(&position);
    let signed_values = matches!(&definition.signature.proof, Proof::Signed(_));
    covers_all || (signed_values && in_user)
}

proptest! {
    #[test]
    fn no_call_makes_a_check_panic(
        target in "/pb/t\\PC{0,60}|/pb/t\\?((uid|tx|reward|sig|key_id|%|&|=|\\?|;|\\+)[a-f0-9.%]{0,3}){0,12}",
        body in prop::collection::vec(any::<u8>(), 0..80),
        text in "\\{(\"(uid|tx|sig|reward)\":(\"[a-f0-9]{0,4}\"|[0-9.]{1,3}|\\{|\\}|null),?){0,5}\\}?",
        header in "(t=|v1=|,| |[a-f0-9]{1,8}){0,8}",
        now in any::<i64>(),
    ) {
        let headers = [("x-sig", header.as_bytes())];
        for definition in definitions() {
            for body in [body.as_slice(), text.as_bytes()] {
                let call = post(&target, &headers, body);
                let keys = test_keys();
                let verdict = definition.verify(&call, &keys, TimestampMs(now));
                prop_assert!(!matches!(verdict, Ok(Verified::Key(_) | Verified::Unsigned)));
                let _ = definition.sign(&call, &keys, TimestampMs(now));
                let get = Call { method: Method::Get, ..call };
                let _ = definition.verify(&get, &keys, TimestampMs(now));
            }
        }
    }

    #[test]
    fn a_signed_call_verifies_whatever_its_values(
        user in "[^&=#]{1,8}", tx in "\\PC{1,8}", reward in "[0-9]{1,4}(\\.[0-9]{1,3})?",
    ) {
        use crate::postback::macros::encoded;
        let keys = Keys { secrets: test_keys().secrets.split_off(1), ..Keys::default() };
        for definition in definitions() {
            let query = format!("uid={}&tx={}&reward={reward}", encoded(&user), encoded(&tx));
            let json = serde_json::json!({ "uid": user, "tx": tx, "reward": reward }).to_string();
            let body = match definition.parameters.name() {
                "json" => json.as_bytes(),
                "form" => query.as_bytes(),
                _ => b"",
            };
            let target = format!("/pb/t?{query}");
            let signed = definition.sign(&post(&target, &[], body), &keys, NOW).expect("signed");
            let headers: Vec<_> =
                signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            let call = post(&signed.target, &headers, &signed.body);
            prop_assert_eq!(definition.verify(&call, &keys, NOW), Ok(Verified::Secret(0)));
        }
    }
}
