use proptest::prelude::*;

use super::*;

const POSTBACK: Answers = Answers { form: Form::Postback, acknowledged: Vec::new(), duplicate_fails: false };

fn with(patterns: &[&str]) -> Answers {
    let acknowledged = patterns.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect();
    Answers { acknowledged, ..POSTBACK }
}

#[test]
fn the_first_word_of_a_short_answer_is_a_yes_or_it_is_none() {
    for body in [
        "1",
        "OK",
        "ok",
        "Ok",
        "1\n",
        "\r\n OK \t",
        "\"OK\"",
        "'1'",
        "\u{201c}OK\u{201d}",
        "\u{feff}OK",
        "\u{feff}\u{feff} \"1\"\n",
        "OK - credited",
        "\"OK - credited\"",
        "ok.",
        "\"OK.\"",
        "OK!",
        "OK: 500 coins",
        "1 row inserted",
        "OK\u{a0}credited",
        "OK - already credited",
    ] {
        assert_eq!(POSTBACK.class(200, body, false), Class::Delivered, "{body:?}");
    }
    for body in [
        "",
        " ",
        "\u{feff}",
        "\"\"",
        "NOT OK",
        "not ok",
        "unknown user 1042",
        "1042 unknown",
        "0",
        "11",
        "10",
        "1.5",
        "-1",
        "+1",
        "1/2",
        "#1",
        "OKAY",
        "OK</html>",
        "<html>OK</html>",
        "<p>1</p>",
        "<!-- OK -->",
        "{\"status\":\"OK\"}",
        "{\"ok\":1}",
        "[1]",
        "true",
        "error: OK",
        "ERROR 1",
        "no",
        "N OK",
        "OK\u{fffd}",
        "\u{fffd}OK",
        "\u{ff2f}\u{ff2b}",
        "success",
        "-OK",
        "(OK)",
    ] {
        assert_eq!(POSTBACK.class(200, body, false), Class::NotAcknowledged, "{body:?}");
    }
}

#[test]
fn a_page_is_no_yes_however_it_begins() {
    let of = |len: usize| format!("OK {}", "x".repeat(len - 3));
    assert_eq!(POSTBACK.class(200, &of(MAX_WORDS_BYTES), false), Class::Delivered);
    assert_eq!(POSTBACK.class(200, &of(MAX_WORDS_BYTES + 1), false), Class::NotAcknowledged);
}

#[test]
fn a_status_other_than_200_is_no_yes_to_a_postback() {
    for (status, class) in [
        (201, Class::NotAcknowledged),
        (202, Class::NotAcknowledged),
        (204, Class::NotAcknowledged),
        (206, Class::NotAcknowledged),
        (302, Class::Redirected),
        (400, Class::Rejected),
        (404, Class::Rejected),
        (410, Class::Gone),
        (429, Class::SlowDown),
        (500, Class::ServerError),
        (503, Class::ServerError),
    ] {
        for body in ["OK", "1", ""] {
            assert_eq!(POSTBACK.class(status, body, false), class, "{status} {body}");
            assert_eq!(POSTBACK.class(status, body, true), class, "{status} {body}, repeated");
        }
    }
}

#[test]
fn any_2xx_is_a_yes_to_a_webhook() {
    let webhooks = Answers { form: Form::StandardWebhooks, ..POSTBACK };
    for (status, body, class) in [
        (200, "NOT OK", Class::Delivered),
        (204, "", Class::Delivered),
        (299, "whatever", Class::Delivered),
        (302, "", Class::Redirected),
        (404, "OK", Class::Rejected),
        (410, "", Class::Gone),
        (429, "", Class::SlowDown),
    ] {
        assert_eq!(webhooks.class(status, body, false), class, "{status} {body}");
    }
    assert_eq!(webhooks.class(409, "", true), Class::Duplicate);
    assert_eq!(webhooks.class(409, "", false), Class::Rejected);
}

#[test]
fn an_app_that_has_a_repeat_already_has_it() {
    for (status, body) in [
        (409, ""),
        (409, "<html>Conflict</html>"),
        (409, "{\"error\":\"exists\"}"),
        (200, "DUP"),
        (200, "dup"),
        (200, "\"DUPLICATE\"\n"),
        (200, "Duplicate."),
        (200, "DUPLICATE: tx T-1"),
        (200, "already credited"),
        (200, "\u{feff}Already credited!"),
        (201, "DUP"),
        (400, "duplicate transaction"),
        (422, "already credited"),
    ] {
        assert_eq!(POSTBACK.class(status, body, true), Class::Duplicate, "{status} {body:?}");
        let first = POSTBACK.class(status, body, false);
        assert_eq!(first, Class::Rejected, "{status} {body:?}: nothing was sent before");
        assert!(first.is_not_booked(), "so the next attempt is no repeat either");
        let no = if status < 300 { Class::NotAcknowledged } else { Class::Rejected };
        let strict = Answers { duplicate_fails: true, ..POSTBACK };
        assert_eq!(strict.class(status, body, true), no, "{status} {body:?}: switched off");
    }
}

