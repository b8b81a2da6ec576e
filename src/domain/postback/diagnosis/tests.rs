use proptest::prelude::*;

use super::*;
use crate::postback::signature::sign;

const ORIGIN: &str = "https://gw.example.com";
const TARGET: &str = "/pb/targo?uid=a%20b%2Bc&tx=T-1&name=Caf%C3%A9+Quest&status=1";
const KEY: &str = "test-secret";

fn secret(text: &str) -> Secret {
    Secret::new(text).expect("not empty")
}

fn diagnosis(target: &str, origin: &str, form: SignatureForm, key: &str) -> Diagnosis {
    diagnose(&Suspect {
        target,
        origin,
        other_hosts: &["127.0.0.1:8080".into()],
        form,
        secrets: &[secret("retired"), secret(key)],
        other_secrets: &[("other".into(), secret("secret of another"))],
        carried: None,
        dashboard: None,
    })
}

/// A call that was signed for `origin`, looked at with what else is known.
fn looked_at(signed_for: &str, body: &str, dashboard: Option<&str>) -> Diagnosis {
    diagnose(&Suspect {
        target: &sign(signed_for, TARGET, SignatureForm::Empty, &secret(KEY)),
        origin: ORIGIN,
        other_hosts: &[],
        form: SignatureForm::Empty,
        secrets: &[secret(KEY)],
        other_secrets: &[],
        carried: Carried::of(body.as_bytes()).as_ref(),
        dashboard,
    })
}

#[test]
fn host_and_secret_are_equally_likely_until_the_dashboard_is_known() {
    let elsewhere = "https://api.other.example";
    let unknown = looked_at(elsewhere, "", None).to_string();
    for said in ["another host than gw.example.com", "secret is another one", "equally likely", "--dashboard"]
    {
        assert!(unknown.contains(said), "{said}: {unknown}");
    }
    let url = "https://api.other.example/pb/targo?uid={user_id}&tx={tx_id}";
    let found = looked_at(elsewhere, "", Some(url));
    assert_eq!(found, Diagnosis::Deviates(vec![origin(elsewhere, ORIGIN)]));
    let prefixed =
        looked_at("https://x.example/gate", "", Some("https://x.example/gate/pb/targo?uid={user_id}"));
    assert_eq!(prefixed, Diagnosis::Deviates(vec![origin("https://x.example/gate", ORIGIN)]));
    let secret = looked_at(elsewhere, "", Some("https://gw.example.com/pb/targo")).to_string();
    assert!(secret.contains("the secret is another one") && !secret.contains("equally"), "{secret}");
    for odd in ["", "nonsense", "https://", "://", "https://é/?#", "?"] {
        assert!(matches!(looked_at(elsewhere, "", Some(odd)), Diagnosis::Unexplained(_)), "{odd}");
    }
}

#[test]
fn another_form_of_the_same_host_is_mended_in_the_dashboard() {
    for (signed, dashboard) in [
        ("https://gw.example.com:443", None),
        ("https://GW.example.com", Some("https://GW.example.com/pb/targo")),
        ("https://gw.example.com.", Some("https://gw.example.com./pb/targo")),
    ] {
        let found = looked_at(signed, "", dashboard);
        assert_eq!(found, Diagnosis::Deviates(vec![origin(signed, ORIGIN)]));
        assert!(
            found.to_string().contains("write it like that in the URL of the network's dashboard"),
            "{found}"
        );
    }
}

#[test]
fn fields_that_came_in_the_body_are_named_with_what_to_change() {
    let look = |target: &str, body: &str| {
        diagnose(&Suspect {
            target,
            origin: ORIGIN,
            other_hosts: &[],
            form: SignatureForm::Empty,
            secrets: &[secret(KEY)],
            other_secrets: &[],
            carried: Carried::of(body.as_bytes()).as_ref(),
            dashboard: None,
        })
    };
    let form = "user_id=u1&tx_id=T1&hash=0000000000000000000000000000000000000000";
    for (target, body) in [
        ("/pb/targo", form),
        ("/pb/targo?", form),
        ("/pb/targo?click=1", form),
        ("/pb/targo?hash=0000000000000000000000000000000000000000", "user_id=u1&tx_id=T1"),
        ("/pb/targo", "{\"user_id\":\"u1\",\"tx_id\":\"T1\"}"),
    ] {
        let said = look(target, body).to_string();
        for part in ["the fields came in the body", "user_id", "tx_id", "set the method to GET"] {
            assert!(said.contains(part), "{target} {body}: {said}");
        }
        assert!(!said.contains("u1") && !said.contains("T1"), "a value is shown: {said}");
    }
    let signed = sign(ORIGIN, TARGET, SignatureForm::Empty, &secret(KEY));
    assert_eq!(look(&signed, form), Diagnosis::Verifies, "a body beside a signed URL is no fault");
}

/// Signed for [`ORIGIN`] in the documented form with [`KEY`], then `changed` on the way.
fn on_the_way(change: impl Fn(String) -> String) -> Diagnosis {
    let signed = sign(ORIGIN, TARGET, SignatureForm::Empty, &secret(KEY));
    diagnosis(&change(signed), ORIGIN, SignatureForm::Empty, KEY)
}

fn origin(signed: &str, expected: &str) -> Deviation {
    Deviation::Origin { signed: signed.into(), expected: expected.into() }
}

#[test]
fn what_verifies_is_said_to() {
    assert_eq!(on_the_way(|signed| signed), Diagnosis::Verifies);
}

