//! Why calls are refused.

use super::*;

fn url() -> Definition {
    usual(
        "message = { url = \"cut\" }\ndigest = \"hmac-sha1\"\nencoding = \"hex\"\nat = { query = \"hash\" }",
    )
}

fn concat(more: &str) -> Definition {
    usual(&format!(
        "message = {{ concat = {{ parts = [\"user_id\", \"tx_id\", {more} \"secret\"] }} }}\n\
         digest = \"md5\"\nencoding = \"hex\"\nat = {{ query = \"sig\" }}"
    ))
}

const DIGITS: &str = "84710ab87bad524dff9a07beba24bf17";

#[test]
fn a_missing_repeated_or_malformed_signature_is_refused_with_the_reason() {
    let place = || "parameter `hash` in the URL".to_owned();
    let malformed = || Refusal::Malformed("the right number of hexadecimal digits");
    let good = "3a99d7d440d365d1035c22e7113ade39396de9fd";
    for (query, refusal) in [
        (String::new(), Refusal::Missing(place())),
        ("a=1".into(), Refusal::Missing(place())),
        ("hash".into(), Refusal::Missing(place())),
        (format!("hash={good}&hash={good}"), Refusal::Repeated(place())),
        (format!("hash={good}&a=1"), Refusal::NotLast("hash".into())),
        ("hash=".into(), malformed()),
        ("hash=dbcd6bb892842a52b4fca9bec36cd4b".into(), malformed()),
        (format!("hash={}g", &good[1..]), malformed()),
        (format!("hash={good}00"), malformed()),
        (format!("hash={good}"), Refusal::Wrong),
    ] {
        let target = format!("/pb/t?{query}");
        assert_eq!(verify(&url(), &target, &test_keys()), Err(refusal), "{query}");
    }
    assert_eq!(verify(&url(), "/pb/t", &test_keys()), Err(Refusal::Missing(place())));
    let target = format!("/pb/t?hash={good}");
    assert_eq!(verify(&url(), &target, &Keys::default()), Err(Refusal::NoKey("secret")));
}

#[test]
fn a_signed_parameter_that_is_missing_or_repeated_is_named() {
    for (query, refusal) in [
        ("uid=a", Refusal::MissingPart("tx".into())),
        ("uid=a&tx=1&tx=2", Refusal::Repeated("`tx`".into())),
        ("uid=a&tx=1&%74x=2", Refusal::Repeated("`tx`".into())),
        ("uid=a&tx=", Refusal::Wrong),
    ] {
        let target = format!("/pb/t?{query}&sig={DIGITS}");
        assert_eq!(verify(&concat(""), &target, &test_keys()), Err(refusal), "{query}");
    }
    let integer = concat("{ field = \"reward\", integer = true },");
    for reward in ["", "-", ".", "1e3", "1,5", "+1", "abc", "1.2.3"] {
        let target = format!("/pb/t?uid=a&tx=1&reward={reward}&sig={DIGITS}");
        let refusal = Err(Refusal::NotInteger("reward".into()));
        assert_eq!(verify(&integer, &target, &test_keys()), refusal, "{reward}");
    }
}

#[test]
fn whole_numbers_are_cut_as_a_cast_does() {
    let integer = concat("{ field = \"reward\", integer = true },");
    for (reward, signed) in
        [("7.9", "7"), ("-7.9", "-7"), ("-0.5", "0"), (".5", "0"), ("007", "7"), ("5.", "5")]
    {
        let digest = Digest::Md5.of(b"", format!("a1{signed}test-secret").as_bytes());
        let target = format!("/pb/t?uid=a&tx=1&reward={reward}&sig={}", Encoding::Hex.encode(&digest));
        assert_eq!(verify(&integer, &target, &test_keys()), Ok(Verified::Secret(1)), "{reward}");
    }
}

#[test]
fn values_are_signed_as_received_unless_the_definition_says_decoded() {
    let digest = |message: &str| Encoding::Hex.encode(&Digest::Md5.of(b"", message.as_bytes()));
    let target = |message: &str| format!("/pb/t?uid=a%20b&tx=1&sig={}", digest(message));
    assert_eq!(verify(&concat(""), &target("a%20b1test-secret"), &test_keys()), Ok(Verified::Secret(1)));
    assert_eq!(verify(&concat(""), &target("a b1test-secret"), &test_keys()), Err(Refusal::Wrong));
}

#[test]
fn two_parses_of_one_concatenation_have_the_same_signature() {
    let digest = Encoding::Hex.encode(&Digest::Md5.of(b"", b"abc12test-secret"));
    for query in ["uid=abc&tx=12", "uid=ab&tx=c12"] {
        let target = format!("/pb/t?{query}&sig={digest}");
        assert_eq!(verify(&concat(""), &target, &test_keys()), Ok(Verified::Secret(1)));
    }
    assert!(!concat("").coverage().values_are_separated);
}

