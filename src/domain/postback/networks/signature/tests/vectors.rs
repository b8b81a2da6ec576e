//! Known signatures.

use super::*;
use crate::text::hex;

/// A concat of the usual fields with this digest; the signature is in `sig`.
fn concat(parts: &str, separator: &str, digest: &str) -> Definition {
    usual(&format!(
        "message = {{ concat = {{ parts = [{parts}], separator = \"{separator}\", decoded = true }} }}\n\
         digest = \"{digest}\"\nencoding = \"hex\"\nat = {{ query = \"sig\" }}"
    ))
}

fn url(form: &str, digest: &str, encoding: &str, parameter: &str) -> Definition {
    usual(&format!(
        "message = {{ url = \"{form}\" }}\ndigest = \"{digest}\"\nencoding = \"{encoding}\"\nat = {{ query = \"{parameter}\" }}"
    ))
}

#[test]
fn the_published_vectors_of_bitlabs_verify() {
    let bitlabs = shipped_definition("bitlabs");
    let check = |origin, hash: &str| {
        let target = format!("/complete?uid=8cc877ee-af19-488d-b28d-216fb866b996&val=500&hash={hash}");
        let keys = keys("JLOIAUNMHFli7ZJOQVEzm98rzqnm9");
        bitlabs.verify(&Call::get(origin, &target), &keys, NOW)
    };
    let published = "dbcd6bb8ca677344592842a52b4fca9bec36cd4b";
    assert_eq!(check("https://publisher.com", published), Ok(Verified::Secret(1)));
    assert_eq!(check("https://publisher.com", &published.to_uppercase()), Ok(Verified::Secret(1)));
    let over_http = "2ede1447ddff4dee9b9cbdc2e795efdd0e5aeb97";
    assert_eq!(check("http://publisher.com", over_http), Ok(Verified::Secret(1)));
    for (origin, hash) in [
        ("http://publisher.com", published),
        ("https://publisher.com", over_http),
        ("https://publisher.com", "38a6dcb3012ee93e8f9b95748557a5281a21cc33"),
    ] {
        assert_eq!(check(origin, hash), Err(Refusal::Wrong));
    }
    // Its second sample has an empty secret, which no source can have.
    let digest = Digest::HmacSha1.of(b"", b"http://url.com?param1=foo&param2=bar");
    assert_eq!(hex(&digest), "3171f6b78e06cadcec4c9c3b15f858b8400e8738");
}

#[test]
fn signed_urls_verify_in_their_own_form_only() {
    const TARGET: &str = "/pb/targo?uid=abc123&tx=T-1&reward=500&payout=1.00&status=1";
    const ENCODED: &str = "/pb/targo?uid=a%20b%2Bc&name=Caf%C3%A9+Quest&reward=500&status=2";
    for (target, form, digest, encoding, parameter, signature) in [
        (TARGET, "empty", "hmac-sha1", "hex", "hash", "be5b54b732274ab3cec8a049180c94560a782826"),
        (TARGET, "cut", "hmac-sha1", "hex", "hash", "3a99d7d440d365d1035c22e7113ade39396de9fd"),
        (ENCODED, "cut", "hmac-sha1", "hex", "hash", "5f136bd01c9818e6c84c4ab68a9f0f4a5e866ed4"),
        (ENCODED, "empty", "hmac-sha1", "hex", "hash", "6b70f9e0852c095315102b3f0514a715e1273733"),
        (TARGET, "cut", "hmac-sha1", "base64url", "hash", "OpnX1EDTZdEDXCLnETreOTlt6f0"),
        (
            TARGET,
            "cut",
            "hmac-sha256",
            "hex",
            "verifier",
            "644aeb6748462a3bee1b96b5e603d1775124501ce74d87a8f299347ff2914980",
        ),
    ] {
        let definition = url(form, digest, encoding, parameter);
        let signed = format!("{target}&{parameter}={signature}");
        assert_eq!(verify(&definition, &signed, &test_keys()), Ok(Verified::Secret(1)), "{signed}");
        let other = url(if form == "cut" { "empty" } else { "cut" }, digest, encoding, parameter);
        assert_eq!(verify(&other, &signed, &test_keys()), Err(Refusal::Wrong), "{signed}");
        let call = Call::get(ORIGIN, target);
        let keys = Keys { secrets: vec![Secret::new("test-secret").expect("a secret")], ..Keys::default() };
        assert_eq!(definition.sign(&call, &keys, NOW).expect("signed").target, signed);
    }
    let behind_a_proxy = format!("{TARGET}&hash=ac7982bfb3c13cd2ba8e0bc8cb7c460d6464dd00");
    let definition = url("cut", "hmac-sha1", "hex", "hash");
    assert_eq!(verify(&definition, &behind_a_proxy, &test_keys()), Err(Refusal::Wrong));
    let call = Call::get("http://gw.example.com", &behind_a_proxy);
    assert_eq!(definition.verify(&call, &test_keys(), NOW), Ok(Verified::Secret(1)));
}

