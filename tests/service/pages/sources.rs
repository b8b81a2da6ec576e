//! The page of sources: a captured call is tried and leaves nothing; a silence is told once.

use super::browser::Look;
use super::{PASSWORD, Team};
use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::mailbox::Mailbox;
use crate::support::network::{Event, deliver, now_s, send, sign};
use crate::support::wait::until;

on_both_databases!(
    a_source_shows_what_to_paste_what_it_sends_and_who_calls,
    a_captured_call_is_tried_and_nothing_of_it_is_stored,
    a_silence_is_told_on_today_by_metric_and_by_one_mail_and_so_is_its_end,
);

fn a_source_shows_what_to_paste_what_it_sends_and_who_calls(on: Kind) {
    let team = Team::new(on);
    team.hold("u-1", &["T-1", "T-2"]);
    assert_eq!(send(team.up.address, Event::honest("u-1", "T-3", 10).unsigned(1)).status, 403);
    until("the refused call is stored", || {
        (team.gate.database.number("SELECT CAST(COUNT(*) AS BIGINT) FROM refused") == 1).then_some(())
    });
    let browser = team.signed_in("fin");
    browser.go("/");
    browser.click_link("Sources");
    for words in [
        "/pb/targo?uid={user_id}&tx={tx_id}&",
        "The network adds itself: hash",
        "2 postbacks",
        "1 today, 1 in 7 days",
        "repeats a call for 30 h",
        "The signature protects everything",
        "1 secret accepted",
        "127.0.0.0/24",
    ] {
        browser.says(words);
    }
    assert_eq!(browser.count("form.try"), 0, "finance does not try calls");
    browser.click_link("1 today, 1 in 7 days");
    assert_eq!(browser.path(), "/postbacks?outcome=refused&source=targo");
}

fn a_captured_call_is_tried_and_nothing_of_it_is_stored(on: Kind) {
    let team = Team::new(on);
    let signed = Event::honest("u-1", "T-1", 10).credit();
    let hash = signed.rsplit('=').next().expect("a hash").to_owned();
    for without_script in [false, true] {
        let browser = team.browser(Look { without_script, ..Look::default() });
        browser.sign_in("mara", PASSWORD);
        let tried = |call: &str, words: &[&str]| {
            browser.go("/sources");
            browser.fill("textarea[name=call]", call);
            browser.click("form.try button");
            for words in words {
                browser.says(words);
            }
            browser.says("Nothing of this call was stored.");
            assert!(!browser.text().contains(&hash), "the signature is not shown");
            if !without_script {
                assert_eq!(browser.barriers(), Vec::<String>::new());
            }
        };
        tried(&signed, &["Verifies with secret 1", "It becomes a credit of 10 coins", "T-1", "u-1"]);
        tried(
            &signed.replace("reward=10", "reward=11"),
            &["does not match any secret", "None of", "With the right signature"],
        );
        let unsigned = Event::honest("u-1", "T-1", 10).unsigned(1);
        tried(&unsigned, &["the signature is missing"]);
        tried(&sign(&unsigned.replace("reward=10", "reward=ten")), &["quarantined, because", "reward"]);
        tried(&sign("/pb/elsewhere?uid=1"), &["There is no source elsewhere"]);
        tried("uid=1", &["must be a URL"]);
    }
    for table in ["postbacks", "refused", "rewards"] {
        let rows = team.gate.database.number(&format!("SELECT CAST(COUNT(*) AS BIGINT) FROM {table}"));
        assert_eq!(rows, 0, "{table}");
    }
    assert!(!team.up.process.log().contains(&hash), "nor is it in the log");
}

fn a_silence_is_told_on_today_by_metric_and_by_one_mail_and_so_is_its_end(on: Kind) {
    const HOUR_MS: i64 = 3_600_000;
    let mailbox = Mailbox::refusing(0);
    let mail = format!(
        "[mail]\nserver = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"Gate <gate@example.com>\"\n\
         to = [\"fin@example.com\"]\n",
        mailbox.port
    );
    let gate = Gate::with(on, |settings| settings.with_tail(&mail));
    assert_eq!(gate.run(&["migrate"]).status.code(), Some(0));
    let last_at = (now_s() * 1_000) - 50 * HOUR_MS;
    for slot in 0..24 {
        let at = last_at - slot * 4 * HOUR_MS;
        gate.database.execute(&format!(
            "INSERT INTO source_tallies (source, hours, began, network, postbacks, quarantined, first_at, last_at)
             VALUES ('targo', 1, {}, '', 3, 0, {at}, {at})",
            at / HOUR_MS
        ));
    }
    let up = gate.up();
    gate.add_person("mara", "risk");
    let subjects = || -> Vec<String> {
        let mails = mailbox.mails();
        let subjects =
            mails.iter().flat_map(|mail| mail.lines()).filter(|line| line.starts_with("Subject: "));
        subjects.filter(|line| line.contains("targo")).map(str::to_owned).collect()
    };
    until("a mail about the silence", || (!subjects().is_empty()).then_some(()));
    assert_eq!(subjects(), ["Subject: RewardGate: targo has sent nothing for more than 6 h"]);
    let api: Api = gate.api(up.address);
    let silent = "rewardgate_source_silent_seconds{source=\"targo\"} 180";
    until("the metric", || api.metrics().contains(silent).then_some(()));
    let browser = super::Browser::open(up.address, Look::default());
    browser.sign_in("mara", PASSWORD);
    browser.go("/");
    browser.says("targo has sent nothing for 2 days");
    browser.go("/sources");
    browser.says("Silent for 2 days");
    assert_eq!(browser.barriers(), Vec::<String>::new());

    deliver(up.address, &Event::honest("u-1", "T-1", 10).credit());
    api.await_processing();
    let mut up = up;
    up.process.stop();
    // Each start checks at once.
    let up = gate.up();
    until("a mail about its end", || (subjects().len() > 1).then_some(()));
    assert_eq!(subjects()[1], "Subject: RewardGate: targo sends again");
    let api = gate.api(up.address);
    let speaks = "rewardgate_source_silent_seconds{source=\"targo\"} 0";
    until("the metric", || api.metrics().contains(speaks).then_some(()));
    assert_eq!(subjects().len(), 2);
}
