//! Which line of a definition a captured call contradicts.

use super::*;
use crate::text::hex;

fn nearest(definition: &Definition, target: &str) -> Option<String> {
    let call = Call::get(ORIGIN, target);
    let (differences, verified) = definition.nearest(&call, &test_keys(), NOW, &["http://gw.example.com"])?;
    assert_eq!(verified, Verified::Secret(1));
    Some(differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

#[test]
fn a_captured_url_tells_its_form_its_origin_and_its_digest() {
    let targo = shipped_definition("targo");
    let url = "/pb/targo?uid=abc123&tx=T-1&reward=500&payout=1.00&status=1&hash=";
    for (hash, line) in [
        ("be5b54b732274ab3cec8a049180c94560a782826", Some("")),
        ("3a99d7d440d365d1035c22e7113ade39396de9fd", Some("message = { url = \"cut\" }")),
        (
            "ac7982bfb3c13cd2ba8e0bc8cb7c460d6464dd00",
            Some(
                "message = { url = \"cut\" }; signed for http://gw.example.com: set the public origin to it",
            ),
        ),
        ("OpnX1EDTZdEDXCLnETreOTlt6f0", Some("message = { url = \"cut\" }; encoding = \"base64url\"")),
        (
            "644aeb6748462a3bee1b96b5e603d1775124501ce74d87a8f299347ff2914980",
            Some("message = { url = \"cut\" }; digest = \"hmac-sha256\""),
        ),
        ("0000000000000000000000000000000000000000", None),
        ("dbcd6bb892842a52b4fca9bec36cd4b", None),
    ] {
        assert_eq!(nearest(&targo, &format!("{url}{hash}")).as_deref(), line, "{hash}");
    }
}

#[test]
fn a_captured_concatenation_tells_its_order_separator_and_decoding() {
    let family = shipped_definition("md5-family");
    let target = |message: &str, digest: Digest| {
        let digest = hex(&digest.of(b"", message.as_bytes()));
        format!("/pb/n?subId=a%20b&transId=T&reward=5&signature={digest}")
    };
    for (message, digest, line) in [
        ("a bT5test-secret", Digest::Md5, ""),
        ("a%20bT5test-secret", Digest::Md5, "decoded = false"),
        ("a b-T-5-test-secret", Digest::Md5, "separator = \"-\""),
        ("Ta b5test-secret", Digest::Md5, "parts in the order tx_id, user_id, reward, secret"),
        ("a bT5test-secret", Digest::Sha256, "digest = \"sha256\""),
        (
            "test-secret:a b:T:5",
            Digest::Md5,
            "parts in the order secret, user_id, tx_id, reward; separator = \":\"",
        ),
    ] {
        assert_eq!(nearest(&family, &target(message, digest)).as_deref(), Some(line), "{message}");
    }
    assert_eq!(nearest(&family, &target("a bT6test-secret", Digest::Md5)), None);
}

#[test]
fn captured_sorted_parameters_tell_their_encoding() {
    let ayet = shipped_definition("ayet-studios");
    let digest = hex(&Digest::HmacSha256.of(b"test-secret", b"amount=5&user=a%2Bb"));
    let headers: [(&str, &[u8]); 1] = [("x-ayetstudios-security-hash", digest.as_bytes())];
    let call = Call { headers: &headers, ..Call::get(ORIGIN, "/pb/n?user=a+b&amount=5") };
    let (differences, _) = ayet.nearest(&call, &test_keys(), NOW, &[]).expect("found");
    assert_eq!(differences, [Difference::Sorted(SortedEncoding::Double, Pair::Ampersand)]);
    assert_eq!(differences[0].to_string(), "encode = \"double\", pair = \"&\"");
}
