use proptest::prelude::*;

use super::*;
use chrono_tz::Tz;

fn at(text: &str) -> TimestampMs {
    TimestampMs::parse(text, Tz::UTC).expect("a time")
}

fn read(lines: &[&str]) -> (Option<&'static str>, Vec<Result<Option<PastCall>, BadLine>>) {
    let mut reader = Reader::default();
    let calls = lines.iter().map(|line| reader.read(line.as_bytes())).collect();
    (reader.format().map(format::Format::name), calls)
}

fn call(lines: &[&str]) -> PastCall {
    read(lines).1.pop().expect("a line").expect("readable").expect("a call")
}

#[test]
fn access_logs_are_read_in_every_form_that_servers_write() {
    let time = at("2026-10-10T11:55:36Z");
    for (line, ip, origin) in [
        (
            r#"203.0.113.7 - - [10/Oct/2026:13:55:36 +0200] "GET /pb/a?x=1 HTTP/1.1" 200 2"#,
            "203.0.113.7",
            None,
        ),
        (
            r#"2001:db8::1 - mara b [10/Oct/2026:13:55:36 +0200] "GET /pb/a?x=1 HTTP/2.0" 200 2 "-" "curl/8 [x] \"y\"" "#,
            "2001:db8::1",
            None,
        ),
        (
            r#"gw.example:443 203.0.113.7 - - [10/Oct/2026:13:55:36 +0200] "GET /pb/a?x=1" 200 2 "-" "-""#,
            "203.0.113.7",
            Some("https://gw.example"),
        ),
        (
            r#"{"time_iso8601":"2026-10-10T13:55:36+02:00","remote_addr":"203.0.113.7","request":"GET /pb/a?x=1 HTTP/1.1","status":"200","host":"gw.example"}"#,
            "203.0.113.7",
            Some("https://gw.example"),
        ),
        (
            r#"{"msec":"1791633336.000","remote_addr":"203.0.113.7","uri":"/pb/a","args":"x=1","status":200}"#,
            "203.0.113.7",
            None,
        ),
        (
            r#"{"@timestamp":"2026-10-10T11:55:36Z","clientip":"203.0.113.7","request_uri":"/pb/a?x=1"}"#,
            "203.0.113.7",
            None,
        ),
        (
            r#"{"time_local":"10/Oct/2026:13:55:36 +0200","ip":"203.0.113.7","url":"http://h/pb/a?x=1"}"#,
            "203.0.113.7",
            Some("http://h"),
        ),
    ] {
        let call = call(&[line]);
        assert_eq!(
            (call.received_at, call.target.as_str(), call.method.as_str()),
            (Some(time), "/pb/a?x=1", "GET"),
            "{line}"
        );
        assert_eq!((call.remote_ip.as_str(), call.origin.as_deref()), (ip, origin), "{line}");
    }
}

#[test]
fn our_own_lines_name_source_and_caller() {
    let json = r#"{"received_at":"2026-10-10T11:55:36.250Z","source":"main","target":"/pb/main?x=\"1\"","remote_ip":"203.0.113.7"}"#;
    let header = "received_at,source,target,remote_ip";
    let line = r#"2026-10-10T11:55:36.250Z,main,"/pb/main?x=""1""",203.0.113.7"#;
    let (of_json, of_csv) = (call(&[json]), call(&[header, line]));
    assert_eq!(of_json, of_csv);
    assert_eq!(of_json.received_at, Some(at("2026-10-10T11:55:36.250Z")));
    assert_eq!((of_json.source.as_deref(), of_json.target.as_str()), (Some("main"), "/pb/main?x=\"1\""));
    assert_eq!(read(&[header, line]).0, Some("CSV"));
}