#[test]
fn concatenated_values_verify_in_every_order_and_with_every_separator() {
    for (parts, separator, digest, query, signature) in [
        ("'tx_id', 'secret'", "-", "md5", "uid=abc123&tx=1001", "c54809464f517b51819a9b28ef390fb0"),
        (
            "'offer_id', 'user_id', 'secret'",
            "-",
            "md5",
            "uid=abc123&offer=123",
            "0e07d3554d23e9d164d196615c0001c5",
        ),
        (
            "'user_id', 'tx_id', 'reward', 'secret'",
            "",
            "md5",
            "uid=abc123&tx=T-1&reward=500",
            "84710ab87bad524dff9a07beba24bf17",
        ),
        (
            "'user_id', 'tx_id', 'payout', 'secret'",
            "",
            "md5",
            "uid=abc123&tx=T-1&payout=1.00",
            "c55f55569990f108f0c6466cdaaa5544",
        ),
        (
            "'user_id', 'reward', 'secret'",
            ":",
            "md5",
            "uid=abc123&reward=500",
            "952322ebdbf62e3e576c488e836edb87",
        ),
        (
            "'tx_id', 'user_id', 'reward', 'secret'",
            ":",
            "md5",
            "uid=abc123&tx=T-1&reward=500",
            "84896f3070b0aff2f874cbc1f2341314",
        ),
        (
            "'tx_id', 'reward', 'user_id', 'secret'",
            ":",
            "md5",
            "uid=abc123&tx=T-1&reward=500",
            "7526bfd5027cada71eb41b8801566aca",
        ),
        (
            "{ parameter = 'timestamp' }, 'tx_id', 'user_id', 'reward', 'secret'",
            "",
            "md5",
            "timestamp=202601021455&tx=E1&uid=abc123&reward=500",
            "31b28f9d7bdfc24a06965916237ec8c9",
        ),
        ("'user_id', 'tx_id', 'secret'", "", "md5", "uid=abc123&tx=T-1", "48f054cefc23aad9b942dfbef43ca596"),
        (
            "'secret', 'user_id', { field = 'reward', integer = true }, 'tx_id'",
            ".",
            "md5",
            "uid=abc123&tx=T-1&reward=100.1234",
            "803b541befa6fd8cdbabdf8f8b779e66",
        ),
        (
            "'secret', 'user_id', 'reward', 'tx_id', { series = 'pub', from = 0, to = 9 }",
            "",
            "sha1",
            "pub1=p1&pub0=p0&uid=abc123&tx=T-1&reward=500",
            "da30352ad53a093fddd8ba623b62a960bf8e364a",
        ),
        (
            "'user_id', 'payout', 'secret'",
            "",
            "sha256",
            "uid=abc123&payout=1.00",
            "ba260f2044bb2617f375e203972c21f4e0536229ecc70067e08b7b36949b0205",
        ),
        (
            "'user_id', 'ip', 'payout', 'reward', 'secret'",
            "",
            "sha256",
            "uid=abc123&ip=203.0.113.7&payout=1.00&reward=500",
            "ff870e02bf6a258036fc0c8bd50a18b5fa7c4dd92561351645d81edad8347a1d",
        ),
    ] {
        let definition = concat(&parts.replace('\'', "\""), separator, digest);
        let target = format!("/pb/t?{query}&sig={signature}");
        assert_eq!(verify(&definition, &target, &test_keys()), Ok(Verified::Secret(1)), "{parts}");
        // The place of the signature does not count.
        let target = format!("/pb/t?sig={signature}&{query}");
        assert_eq!(verify(&definition, &target, &test_keys()), Ok(Verified::Secret(1)), "{parts}");
    }
}

