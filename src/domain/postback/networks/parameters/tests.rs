//! Parameters from every kind of body.

use proptest::prelude::*;

use super::*;

const ORIGIN: &str = "https://gw.example.com";

fn read(parameters: &Parameters<'_>, name: &str) -> Vec<String> {
    let text = |value: Value<'_>| String::from_utf8_lossy(&value.decoded(Plus::Space)).into_owned();
    parameters.values(name).into_iter().map(text).collect()
}

fn post<'a>(headers: &'a [(&'a str, &'a [u8])], body: &'a [u8]) -> Call<'a> {
    Call { origin: ORIGIN, method: Method::Post, target: "/pb/t?uid=url", headers, body }
}

#[test]
fn a_form_is_read_from_the_body_of_a_post_and_the_url_of_a_get() {
    let call = post(&[], b"uid=a+b%2Bc&tx=T-1&tx=T-2&empty=");
    let form = Parameters::received(ParameterSource::Form, &call).expect("a form");
    assert_eq!(read(&form, "uid"), ["a b+c"]);
    assert_eq!(read(&form, "tx"), ["T-1", "T-2"]);
    assert_eq!(read(&form, "empty"), [""]);
    assert!(read(&form, "other").is_empty());
    assert_eq!(form.values("uid")[0].received(), b"a+b%2Bc");
    let get = Call { method: Method::Get, ..call };
    let form = Parameters::received(ParameterSource::Form, &get).expect("a query");
    assert_eq!(read(&form, "uid"), ["url"]);
    let query = Parameters::received(ParameterSource::Query, &call).expect("a query");
    assert_eq!(read(&query, "uid"), ["url"], "the URL, although it is a POST");
}

#[test]
fn a_multipart_body_is_read_like_a_form_and_files_are_passed_over() {
    let body = b"preamble\r\n--b 1\r\nContent-Disposition: form-data; name=\"uid\"\r\n\r\na+b%2B\r\n\
        --b 1\r\ncontent-disposition: form-data; name=\"a\\\"b\"\r\nContent-Type: text/plain\r\n\r\nx\r\ny\r\n\
        --b 1\r\nContent-Disposition: form-data; name=f; filename=\"x\"\r\n\r\nfile\r\n\
        --b 1\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--b 1--\r\n";
    let headers: [(&str, &[u8]); 1] = [("Content-Type", b"Multipart/Form-Data; charset=x; boundary=\"b 1\"")];
    let call = post(&headers, body);
    let form = Parameters::received(ParameterSource::Form, &call).expect("multipart");
    assert_eq!(read(&form, "uid"), ["a+b%2B"], "nothing is percent-encoded");
    assert_eq!(read(&form, "a\"b"), ["x\r\ny"]);
    assert_eq!(read(&form, "empty"), [""]);
    assert!(read(&form, "f").is_empty());
}

#[test]
fn a_broken_multipart_body_is_refused_with_a_reason() {
    let headers: [(&str, &[u8]); 1] = [("content-type", b"multipart/form-data; boundary=b")];
    for (body, reason) in [
        ("", "boundary"),
        ("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1", "ends"),
        ("--b", "ends"),
        ("--b\r\nno blank line\r\n--b--", "blank line"),
        ("--bx\r\n\r\n\r\n--b--", "behind"),
    ] {
        let error = Parameters::received(ParameterSource::Form, &post(&headers, body.as_bytes()));
        let text = error.expect_err(body).to_string();
        assert!(text.contains(reason), "{body}: {text}");
    }
    let headers: [(&str, &[u8]); 1] = [("content-type", b"multipart/form-data")];
    assert!(Parameters::received(ParameterSource::Form, &post(&headers, b"--\r\n")).is_err());
}

#[test]
fn json_is_read_by_path_and_numbers_stay_as_written() {
    let body =
        br#" {"id":"T-1","user":{"id":"a\u0062c","age":1.50},"ok":true,"no":null,"l":[1],"d":1,"d":2e0} "#;
    let call = post(&[], body);
    let json = Parameters::received(ParameterSource::Json, &call).expect("JSON");
    assert_eq!(read(&json, "user.id"), ["abc"]);
    assert_eq!(read(&json, "user.age"), ["1.50"]);
    assert_eq!(read(&json, "ok"), ["true"]);
    assert_eq!(read(&json, "d"), ["1", "2e0"], "both are seen");
    for nothing in ["no", "l", "user", "user.id.x", "", "."] {
        assert!(read(&json, nothing).is_empty(), "{nothing}");
    }
}

#[test]
fn a_body_that_is_not_a_json_object_is_refused() {
    for body in ["", " ", "{", "[1]", "\"a\"", "{\"a\":1}x", "\u{0}"] {
        assert!(Parameters::received(ParameterSource::Json, &post(&[], body.as_bytes())).is_err(), "{body}");
    }
}

#[test]
fn only_mapping_tolerates_entities_and_a_second_question_mark() {
    let call = Call::get(ORIGIN, "/pb/t??uid=a&amp;tx=T-1");
    let strict = Parameters::received(ParameterSource::Query, &call).expect("a query");
    assert_eq!((read(&strict, "?uid").len(), read(&strict, "amp;tx").len()), (1, 1));
    let tolerant = Parameters::tolerant(ParameterSource::Query, &call).expect("a query");
    assert_eq!((read(&tolerant, "uid"), read(&tolerant, "tx")), (vec!["a".into()], vec!["T-1".into()]));
}

proptest! {
    #[test]
    fn no_body_makes_reading_panic(
        body in prop::collection::vec(any::<u8>(), 0..200),
        text in "(--b|\r\n|name=|\"|;|:|[{}\\[\\],a-z0-9.])*",
        content_type in "(multipart/form-data|;| |boundary=|b|\"|\\\\|=)*",
    ) {
        let typed = [("content-type", content_type.as_bytes())];
        let plain: [(&str, &[u8]); 1] = [("content-type", b"multipart/form-data; boundary=b")];
        for body in [body.as_slice(), text.as_bytes()] {
            for headers in [&typed[..], &plain[..], &[]] {
                for source in [ParameterSource::Query, ParameterSource::Form, ParameterSource::Json] {
                    if let Ok(parameters) = Parameters::tolerant(source, &post(headers, body)) {
                        let _ = (parameters.values("a"), parameters.values("a.b"));
                    }
                }
            }
        }
    }
}
