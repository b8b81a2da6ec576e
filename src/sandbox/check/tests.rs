use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::double::{Flaw, Gateway, PlainHttp, TOKEN, options, plan, serve};
use crate::send::run_over;
use crate::{Report, Retries, SendOptions};

const DEADLINE: Duration = Duration::from_millis(300);

fn asking(address: SocketAddr) -> CheckOptions {
    CheckOptions {
        api_url: format!("http://{address}/"),
        token: TOKEN.into(),
        source: "targo-main".into(),
        app: None,
        is_quarantine_counted: false,
        deadline: DEADLINE,
    }
}

async fn sent(address: SocketAddr, retries: u32, mix: &str) -> Report {
    let retries = Retries { count: retries, delay: Duration::from_millis(2) };
    let options = SendOptions { retries, ..options(address) };
    let never = CancellationToken::new();
    run_over(PlainHttp, &options, plan(3, 600, mix), |_, _| {}, &never).await.expect("a run")
}

/// Plays against a gateway with `flaw`, and checks it.
async fn played(flaw: Flaw, retries: u32, mix: &str) -> (Report, Checked) {
    let address = Gateway::start(flaw).await;
    let report = sent(address, retries, mix).await;
    let expected = report.expected.as_ref().expect("remembered");
    let checked = check_over(PlainHttp, &asking(address), expected).await.expect("a check");
    (report, checked)
}