#[test]
fn a_second_secret_is_part_of_the_message() {
    let definition =
        concat("\"user_id\", \"offer_id\", \"reward\", \"second_secret\", \"secret\"", "", "sha1");
    let target = "/pb/t?uid=abc123&offer=9&reward=500&sig=e1b4fb7f7474e5a429babbb43719d17ea853c31f";
    let second = |texts: &[&str]| texts.iter().filter_map(|text| Secret::new(*text)).collect();
    let keys = Keys { second: second(&["old", "appkey"]), ..test_keys() };
    assert_eq!(verify(&definition, target, &keys), Ok(Verified::Secret(1)));
    let keys = Keys { second: second(&["old"]), ..test_keys() };
    assert_eq!(verify(&definition, target, &keys), Err(Refusal::Wrong));
    assert_eq!(verify(&definition, target, &test_keys()), Err(Refusal::NoKey("second secret")));
}

#[test]
fn inputs_that_networks_publish_give_the_computed_digests() {
    let pubscale =
        concat("\"secret\", \"user_id\", { field = \"reward\", integer = true }, \"tx_id\"", ".", "md5");
    let target = "/pb/t?uid=30356439-8d15-4f47-B133-010a37C19eBD&reward=100.1234\
        &tx=525a5B8e-512b-441A-a10B-72d218c370e5&sig=918809ac0e5fcc1960c8875d9e9c8e80";
    let secret = keys("fa072672-d432-11c4-885a-EB1CdEc4Bb13");
    assert_eq!(verify(&pubscale, target, &secret), Ok(Verified::Secret(1)));
    let lootably = concat("\"user_id\", \"ip\", \"payout\", \"reward\", \"secret\"", "", "sha256");
    for user in ["some%20userID", "some+userID"] {
        let target = format!(
            "/pb/t?uid={user}&ip=1.1.1.&payout=0.01&reward=1\
             &sig=192be178a21dc60858a372784d260f31400b385033fac53de74fa91a8ce380eb"
        );
        let secret = keys("j28eh8ahjsd2hjq8ashd829qyha8sdh2qha8sdhy");
        assert_eq!(verify(&lootably, &target, &secret), Ok(Verified::Secret(1)));
    }
}

fn sorted(encode: &str, more: &str) -> Definition {
    network(
        "query",
        "user_id = { parameter = \"user_id\" }\nreward = { parameter = \"amount\" }",
        &format!(
            "message = {{ sorted = {{ encode = \"{encode}\"{more} }} }}\ndigest = \"hmac-sha256\"\n\
             encoding = \"hex\"\nat = {{ header = \"X-Hash\" }}"
        ),
    )
}

#[test]
fn the_sorted_query_of_ayet_verifies_in_any_order() {
    let target = "/pb/t?transaction_id=8ee08f32ae611231b0a49d1bd66e9bf193132561&amount=0.10&payout=1.50\
        &user_id=testuser123456&click_id=1234abcd5678021";
    let headers: [(&str, &[u8]); 1] =
        [("x-hash", b"3191f052846df1beee6c1d42030fee7448ff8fc47a417bf714c2e0a1308fc010")];
    let call = Call { headers: &headers, ..Call::get(ORIGIN, target) };
    let keys = keys("9f2228fea0d8e7ce10b2ac36053db14c");
    for encode in ["form", "rfc3986", "double", "none"] {
        assert_eq!(sorted(encode, "").verify(&call, &keys, NOW), Ok(Verified::Secret(1)), "{encode}");
    }
    assert_eq!(sorted("form", ", pair = \",\"").verify(&call, &keys, NOW), Err(Refusal::Wrong));
}

#[test]
fn sorted_parameters_are_written_as_the_definition_says() {
    let target = "/pb/t?b=x*~&user_id=a+b%2Bc&amount=&c=1&c=0&secret=s";
    for (encode, more, message) in [
        ("form", ", drop = [\"secret\"]", "amount=&b=x%2A%7E&c=1&c=0&user_id=a+b%2Bc"),
        ("rfc3986", ", drop = [\"secret\", \"c\"]", "amount=&b=x%2A~&user_id=a%20b%2Bc"),
        ("double", ", drop = [\"secret\", \"c\"]", "amount=&b=x%252A%257E&user_id=a%2Bb%252Bc"),
        ("none", ", drop = [\"c\"], pair = \",\"", "amount=,b=x*~,secret=s,user_id=a b+c"),
    ] {
        let definition = sorted(encode, more);
        let digest = hex(&Digest::HmacSha256.of(b"test-secret", message.as_bytes()));
        let headers: [(&str, &[u8]); 1] = [("X-HASH", digest.as_bytes())];
        let call = Call { headers: &headers, ..Call::get(ORIGIN, target) };
        assert_eq!(definition.verify(&call, &test_keys(), NOW), Ok(Verified::Secret(1)), "{message}");
    }
}