#[test]
fn a_signature_in_a_form_or_in_json_is_found_there_only() {
    let signature = "message = { concat = { parts = [\"user_id\", \"tx_id\", \"secret\"] } }\n\
        digest = \"md5\"\nencoding = \"hex\"\n";
    let digest = "48f054cefc23aad9b942dfbef43ca596";
    let form = network("form", USUAL, &format!("{signature}at = {{ form = \"Sig\" }}"));
    let body = format!("uid=abc123&tx=T-1&Sig={digest}");
    assert_eq!(form.verify(&post("/pb/t", &[], body.as_bytes()), &test_keys(), NOW), Ok(Verified::Secret(1)));
    let get = format!("/pb/t?{body}");
    assert_eq!(verify(&form, &get, &test_keys()), Ok(Verified::Secret(1)), "of a GET, in the URL");
    assert!(form.verify(&post(&get, &[], b""), &test_keys(), NOW).is_err(), "of a POST, in the body");
    let multipart = format!(
        "--b\r\nContent-Disposition: form-data; name=\"uid\"\r\n\r\nabc123\r\n--b\r\nContent-Disposition: form-data; \
         name=\"tx\"\r\n\r\nT-1\r\n--b\r\nContent-Disposition: form-data; name=\"Sig\"\r\n\r\n{digest}\r\n--b--\r\n"
    );
    let headers: [(&str, &[u8]); 1] = [("content-type", b"multipart/form-data; boundary=b")];
    let call = post("/pb/t", &headers, multipart.as_bytes());
    assert_eq!(form.verify(&call, &test_keys(), NOW), Ok(Verified::Secret(1)));

    let json = network("json", USUAL, &format!("{signature}at = {{ json = \"auth.Sig\" }}"));
    let body = format!("{{\"uid\":\"abc123\",\"tx\":\"T-1\",\"auth\":{{\"Sig\":\"{digest}\"}}}}");
    let check = |body: &str| json.verify(&post("/pb/t", &[], body.as_bytes()), &test_keys(), NOW);
    assert_eq!(check(&body), Ok(Verified::Secret(1)));
    assert!(matches!(check("{\"uid\":\"abc123\"}"), Err(Refusal::Missing(_))));
    assert!(matches!(check("{\"auth\":"), Err(Refusal::Body(_))));
    assert!(matches!(check(&body.replace("\"tx\"", "\"uid\"")), Err(Refusal::Repeated(_))));
}

#[test]
fn a_shared_secret_is_compared_wherever_it_stands() {
    let fields = "user_id = { parameter = \"uid\" }\nreward = { parameter = \"reward\" }";
    let secret = Keys { secrets: vec![Secret::new("s e/c").expect("a secret")], ..Keys::default() };
    for (at, right, wrong) in [
        ("{ query = \"key\" }", "/pb/t?key=s%20e%2Fc&uid=a", "/pb/t?key=s%20e%2Fd&uid=a"),
        ("{ path = \"last\" }", "/pb/t/s%20e%2Fc?uid=a", "/pb/t?uid=a"),
        ("{ path = \"last\" }", "/pb/t/s%20e%2Fc", "/pb/t/?uid=s%20e%2Fc"),
    ] {
        let definition = network("query", fields, &format!("message = \"shared_secret\"\nat = {at}"));
        assert_eq!(verify(&definition, right, &secret), Ok(Verified::Secret(0)));
        assert_eq!(verify(&definition, wrong, &secret), Err(Refusal::Wrong));
        assert_eq!(verify(&definition, right, &Keys::default()), Err(Refusal::NoKey("secret")));
        assert_eq!(definition.coverage().covered().count(), 0);
    }
}

#[test]
fn a_call_signed_with_a_public_key_names_one_that_is_known() {
    let definition = usual(
        "message = { query = \"before_signature\" }\ndigest = \"ecdsa-p256-sha256\"\nencoding = \"base64url\"\n\
         at = { query = \"signature\" }\nkey_id = \"key_id\"",
    );
    // The key of RFC 6979, A.2.5.
    let private = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    let public = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\
                  Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==";
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{public}\n-----END PUBLIC KEY-----\n");
    let key = |id, text| PublicKey::read(id, text).expect("a key");
    let signing = Keys {
        secrets: vec![Secret::new(Encoding::Hex.decode(private.as_bytes()).expect("hex")).expect("a secret")],
        public: vec![key("3335741209", &pem)],
        ..Keys::default()
    };
    let call = Call::get(ORIGIN, "/pb/t?uid=a%20b&tx=1");
    let signed = definition.sign(&call, &signing, NOW).expect("signed").target;
    assert!(signed.ends_with("&key_id=3335741209"), "{signed}");
    let known = Keys { public: vec![key("1", public), key("3335741209", public)], ..Keys::default() };
    assert_eq!(verify(&definition, &signed, &known), Ok(Verified::Key(1)));
    // The host is not signed.
    assert_eq!(definition.verify(&Call::get("http://other", &signed), &known, NOW), Ok(Verified::Key(1)));
    for (changed, refusal) in [
        (signed.replace("tx=1", "tx=2"), Refusal::Wrong),
        (signed.replace("key_id=3335741209", "key_id=2"), Refusal::UnknownKey("2".into())),
        (signed.replace("&key_id=3335741209", ""), Refusal::Missing("parameter `key_id` in the URL".into())),
        (format!("{signed}&reward=9"), Refusal::NotLast("signature".into())),
        (signed.replace("signature=M", "signature=N"), Refusal::Malformed("an ECDSA signature in DER")),
    ] {
        assert_eq!(verify(&definition, &changed, &known), Err(refusal), "{changed}");
    }
    assert!(PublicKey::read("1", "bm8ga2V5").is_err() && PublicKey::read("1", "?").is_err());
}