#[test]
fn urls_need_neither_time_nor_host() {
    let (format, calls) = read(&[
        "https://gw.example/pb/a?x=1",
        "/postback.php?x=2",
        "2026-10-10T11:55:36Z /pb/a?x=3",
        "https://gw.example",
        "not a URL",
        "yesterday /pb/a",
    ]);
    assert_eq!(format, Some("URLs"));
    let targets: Vec<_> = calls
        .iter()
        .map(|call| call.as_ref().ok().and_then(Option::as_ref).map(|it| it.target.as_str()))
        .collect();
    assert_eq!(targets, [Some("/pb/a?x=1"), Some("/postback.php?x=2"), Some("/pb/a?x=3"), None, None, None]);
    assert_eq!(calls[3..], [Err(BadLine::NoTarget), Err(BadLine::Format), Err(BadLine::Time)]);
}

#[test]
fn escapes_of_a_log_are_undone_byte_for_byte() {
    let target = |request: &str| {
        call(&[&format!(r#"203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] "{request}" 200 2"#)]).target
    };
    assert_eq!(target(r"GET /pb/a?n=\x22b\x22&o=\x5C HTTP/1.1"), r#"/pb/a?n="b"&o=\"#);
    assert_eq!(target(r#"GET /pb/a?n=\"b\" HTTP/1.1"#), r#"/pb/a?n="b""#);
    assert_eq!(target(r"GET /pb/a?n=Caf\xC3\xA9 HTTP/1.1"), "/pb/a?n=Café");
    assert_eq!(target(r"GET /pb/a?n=Caf\xE9\x00 HTTP/1.1"), "/pb/a?n=Caf%E9%00");
    assert_eq!(target("GET /pb/a?n=Nord bank HTTP/1.1"), "/pb/a?n=Nord bank");
}

#[test]
fn a_broken_line_says_why_and_the_next_is_read() {
    use BadLine::{Format, Long, LongTarget, NoTarget, Time};
    let good = r#"203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] "GET /pb/a?x=1 HTTP/1.1" 200 2"#;
    let long = format!("203.0.113.7 {}", "x".repeat(MAX_LINE_LEN));
    let far = good.replace("/pb/a", &format!("/{}", "x".repeat(MAX_TARGET_LEN)));
    let (format, calls) = read(&[
        "",
        "# a comment",
        good,
        &long,
        &far,
        "203.0.113.7 - - [10/Foo/2026:13:55:36 +0000] \"GET /x HTTP/1.1\" 200 2",
        "203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] \"\\x16\\x03\\x01\" 400 0",
        "203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] \"GET /x",
        good,
    ]);
    assert_eq!(format, Some("access log"));
    let bad: Vec<_> = calls.iter().map(|call| call.as_ref().err().copied()).collect();
    let expected = [
        None,
        Some(Format),
        None,
        Some(Long),
        Some(LongTarget),
        Some(Time),
        Some(NoTarget),
        Some(Format),
        None,
    ];
    assert_eq!(bad, expected);
}

#[test]
fn times_outside_the_calendar_are_not_times() {
    for bad in
        ["", "-5", "12/13", "99999999999999999999", "253402300800000", "+010000-01-01T00:00:00Z", "1.x"]
    {
        assert_eq!(instant::read(bad), None, "{bad}");
    }
    assert_eq!(instant::read("1791633336"), Some(TimestampMs(1_791_633_336_000)));
    assert_eq!(instant::read("1791633336.5"), Some(TimestampMs(1_791_633_336_500)));
    assert_eq!(instant::read("1791633336123"), Some(TimestampMs(1_791_633_336_123)));
}

proptest! {
    #[test]
    fn no_line_makes_a_reader_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..5)) {
        let mut reader = Reader::default();
        for line in lines {
            let _ = reader.read(&line);
        }
    }

    #[test]
    fn lines_that_are_almost_right_do_not_either(
        front in "[0-9a-f.: -]{0,12}", time in "[0-9A-Za-z/:+ ]{0,26}", request in "[A-Za-z\\\\x\"é /?&=%]{0,40}",
    ) {
        let mut reader = Reader::default();
        let _ = reader.read(b"203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] \"GET /x HTTP/1.1\" 200 2");
        let _ = reader.read(format!("{front}[{time}] \"{request}\" 200").as_bytes());
        let mut reader = Reader::default();
        let _ = reader.read(b"received_at,target");
        let _ = reader.read(format!("{time},\"{request}").as_bytes());
    }
}
