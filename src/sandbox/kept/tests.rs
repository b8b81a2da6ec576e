use super::*;

fn kept(tx_id: &str) -> Kept {
    Kept {
        tx_id: tx_id.into(),
        act: "credit".into(),
        method: "GET".into(),
        url: "http://127.0.0.1:1/".into(),
        headers: Vec::new(),
        body: None,
        acknowledged_by: Vec::new(),
        attempts: 6,
        failed_at_ms: 1,
        last_answer: "503".into(),
    }
}

fn file() -> (tempfile::TempDir, Keep) {
    let folder = tempfile::tempdir().expect("a folder");
    let keep = Keep::at(&folder.path().join("kept.jsonl"));
    (folder, keep)
}

fn ids(keep: &Keep) -> Vec<String> {
    keep.all().expect("readable").into_iter().map(|kept| kept.tx_id).collect()
}

#[test]
fn a_line_cut_off_by_a_kill_is_ignored_and_the_next_starts_afresh() {
    let (_folder, keep) = file();
    keep.add(&kept("a")).expect("kept");
    let torn = format!("{}{}", line(&kept("a")).expect("a line"), "{\"tx_id\":\"b\",\"ac");
    for torn in [torn.as_str(), "{\"tx_id\":\"b\"", "x"] {
        fs::write(&keep.path, torn).expect("torn");
        let whole = ids(&keep);
        keep.add(&kept("c")).expect("kept");
        assert_eq!(ids(&keep), [whole, vec!["c".into()]].concat(), "{torn:?}");
    }
}

#[test]
fn a_broken_line_in_the_middle_is_named() {
    let (_folder, keep) = file();
    let text = format!("{}nonsense\n", line(&kept("a")).expect("a line"));
    fs::write(&keep.path, text).expect("written");
    let refused = keep.all().expect_err("not readable").to_string();
    assert!(refused.contains("kept.jsonl, line 2: "), "{refused}");
}

#[test]
fn calls_added_during_a_resend_stay() {
    let (_folder, keep) = file();
    for tx_id in ["a", "b", "b", "c"] {
        keep.add(&kept(tx_id)).expect("kept");
    }
    let read_before = keep.all().expect("readable");
    keep.add(&kept("d")).expect("kept");
    keep.remove(&read_before[..2]).expect("written");
    assert_eq!(ids(&keep), ["b", "c", "d"], "each is taken out once, and nothing else");
}

#[test]
fn concurrent_writers_lose_nothing() {
    let (_folder, keep) = file();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let keep = &keep;
            scope.spawn(move || {
                for number in 0..25 {
                    keep.add(&kept(&format!("{worker}-{number}"))).expect("kept");
                    if number % 10 == 0 {
                        keep.remove(&[]).expect("written");
                    }
                }
            });
        }
    });
    assert_eq!(ids(&keep).len(), 100);
}

#[tokio::test]
async fn unwanted_calls_are_not_sent_and_stay() {
    let (_folder, keep) = file();
    keep.add(&kept("a")).expect("kept");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let resent = keep.resend(|kept| kept.tx_id == "b").await.expect("looked at");
    assert_eq!(resent, Resent::default());
    assert_eq!(ids(&keep), ["a"]);
}

#[tokio::test]
async fn a_call_with_a_body_is_sent_again_as_it_was() {
    let (_folder, keep) = file();
    let address = crate::double::serve(|head| async move {
        let is_same =
            head.starts_with("POST /pb/a ") && head.contains("x-sign: t=1") && head.contains("length: 7");
        if is_same { (200, "done".to_owned()) } else { (400, head) }
    })
    .await;
    let done = Acknowledgement { status: 200, body: "done".into() };
    let posted = |acknowledged_by| Kept {
        method: "POST".into(),
        url: format!("http://{address}/pb/a"),
        headers: vec![("x-sign".into(), "t=1".into())],
        body: kept_body(b"{\"a\":1}"),
        acknowledged_by,
        ..kept("a")
    };
    keep.add(&posted(vec![done])).expect("kept");
    keep.add(&posted(Vec::new())).expect("kept");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let resent = keep.resend(|_| true).await.expect("sent");
    assert_eq!((resent.acknowledged.len(), resent.failed), (1, 1), "`done` is no word of the second network");
}

#[test]
fn a_file_of_before_has_calls_without_a_body() {
    let (_folder, keep) = file();
    let text = "{\"tx_id\":\"a\",\"act\":\"credit\",\"url\":\"http://127.0.0.1:1/\",\"attempts\":6,\"failed_at_ms\":1,\
                \"last_answer\":\"503\"}\n";
    fs::write(&keep.path, text).expect("written");
    assert_eq!(keep.all().expect("readable"), [kept("a")]);
    assert_eq!(line(&kept("a")).expect("a line"), text, "and is written the same");
}