#[test]
fn another_scheme_or_host_is_named_with_what_to_set() {
    for wrong in ["http://gw.example.com", "https://www.gw.example.com", "https://gw.example.com:443"] {
        let signed = sign(ORIGIN, TARGET, SignatureForm::Empty, &secret(KEY));
        let found = diagnosis(&signed, wrong, SignatureForm::Empty, KEY);
        assert_eq!(found, Diagnosis::Deviates(vec![origin(ORIGIN, wrong)]));
    }
    let signed = sign("http://127.0.0.1:8080", TARGET, SignatureForm::Empty, &secret(KEY));
    let found = diagnosis(&signed, ORIGIN, SignatureForm::Empty, KEY).to_string();
    assert!(found.contains("set `public_url` to http://127.0.0.1:8080"), "{found}");
}

#[test]
fn the_published_vectors_are_told_apart() {
    let target =
        |hash: &str| format!("/pb/targo?uid=abc123&tx=T-1&reward=500&payout=1.00&status=1&hash={hash}");
    let cut = target("3a99d7d440d365d1035c22e7113ade39396de9fd");
    let form = Deviation::Form(SignatureForm::Cut);
    let found = diagnosis(&cut, ORIGIN, SignatureForm::Empty, KEY);
    assert_eq!(found, Diagnosis::Deviates(vec![form.clone()]));
    let proxy = target("ac7982bfb3c13cd2ba8e0bc8cb7c460d6464dd00");
    let found = diagnosis(&proxy, ORIGIN, SignatureForm::Empty, KEY);
    assert_eq!(found, Diagnosis::Deviates(vec![origin("http://gw.example.com", ORIGIN), form]));
    let sample = diagnosis(&target("dbcd6bb892842a52b4fca9bec36cd4b"), ORIGIN, SignatureForm::Empty, KEY);
    assert!(sample.to_string().contains("31 digits"), "{sample}");
}

#[test]
fn secrets_that_are_mixed_up_quoted_or_hexadecimal_are_found() {
    for (signed_with, configured, deviation) in [
        ("secret of another", KEY, Deviation::SecretOf("other".into())),
        (KEY, " \"test-secret\"\t", Deviation::SecretTrimmed),
        (KEY, "746573742d736563726574", Deviation::SecretIsHex),
    ] {
        let signed = sign(ORIGIN, TARGET, SignatureForm::Empty, &secret(signed_with));
        let found = diagnosis(&signed, ORIGIN, SignatureForm::Empty, configured);
        assert_eq!(found, Diagnosis::Deviates(vec![deviation]));
    }
}

#[test]
fn what_a_proxy_did_to_the_query_is_found() {
    type Change = fn(String) -> String;
    let cases: [(Change, Encoding); 3] = [
        (|url| url.replace('+', "%20"), Encoding::PlusBecamePercent),
        (|url| url.replace("%C3%A9", "%c3%a9").replace("%2B", "%2b"), Encoding::UpperCaseEscapes),
        (|url| url.replace("&amp;", "&"), Encoding::Entities),
    ];
    for (change, encoding) in cases {
        let target = match encoding {
            Encoding::Entities => TARGET.replace('&', "&amp;"),
            // Two encodings of a blank in one URL could not be told apart.
            _ => TARGET.replace("%20", ""),
        };
        let signed = sign(ORIGIN, &target, SignatureForm::Empty, &secret(KEY));
        let found = diagnosis(&change(signed), ORIGIN, SignatureForm::Empty, KEY);
        assert_eq!(found, Diagnosis::Deviates(vec![Deviation::Encoding(encoding)]));
    }
}

#[test]
fn a_hash_that_was_moved_or_capitalised_is_found() {
    let moved = on_the_way(|signed| {
        let (rest, hash) = signed.rsplit_once('&').expect("a hash");
        rest.replacen('?', &format!("?{hash}&"), 1)
    });
    assert_eq!(moved, Diagnosis::Deviates(vec![Deviation::HashMoved]));
    let upper = on_the_way(|signed| {
        let (rest, hash) = signed.rsplit_once('=').expect("a hash");
        format!("{rest}={}", hash.to_uppercase())
    });
    assert_eq!(upper, Diagnosis::Deviates(vec![Deviation::UpperCaseHash]));
}

#[test]
fn parameters_that_were_signed_sorted_are_found() {
    let sorted = "/pb/targo?name=x&status=1&tx=T-1&uid=u";
    let signed = sign(ORIGIN, sorted, SignatureForm::Empty, &secret(KEY));
    let arrived = signed.replace("name=x&status=1&tx=T-1&uid=u", "uid=u&tx=T-1&name=x&status=1");
    let found = diagnosis(&arrived, ORIGIN, SignatureForm::Empty, KEY);
    assert_eq!(found, Diagnosis::Deviates(vec![Deviation::Sorted]));
}

#[test]
fn a_forged_call_is_not_explained() {
    let found = on_the_way(|signed| signed.replace("status=1", "status=2"));
    assert!(matches!(found, Diagnosis::Unexplained(_)), "{found}");
}

proptest! {
    #[test]
    fn neither_a_secret_nor_a_valid_hash_is_ever_shown(target in "/pb/[a-z]{1,5}\\?[a-z=&%0-9+]{0,30}", http in any::<bool>()) {
        prop_assume!(!target.contains("hash="));
        let wrong = if http { "http://gw.example.com" } else { "https://other.example.com" };
        let signed = sign(ORIGIN, &target, SignatureForm::Cut, &secret(KEY));
        let valid = sign(wrong, &target, SignatureForm::Empty, &secret(KEY));
        let (_, valid) = valid.rsplit_once('=').expect("a hash");
        let shown = diagnosis(&signed, wrong, SignatureForm::Empty, KEY).to_string();
        prop_assert!(!shown.contains(KEY) && !shown.contains(valid), "{}", shown);
    }

    #[test]
    fn no_target_makes_it_panic(target in "\\PC{0,60}") {
        let _ = diagnosis(&target, ORIGIN, SignatureForm::Empty, KEY);
    }
}
