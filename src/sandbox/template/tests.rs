use super::*;

const MACROS: &str = "u={user_id}&t={tx_id}&r={reward}&s={status}";

fn network(name: &str) -> Network {
    Network::shipped(name).expect("it ships")
}

fn parsed(text: &str) -> Template {
    Template::parse(text, &network("targo")).expect("a good template")
}

fn error(text: &str) -> TemplateError {
    Template::parse(text, &network("targo")).expect_err("a bad template")
}

#[test]
fn macros_are_replaced_by_percent_encoded_values() {
    let template = parsed(&format!("http://[::1]:8080/pb/a?x=1&{MACROS}&n={{offer_name}}&end"));
    let target = template.expand(&|field| match field {
        Field::OfferName => "Café & 50% +1".into(),
        _ => "v:1~".into(),
    });
    assert_eq!(template.origin(), "http://[::1]:8080");
    assert_eq!(target, "/pb/a?x=1&u=v%3A1~&t=v%3A1~&r=v%3A1~&s=v%3A1~&n=Caf%C3%A9%20%26%2050%25%20%2B1&end");
    assert!(template.has(Field::OfferName) && !template.has(Field::Ip));
}

#[test]
fn an_unknown_macro_is_an_error_that_lists_the_known_ones() {
    let text = error(&format!("http://h/pb/a?{MACROS}&c={{country}}")).to_string();
    assert!(text.starts_with("`{country}` is not a macro of this network; it has user_id, tx_id"), "{text}");
    assert!(text.contains("country_code"), "{text}");
}

#[test]
fn a_template_that_no_network_could_call_is_refused() {
    for (text, expected) in [
        ("gw.example.com/pb/a".into(), TemplateError::NoOrigin),
        ("ftp://h/pb/a".into(), TemplateError::NoOrigin),
        ("http:///pb/a".into(), TemplateError::NoOrigin),
        ("http://{user_id}/pb".into(), TemplateError::NoOrigin),
        (format!("http://h/pb/{{sub1}}?{MACROS}"), TemplateError::OutsideQuery("{sub1}".into())),
        (format!("http://h/pb/a?{MACROS}&x={{ip"), TemplateError::Brace("{ip".into())),
        (format!("http://h/pb/a?{MACROS}&x=ip}}"), TemplateError::Brace("}".into())),
        (format!("http://h/pb/a?{MACROS}&x={{{{ip}}"), TemplateError::Brace("{{ip}".into())),
        ("http://h/pb/a?u={user_id}&r={reward}&s={status}".into(), TemplateError::Missing("{tx_id}".into())),
        (format!("http://h/pb/a?{MACROS}&hash="), TemplateError::HasSignature("hash".into())),
        (format!("http://h/pb/a?hash=1&{MACROS}"), TemplateError::HasSignature("hash".into())),
    ] {
        assert_eq!(error(&text), expected, "{text}");
    }
    for tail in ["&a=b c", "&a='", "&a=é", "#top"] {
        assert!(
            matches!(error(&format!("http://h/pb/a?{MACROS}{tail}")), TemplateError::NotEncoded(_)),
            "{tail}"
        );
    }
    assert!(matches!(error(&format!("http://h/pb/../a?{MACROS}")), TemplateError::NotEncoded(_)));
}

#[test]
fn macros_of_every_style_are_found() {
    for (name, query, expected) in [
        (
            "bitlabs",
            "u=[%USER:UID%]&t=[%TX%]&r=[%VALUE:CURRENCY%]&s=[%OFFER:TASK:STATE%]&f=[%REF%]",
            "u=v&t=v&r=v&s=v&f=v",
        ),
        ("monlix", "u={{userId}}&t={{transactionId}}&r={{rewardValue}}&s={{status}}", "u=v&t=v&r=v&s=v"),
        ("levelplay", "u=[USER_ID]&t=[EVENT_ID]&r=[REWARDS]", "u=v&t=v&r=v&timestamp=v&negativeCallback=v"),
        ("tapjoy", "x=1", "x=1&snuid=v&id=v&currency=v"),
    ] {
        let template = Template::parse(&format!("http://h/pb/a?{query}"), &network(name));
        let unsigned = template.expect("a good template").unsigned(|_| "v".into());
        assert_eq!(unsigned.target, format!("/pb/a?{expected}"), "{name}");
    }
    let unknown = Template::parse("http://h/pb/a?u=[%USER%]", &network("bitlabs")).expect_err("unknown");
    assert!(
        unknown.to_string().starts_with("`[%USER%]` is not a macro of this network; it has USER:UID, TX")
    );
}

#[test]
fn the_query_to_paste_is_a_good_template_of_every_network() {
    for name in domain::postback::networks::shipped::names() {
        let network = network(name);
        for query in [network.query(), network.definition().query_to_paste()] {
            let mark = if query.is_empty() { "" } else { "?" };
            let template = Template::parse(&format!("http://h/pb/a{mark}{query}"), &network);
            let template = template.unwrap_or_else(|error| panic!("{name}: {error}"));
            let unsigned = template.unsigned(|_| "1".into());
            assert_eq!(unsigned.body.is_empty(), !network.sends_bodies(), "{name}");
            assert!(!unsigned.target.contains(['{', '[', '%']), "{name}: {}", unsigned.target);
        }
    }
}

#[test]
fn the_macro_of_the_signature_stands_where_it_is_checked() {
    let url = |name: &str| {
        format!("http://h/p?user_id={{user_id}}&id={{id}}&amount={{amount}}&{name}={{sig}}&oid={{oid}}")
    };
    let good = Template::parse(&url("sig"), &network("offertoro")).expect("a good template");
    assert_eq!(good.unsigned(|_| "1".into()).target, "/p?user_id=1&id=1&amount=1&oid=1");
    let bad = Template::parse(&url("hash"), &network("offertoro")).expect_err("elsewhere");
    assert_eq!(bad, TemplateError::SignatureElsewhere("{sig}".into(), "sig".into()));
}

#[test]
fn a_network_with_json_has_its_parameters_in_the_body() {
    let template = Template::parse("http://h/pb/a", &network("mmolove")).expect("a good template");
    let unsigned =
        template.unsigned(|field| if field == Field::Reward { "1.5".into() } else { "a\"b".into() });
    assert_eq!(unsigned.target, "/pb/a");
    assert_eq!(unsigned.body, br#"{"user_id":"a\"b","id":"a\"b","reward":1.5}"#);
    assert_eq!(unsigned.headers, [("content-type".to_owned(), "application/json".to_owned())]);
}