#[tokio::test]
async fn a_healthy_gateway_has_no_differences_whatever_the_mix() {
    for mix in ["", "repeat=0.7", "reversal=0.3,early_reversal=0.3", "duplicate=0.4", "forged=0.3,broken=0.3"]
    {
        let (report, checked) = played(Flaw::None, 0, mix).await;
        assert!(
            checked.is_clean() && checked.events > 200 && checked.users > 50,
            "{mix}:\n{report}\n{checked}"
        );
        assert_eq!((report.unexpected, report.total().unavailable), (0, 0), "{report}");
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_may_or_may_not_have_had_its_effect() {
    for flaw in [Flaw::BusyBefore(3), Flaw::BusyAfter(3)] {
        for retries in [0, 3] {
            let (report, checked) = played(flaw, retries, "repeat=0.2,reversal=0.2").await;
            assert!(report.total().unavailable > 50, "{report}");
            assert!(checked.is_clean(), "{flaw:?}, {retries} retries:\n{report}\n{checked}");
        }
    }
}

#[tokio::test]
async fn every_fault_of_a_gateway_is_found() {
    for (flaw, expected) in [
        (Flaw::Loses(50), "found no reward"),
        (Flaw::BooksTwice(50), "balance: expected "),
        (Flaw::AcceptsForged, "expected 403, found 200 \"OK\""),
        (Flaw::AcceptsForged, "expected no reward, found credited"),
        (Flaw::AcceptsForged, "conflict: expected false, found true"),
        (Flaw::IgnoresReversals, "expected reversed, found credited"),
        (Flaw::NeverHolds, "expected held, found credited"),
        (Flaw::DropsBroken, "expected quarantined, found not among the quarantined"),
        (Flaw::Rounds, "reward: expected "),
        (Flaw::Unproven, "ledger: expected proven, found not proven"),
    ] {
        let mix = "forged=0.02,broken=0.02,reversal=0.1,impossible_speed=0.02,duplicate=0.01";
        let (_, checked) = played(flaw, 0, mix).await;
        let text = checked.to_string();
        assert!(!checked.is_clean() && text.contains(expected), "{flaw:?} without {expected}:\n{text}");
        assert!(checked.differences.len() <= LISTED_DIFFERENCES);
    }
}

#[tokio::test]
async fn one_reason_that_explains_many_is_said_once_with_what_the_url_says() {
    let address = Gateway::start(Flaw::None).await;
    // The dashboard's URL names the user as the network does, and the gateway looks for another name.
    let good = options(address);
    let url = "uid={user_id}&tx={tx_id}&reward={reward}&payout={payout}&status={status}&timestamp={timestamp}\
               &offer_id={offer_id}&ip={ip}&country_code={country_code}";
    let url = format!("http://{address}/pb/targo-main?{}", url.replace("uid=", "user_id="));
    let template = crate::Template::parse(&url, &crate::double::network()).expect("a good template");
    let never = CancellationToken::new();
    let options = SendOptions { template: template.clone(), ..good };
    let report =
        run_over(PlainHttp, &options, plan(3, 600, "forged=0.02,broken=0.02"), |_, _| {}, &never).await;
    let report = report.expect("a run");
    let patient = CheckOptions { deadline: Duration::from_mins(1), ..asking(address) };
    let began = Instant::now();
    let mut checked = check_over(PlainHttp, &patient, report.expected.as_ref().expect("remembered"))
        .await
        .expect("a check");
    assert!(began.elapsed() < Duration::from_secs(30), "waiting does not mend it");
    checked.explain(&template);
    let text = checked.to_string();
    let number = checked.quarantined.values().sum::<u64>();
    assert!(number > 400 && number == checked.differing, "{text}");
    let line = format!("{number} are quarantined: `uid` is missing; your URL says user_id");
    assert!(text.contains(&line) && text.lines().count() == 2, "{text}");
}

#[tokio::test]
async fn a_lost_repeat_is_found_too() {
    let (_, checked) = played(Flaw::Loses(10), 0, "honest,repeat=1").await;
    assert!(checked.to_string().contains("repeats: expected 1 to 1, found 0"), "{checked}");
}

#[tokio::test]
async fn a_gateway_that_is_slow_to_decide_is_waited_for() {
    let address = Gateway::start(Flaw::Late(Duration::from_millis(900))).await;
    let report = sent(address, 0, "").await;
    let expected = report.expected.expect("remembered");
    let patient = CheckOptions { deadline: Duration::from_mins(1), ..asking(address) };
    let began = Instant::now();
    let checked = check_over(PlainHttp, &patient, &expected).await.expect("a check");
    assert!(checked.is_clean(), "{checked}");
    assert!(began.elapsed() < Duration::from_secs(30), "it did not return when everything was there");
}

#[tokio::test]
async fn what_cannot_heal_is_not_waited_for() {
    let address = Gateway::start(Flaw::NeverHolds).await;
    let report = sent(address, 0, "impossible_speed=0.5,duplicate=0").await;
    let patient = CheckOptions { deadline: Duration::from_mins(1), ..asking(address) };
    let began = Instant::now();
    let checked =
        check_over(PlainHttp, &patient, &report.expected.expect("remembered")).await.expect("a check");
    assert!(!checked.is_clean() && began.elapsed() < Duration::from_secs(30), "{checked}");
}

#[tokio::test]
async fn an_api_that_refuses_or_babbles_is_an_error_and_not_a_difference() {
    let address = Gateway::start(Flaw::None).await;
    let expected = sent(address, 0, "honest").await.expected.expect("remembered");
    let wrong = CheckOptions { token: "wrong".into(), deadline: Duration::from_mins(1), ..asking(address) };
    let began = Instant::now();
    let error = check_over(PlainHttp, &wrong, &expected).await.expect_err("no token");
    assert!(matches!(error, CheckError::Status(_, 401, _)), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30), "it asked again with the same token");
    assert!(!format!("{wrong:?}").contains("wrong"));

    for (body, is_expected) in [
        ("{}", (|error| matches!(error, CheckError::Malformed(..))) as fn(&CheckError) -> bool),
        (r#"{"items":[],"next":"7"}"#, |error| matches!(error, CheckError::Endless(_))),
    ] {
        let address = serve(move |_| async move { (200, body.to_owned()) }).await;
        let error = check_over(PlainHttp, &asking(address), &expected).await.expect_err("no API");
        assert!(is_expected(&error), "{error}");
    }
    let busy = serve(|_| async { (503, "busy".to_owned()) }).await;
    let began = Instant::now();
    let error = check_over(PlainHttp, &asking(busy), &expected).await.expect_err("busy");
    assert!(matches!(error, CheckError::Status(_, 503, _)) && began.elapsed() >= DEADLINE, "{error}");
}
