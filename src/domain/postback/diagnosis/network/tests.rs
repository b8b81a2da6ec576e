use super::*;
use crate::postback::networks::Method;
use crate::text::hex;

const ORIGIN: &str = "https://gw.example.com";
/// 2024-12-06T15:46:40Z.
const NOW: TimestampMs = TimestampMs(1_733_500_000_000);

fn secret(text: &str) -> Secret {
    Secret::new(text).expect("not empty")
}

fn network(name: &str) -> Definition {
    shipped::definition(name).expect("it ships").unwrap_or_else(|faults| panic!("{faults}"))
}

fn keys(text: &str) -> Keys {
    Keys { secrets: vec![secret(text)], ..Keys::default() }
}

fn explained(definition: &Definition, call: &Call<'_>, configured: &str) -> Explanation {
    explain(&Unmatched {
        definition,
        call,
        keys: &keys(configured),
        now: NOW,
        other_hosts: &["127.0.0.1:8080".into()],
        other_secrets: &[("other".into(), secret("secret-of-another"))],
        dashboard: None,
        callers: &definition.callers.ips,
    })
}

fn of_url(name: &str, target: &str, configured: &str) -> String {
    explained(&network(name), &Call::get(ORIGIN, target), configured).to_string()
}

/// A call of `KiwiWall`, whose `message` is signed.
fn kiwiwall(message: &str, digest: Digest) -> String {
    let digest = hex(&digest.of(b"", message.as_bytes()));
    format!("/pb/k?status=1&trans_id=T&sub_id=u1&amount=5&signature={digest}")
}

#[test]
fn a_line_of_the_definition_that_would_have_to_be_another_is_named() {
    for (message, digest, sentence) in [
        ("u1:5:s3cret", Digest::Md5, "It verifies with the present settings."),
        ("u1:5:s3cret", Digest::Sha1, "It is signed with sha1: digest = \"sha1\"."),
        ("u15s3cret", Digest::Md5, "The values have something else between them: separator = \"\"."),
        (
            "5:u1:s3cret",
            Digest::Md5,
            "The values are signed in another order: parts in the order reward, user_id, secret.",
        ),
    ] {
        let said = of_url("kiwiwall", &kiwiwall(message, digest), "s3cret");
        assert!(said.starts_with(sentence), "{message}: {said}");
        let says_where = said.contains("with `extends = \"kiwiwall\"` and that line in [signature]");
        assert_eq!(says_where, !said.starts_with("It verifies"), "{said}");
    }
}

#[test]
fn a_secret_of_another_source_or_with_blanks_or_in_hexadecimal_is_named() {
    let call = |secret: &str| kiwiwall(&format!("u1:5:{secret}"), Digest::Md5);
    let said = of_url("kiwiwall", &call("secret-of-another"), "s3cret");
    assert!(said.starts_with("It was signed with the secret of the source `other`"), "{said}");
    let said = of_url("kiwiwall", &call("s3cret"), " s3cret\t");
    assert!(said.starts_with("There are blanks or quotes around the configured secret"), "{said}");
    let said = of_url("kiwiwall", &call("s3cret"), "733363726574");
    assert!(
        said.starts_with("The network signs with the bytes that the secret spells in hexadecimal"),
        "{said}"
    );
    let shared = of_url("monlix", "/pb/m?userId=u1&secretKey=secret-of-another", "s3cret");
    assert!(shared.starts_with("It was signed with the secret of the source `other`"), "{shared}");
}

#[test]
fn a_signed_url_tells_its_origin_and_its_form() {
    let adgem = network("adgem");
    let target = "/pb/a?player_id=u1&transaction_id=T&amount=5";
    let signed =
        |origin: &str| adgem.sign(&Call::get(origin, target), &keys("s3cret"), NOW).expect("signed").target;
    let said = of_url("adgem", &signed("http://127.0.0.1:8080"), "s3cret");
    assert_eq!(
        said,
        "The network signed http://127.0.0.1:8080, but `public_url` is https://gw.example.com: set `public_url` to \
         http://127.0.0.1:8080."
    );
    assert!(
        !signs_like_targo(&adgem)
            && signs_like_targo(&network("targo"))
            && signs_like_targo(&network("bitlabs"))
    );
}

#[test]
fn what_cannot_be_compared_says_why() {
    let said = of_url("kiwiwall", "/pb/k?status=1&sub_id=u1&amount=5", "s3cret");
    assert_eq!(
        said,
        "It cannot be compared: the signature is missing: there is no parameter `signature` in the URL."
    );
    let body = Call { method: Method::Post, body: b"status=1&sub_id=u1", ..Call::get(ORIGIN, "/pb/k") };
    let said = explained(&network("kiwiwall"), &body, "s3cret").to_string();
    assert!(said.contains("But the fields came in the body, as a form (status, sub_id)"), "{said}");
    let said = of_url("kiwiwall", &kiwiwall("forged", Digest::Md5), "s3cret");
    assert!(said.starts_with("No other digest") && !said.contains("hosts"), "{said}");
    let said = of_url("adgem", &format!("/pb/a?player_id=u1&verifier={}", "0".repeat(64)), "s3cret");
    assert!(said.contains("These hosts were tried: gw.example.com, 127.0.0.1:8080."), "{said}");
    let said = of_url("monlix", "/pb/m?userId=u1&secretKey=wrong", "s3cret");
    assert!(said.starts_with("The secret in the call belongs to no source"), "{said}");
}

#[test]
fn without_a_signature_only_the_address_counts() {
    let unsigned = shipped::names().map(network).find(|own| own.signature.proof == Proof::Nothing);
    let unsigned = unsigned.expect("a network that signs nothing");
    let call = Call::get(ORIGIN, "/pb/n?uid=u1");
    let mut unmatched = Unmatched {
        definition: &unsigned,
        call: &call,
        keys: &Keys::default(),
        now: NOW,
        other_hosts: &[],
        other_secrets: &[],
        dashboard: None,
        callers: &["203.0.113.0/24".parse().expect("a network")],
    };
    let said = explain(&unmatched).to_string();
    assert!(
        said.contains("signs nothing: only the caller's address counts. Listed: 203.0.113.0/24."),
        "{said}"
    );
    unmatched.callers = &[];
    assert!(explain(&unmatched).to_string().contains("none is listed. Set `allow_ips`"));
}

#[test]
fn no_explanation_shows_a_secret_or_a_valid_signature() {
    for definition in shipped::names().map(network) {
        let parameter = definition.signature.place().map_or("hash", Place::name);
        let target = format!("/pb/n?uid=u1&{parameter}=0123456789abcdef0123456789abcdef");
        let said = explained(&definition, &Call::get(ORIGIN, &target), "s3cret").to_string();
        assert!(
            !said.contains("s3cret") && !said.contains("0123456789abcdef"),
            "{}: {said}",
            definition.name
        );
    }
}