#[test]
fn empty_values_of_pollfish_are_left_out_of_what_is_signed() {
    let definition = network(
        "query",
        "user_id = { parameter = \"uid\" }\npayout = { parameter = \"cpa\", unit = \"usd_cents\" }",
        "message = { concat = { parts = [{ parameter = \"click\", omit_when_empty = true }, \
         { parameter = \"cpa\", omit_when_empty = true }, { parameter = \"device\", omit_when_empty = true }, \
         { parameter = \"term\", omit_when_absent = true }, { parameter = \"time\" }, { parameter = \"tx\" }], \
         separator = \":\", decoded = true } }\n\
         digest = \"hmac-sha1\"\nencoding = \"base64\"\nat = { query = \"sig\" }",
    );
    let query = "cpa=30&device=my%2Ddevice-id&time=1463152452308&tx=08f31d41d800cc7a0beb7eb4897639a8ba7fd7db";
    for (more, signature, expected) in [
        ("&click=", "PmdfJgPmNPYJjIZQCsl0vtUmqzw%3D", Ok(Verified::Secret(1))),
        ("", "PmdfJgPmNPYJjIZQCsl0vtUmqzw=", Ok(Verified::Secret(1))),
        ("&term=", "PmdfJgPmNPYJjIZQCsl0vtUmqzw=", Err(Refusal::Wrong)),
        // Published with a secret that is not: it is well formed, and not ours.
        ("", "BbgBlH5HODk%2FSKw3MQuvqM%2BgTxQ%3D", Err(Refusal::Wrong)),
    ] {
        let target = format!("/pb/t?{query}{more}&sig={signature}");
        assert_eq!(verify(&definition, &target, &test_keys()), expected, "{target}");
    }
}

#[test]
fn a_signed_body_verifies_byte_for_byte() {
    let definition = network(
        "json",
        "user_id = { parameter = \"user.id\" }\ntx_id = { parameter = \"id\" }\nreward = { parameter = \"reward\" }",
        "message = \"body\"\ndigest = \"hmac-sha256\"\nencoding = \"hex\"\nat = { header = \"X-Signature\" }",
    );
    let body = br#"{"id":"T-1","user":{"id":"abc123"}}"#;
    let headers: [(&str, &[u8]); 1] =
        [("x-signature", b"6fa6cec572295dee97a21ca5b6bc4af17350aad99733da96d45ee8f4c3d220fa")];
    let check = |body: &[u8]| definition.verify(&post("/pb/t", &headers, body), &test_keys(), NOW);
    assert_eq!(check(body), Ok(Verified::Secret(1)));
    assert_eq!(check(br#"{"id":"T-1", "user":{"id":"abc123"}}"#), Err(Refusal::Wrong));
    assert_eq!(definition.coverage().uncovered().count(), 0);
}

#[test]
fn a_signed_time_and_body_verify_while_they_are_fresh() {
    let definition = network(
        "json",
        "user_id = { parameter = \"id\" }\nreward = { parameter = \"reward\" }",
        "message = { timestamp_body = { part = \"t\", window_seconds = 300 } }\ndigest = \"hmac-sha256\"\n\
         encoding = \"hex\"\nat = { header = \"X-MMOLove-Signature\", part = \"v1\" }",
    );
    let value: &[u8] = b"t=1733500000, v1=5a5219d7b4b2ade8f34fb27ebde8d85d3ed6b8bc040eeb6bf3443ce1bf497eed";
    let headers = [("x-mmolove-signature", value)];
    let call = post("/pb/t", &headers, br#"{"id":"T-1"}"#);
    let at = |seconds: i64| definition.verify(&call, &test_keys(), TimestampMs(NOW.0 + seconds * 1_000));
    for seconds in [-300, 0, 300] {
        assert_eq!(at(seconds), Ok(Verified::Secret(1)));
    }
    assert_eq!(at(301), Err(Refusal::Stale { age_s: 301, window_s: 300 }));
    assert_eq!(at(-301), Err(Refusal::Stale { age_s: -301, window_s: 300 }));
}
