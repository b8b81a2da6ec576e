use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::Outlook;
use crate::double::{PlainHttp, options, plan, serve, target};

async fn ok(_: String) -> (u16, String) {
    (200, "OK".into())
}

async fn report(options: &SendOptions, plan: impl Iterator<Item = Call> + Send + 'static) -> Report {
    let never = CancellationToken::new();
    run_over(PlainHttp, options, plan, |_, _| {}, &never).await.expect("a run")
}

/// A gateway that stops once, for 400 ms, at its first call.
async fn stopping_once() -> std::net::SocketAddr {
    let calls = AtomicUsize::new(0);
    serve(move |_| {
        let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if is_first {
                sleep(Duration::from_millis(400)).await;
            }
            (200, "OK".into())
        }
    })
    .await
}

#[tokio::test]
async fn in_an_open_loop_a_stop_is_charged_to_every_call_that_was_due_in_it() {
    let open = SendOptions { connections: 1, rate_per_s: 100, ..options(stopping_once().await) };
    let latencies = report(&open, plan(1, 40, "honest")).await.latencies();
    // Due every 10 ms from 0 to 390 ms, all answered after 400 ms: they waited 400, 390, … 10 ms.
    assert!((150_000..1_000_000).contains(&latencies.p50_us), "{latencies:?}");
    assert!((340_000..1_500_000).contains(&latencies.p90_us), "{latencies:?}");
}

#[tokio::test]
async fn in_a_closed_loop_the_same_stop_is_charged_to_one_call() {
    let closed = SendOptions { connections: 1, ..options(stopping_once().await) };
    let latencies = report(&closed, plan(1, 40, "honest")).await.latencies();
    assert!(latencies.p90_us < 100_000 && latencies.max_us >= 400_000, "{latencies:?}");
}

#[tokio::test]
async fn the_rate_is_kept_and_calls_leave_when_they_are_due() {
    let options = SendOptions { rate_per_s: 200, ..options(serve(ok).await) };
    let report = report(&options, plan(1, 101, "honest")).await;
    // The last of 101 calls is due after 500 ms.
    assert!((490..5_000).contains(&report.elapsed.as_millis()), "{report}");
    assert!(report.latencies().p50_us < 250_000, "{report}");
    assert_eq!(report.total().acknowledged, 101);
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again_and_nothing_that_is_forged() {
    let seen = Arc::new(Mutex::new(std::collections::HashMap::<String, usize>::new()));
    let counted = Arc::clone(&seen);
    let address = serve(move |head| {
        let mut seen = counted.lock().expect("no panic");
        let times = seen.entry(target(&head).into()).or_default();
        *times += 1;
        let answer = match *times {
            1 => (200, "not now".into()),
            2 => (503, "OK".into()),
            _ => (200, "1".into()),
        };
        async move { answer }
    })
    .await;
    let retries = Retries { count: 5, delay: Duration::from_millis(5) };
    let options = SendOptions { retries, ..options(address) };
    let calls: Vec<_> = plan(1, 60, "forged=0.5,repeat=0").collect();
    let genuine = calls.iter().filter(|call| call.is_genuine()).count();
    let report = report(&options, calls.into_iter()).await;
    let seen = seen.lock().expect("no panic");
    let seen_times = |times| seen.values().filter(|seen| **seen == times).count();
    assert_eq!((seen_times(3), seen_times(1)), (genuine, 60 - genuine));
    let genuine = u64::try_from(genuine).expect("small");
    let total = report.total();
    assert_eq!((total.acknowledged, total.unavailable, report.retries), (genuine, genuine, 2 * genuine));
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_counted_as_no_answer() {
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let report = report(&options(nobody), plan(1, 20, "honest")).await;
    assert_eq!((report.total().calls, report.total().unanswered, report.unexpected), (20, 20, 0));
    // Eight connections, twenty calls: two pauses at least.
    assert!(report.elapsed >= 2 * PAUSE_WHEN_UNREACHABLE, "{:?}", report.elapsed);
}

#[tokio::test]
async fn an_endless_plan_is_told_call_by_call_and_stops_when_it_is_cancelled() {
    let options = SendOptions { rate_per_s: 500, remember: false, ..options(serve(ok).await) };
    let endless = plan(1, u64::MAX, "honest");
    let (cancel, mut answered) = (CancellationToken::new(), 0);
    let on_answer = |call: &Call, answer: &Answer| {
        assert!(answer.is_acknowledged() && call.event.outlook == Outlook::Credited);
        answered += 1;
        if answered == 50 {
            cancel.cancel();
        }
    };
    let report = run_over(PlainHttp, &options, endless, on_answer, &cancel).await.expect("a run");
    assert!((50..500).contains(&answered), "{answered}");
    assert_eq!((report.total().calls, report.expected.is_none()), (answered, true));
}

#[tokio::test]
async fn limits_are_refused_before_anything_is_sent() {
    let good = options(([127, 0, 0, 1], 1).into());
    let never = CancellationToken::new();
    for (options, error) in [
        (SendOptions { connections: 0, ..good.clone() }, RunError::Connections(0)),
        (SendOptions { connections: 1_025, ..good.clone() }, RunError::Connections(1_025)),
        (SendOptions { rate_per_s: 1_000_001, ..good.clone() }, RunError::Rate(1_000_001)),
        (
            SendOptions { retries: Retries { count: 21, delay: Duration::ZERO }, ..good.clone() },
            RunError::Retries,
        ),
    ] {
        let result = run(&options, plan(1, 1, "honest"), |_, _| {}, &never).await;
        assert_eq!(result.err(), Some(error));
    }
}

#[tokio::test]
async fn a_report_reads_as_a_table() {
    let calls: Vec<_> = plan(1, 200, "forged=0.5").collect();
    let mut report = Report::new(8, 0, true).expect("good bounds");
    for call in &calls {
        let status = if call.is_genuine() { 200 } else { 403 };
        report.add(call, &crate::double::answer(status));
    }
    assert_eq!(report.unexpected, 0);
    let forged = report.tallies[&crate::mix::Variety::Forged];
    let expected = calls.iter().filter(|call| !call.is_genuine()).count();
    assert_eq!((forged.calls, forged.acknowledged), (u64::try_from(expected).expect("few"), 0), "{report}");
    assert_eq!(report.nobody_answered(), None);
    report.add(&calls[0], &crate::double::answer(404));
    report.elapsed = Duration::from_millis(1_500);
    let text = report.to_string();
    assert!(text.starts_with("201 calls in 1.5 s, closed loop, 8 connections: "), "{text}");
    assert!(text.contains("ms from sending: p50 1.00  p90 1.00"), "{text}");
    assert!(text.contains("\n1 unexpected answers:\n  "), "{text}");
}