#[test]
fn what_only_mentions_a_duplicate_is_a_failure_also_of_a_repeat() {
    for (status, body, class) in [
        (200, "not a duplicate", Class::NotAcknowledged),
        (200, "no DUP", Class::NotAcknowledged),
        (200, "already", Class::NotAcknowledged),
        (200, "already banned", Class::NotAcknowledged),
        (200, "DUPLEX", Class::NotAcknowledged),
        (200, "{\"error\":\"DUP\"}", Class::NotAcknowledged),
        (500, "duplicate key value violates unique constraint", Class::ServerError),
        (503, "DUP", Class::ServerError),
        (410, "DUP", Class::Gone),
        (429, "DUP", Class::SlowDown),
        (302, "DUP", Class::Redirected),
    ] {
        assert_eq!(POSTBACK.class(status, body, true), class, "{status} {body:?}");
    }
    let page = format!("DUPLICATE {}", "x".repeat(MAX_WORDS_BYTES));
    assert_eq!(POSTBACK.class(200, &page, true), Class::NotAcknowledged);
}

#[test]
fn an_app_may_name_its_own_yes_and_then_nothing_else_is_one() {
    let json = with(&["{*\"status\":\"ok\"*}"]);
    for body in
        ["{\"status\":\"ok\"}", " {\"id\":7,\"status\":\"ok\",\"x\":1}\r\n", "\u{feff}{\"status\":\"ok\"}"]
    {
        assert_eq!(json.class(200, body, false), Class::Delivered, "{body}");
    }
    for body in [
        "OK",
        "1",
        "",
        "{\"status\":\"OK\"}",
        "{\"status\":\"no\"}",
        "x{\"status\":\"ok\"}",
        "{\"status\":\"ok\"} no",
    ] {
        assert_eq!(json.class(200, body, false), Class::NotAcknowledged, "{body}");
    }
    assert_eq!(json.class(201, "{\"status\":\"ok\"}", false), Class::NotAcknowledged);
    assert!(json.expected().contains("`{*\"status\":\"ok\"*}`"), "{}", json.expected());
    let words = with(&["credited", "done*"]);
    for (body, class) in [
        ("credited", Class::Delivered),
        ("not credited", Class::NotAcknowledged),
        ("credited twice", Class::NotAcknowledged),
        ("done, 5 coins", Class::Delivered),
        ("undone", Class::NotAcknowledged),
    ] {
        assert_eq!(words.class(200, body, false), class, "{body}");
    }
}

#[test]
fn a_star_stands_for_any_text_and_ends_never_overlap() {
    for (pattern, body, matches) in [
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("ab*bc", "abc", false),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("a**c", "ac", true),
        ("a*", "a", true),
        ("a*é*", "a é", true),
    ] {
        assert_eq!(with(&[pattern]).class(200, body, false) == Class::Delivered, matches, "{pattern} {body}");
    }
}

#[test]
fn a_pattern_that_would_take_a_no_for_a_yes_is_refused() {
    for (text, why) in [
        ("", BadPattern::Empty),
        ("  ", BadPattern::Empty),
        ("*", BadPattern::BeginsOpen),
        ("*OK", BadPattern::BeginsOpen),
        (" OK", BadPattern::Blank),
        ("OK\n", BadPattern::Blank),
    ] {
        assert_eq!(Pattern::parse(text), Err(why), "{text:?}");
    }
    assert_eq!(Pattern::parse(&"x".repeat(MAX_PATTERN_BYTES + 1)), Err(BadPattern::TooLong));
}

proptest! {
    #[test]
    fn any_answer_has_a_class_and_a_first_attempt_is_no_duplicate(
        status in 100_u16..600, body in ".{0,300}", repeat in any::<bool>(),
    ) {
        for answers in [POSTBACK, with(&["a*b", "x*y*z"])] {
            let class = answers.class(status, &body, repeat);
            prop_assert!(class != Class::Delivered || status == 200);
            prop_assert!(class != Class::Duplicate || repeat);
        }
    }

    #[test]
    fn a_text_matches_the_pattern_that_was_cut_out_of_it(
        parts in proptest::collection::vec("[a-c]{1,4}", 2..6), fill in "[a-c]{0,5}"
    ) {
        let body = parts.join(&fill);
        prop_assert!(Pattern::parse(&parts.join("*")).expect("a pattern").matches(&body));
    }
}
