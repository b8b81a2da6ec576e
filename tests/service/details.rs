//! No credit and no reversal is lost to a detail of how the network writes it, and every correction is reported.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening};
use crate::support::network::{USER_IP, deliver, now_s, sign};

on_both_databases!(
    a_reversal_takes_back_however_its_amounts_are_written,
    nothing_optional_keeps_money_from_moving,
    an_address_that_is_made_up_in_front_of_a_list_hides_nothing,
    blanks_zeros_and_exponents_are_read_exactly,
    a_macro_that_was_not_filled_in_is_named_and_credits_nobody,
    a_user_that_is_nobody_waits_for_a_person,
    another_event_under_a_known_transaction_is_a_conflict_that_names_it,
    a_status_of_the_networks_own_is_mapped_and_replayed,
    events_without_money_are_information_and_their_credit_counts,
    a_link_copied_out_of_a_page_is_read,
);

/// One gate with its API, and the calls of one network that writes as it likes.
struct Writing {
    gate: Gate,
    up: Listening,
    api: Api,
}

impl Writing {
    fn on(kind: Kind) -> Self {
        Self::with(Gate::new(kind))
    }

    fn with(gate: Gate) -> Self {
        let up = gate.up();
        let api = gate.api(up.address);
        Self { gate, up, api }
    }

    /// Sends the postback that [`written`] makes of `changes`, which must be acknowledged.
    fn send(&self, changes: &[(&str, &str)]) {
        deliver(self.up.address, &sign(&written(changes)));
    }

    /// The reason of the newest postback, which must be quarantined.
    fn quarantined(&self, changes: &[(&str, &str)]) -> String {
        self.send(changes);
        self.api.await_processing();
        let newest = &self.api.get("postbacks?limit=1")["items"][0];
        assert_eq!(newest["outcome"], "quarantined", "{changes:?}: {newest}");
        newest["reason"].as_str().expect("a reason").to_owned()
    }

    fn status(&self, tx: &str) -> Value {
        self.api.reward(tx)["status"].clone()
    }
}

/// An honest credit of 500 coins of `u-1` under `T-1`, but for `changes`. Every transaction is an offer of its own.
fn written(changes: &[(&str, &str)]) -> String {
    let clicked_at = (now_s() - 600).to_string();
    let tx = changes.iter().find(|(name, _)| *name == "tx").map_or("T-1", |(_, value)| value);
    let offer = format!("offer-{tx}");
    let usual = [
        ("uid", "u-1"),
        ("tx", "T-1"),
        ("reward", "500"),
        ("payout", "1.00"),
        ("status", "1"),
        ("offer_id", &offer),
        ("offer_name", "Nordbank"),
        ("event_id", "e1"),
        ("ip", USER_IP),
        ("country_code", "GB"),
        ("timestamp", &clicked_at),
    ];
    let kept = usual.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let pairs: Vec<_> = kept.chain(changes).map(|(name, value)| format!("{name}={value}")).collect();
    format!("/pb/targo?{}", pairs.join("&"))
}

fn signal<'r>(reward: &'r Value, code: &str) -> &'r Value {
    let signals = reward["verdict"]["signals"].as_array().expect("signals");
    signals.iter().find(|signal| signal["code"] == code).expect("a signal")
}

fn a_reversal_takes_back_however_its_amounts_are_written(on: Kind) {
    let network = Writing::on(on);
    let ways = [
        ("-500", "-1.00"),
        ("500", "-1.00"),
        ("-0", "0"),
        ("0", "0"),
        ("", ""),
        ("1,234.50", "some"),
        ("{reward}", "%FF"),
        ("-5e2", "1e0"),
    ];
    for (index, (reward, payout)) in ways.into_iter().enumerate() {
        let (first, last) = (format!("T-{index}"), format!("R-{index}"));
        let reversal =
            |tx: &str| network.send(&[("tx", tx), ("status", "2"), ("reward", reward), ("payout", payout)]);
        network.send(&[("tx", &first)]);
        network.api.await_processing();
        reversal(&first);
        reversal(&last);
        network.api.await_processing();
        network.send(&[("tx", &last)]);
        for tx in [&first, &last] {
            let taken = network.api.reward(tx);
            assert_eq!(
                (&taken["status"], &taken["conflict"]),
                (&json!("reversed"), &json!(false)),
                "{reward}: {taken}"
            );
        }
    }
    assert_eq!(network.api.balance("u-1"), "0");
    let said = network.api.reward("T-5")["postbacks"][1]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains("cleaned: `reward` is not a decimal number"), "{said}");
    network.gate.assert_proven();
}

fn nothing_optional_keeps_money_from_moving(on: Kind) {
    let network = Writing::on(on);
    let long = "x".repeat(1_025);
    let details = [
        ("offer_name", "%E9", Some("was not UTF-8")),
        ("offer_name", "a%00b", Some("control characters")),
        ("sub1", &long, Some("was shortened to 1024 bytes")),
        ("country_code", "United%20Kingdom", Some("read as GB")),
        ("country_code", "GBR", Some("read as GB")),
        ("ip", "81.2.69.160%20", Some("had blanks around it")),
        ("ip", "81.2.69.160:443", Some("had extra text around the address")),
        ("ip", "10.0.0.1,%2081.2.69.160,%2010.0.0.2", Some("is a list of 3 entries")),
        ("event_name", "a&event_name=b", Some("with different values")),
        ("event_name", "a&event_name=a", None),
    ];
    for (index, (name, value, said)) in details.into_iter().enumerate() {
        let tx = format!("T-{index}");
        network.send(&[("tx", &tx), (name, value)]);
        let reward = network.api.reward(&tx);
        assert_eq!(reward["status"], "credited", "{name}={value}: {reward}");
        assert_eq!(reward["country_code"], "GB", "{name}={value}");
        let cleaned = signal(&reward, "Q7");
        assert_eq!(cleaned["fired"], json!(said.is_some()), "{name}={value}: {cleaned}");
        assert!(cleaned["text"].as_str().is_some_and(|text| text.contains(said.unwrap_or(""))), "{cleaned}");
        assert!(
            reward["postbacks"][0]["target"].as_str().is_some_and(|target| target.contains(value)),
            "the raw bytes"
        );
        network.send(&[("tx", &tx), ("status", "2"), (name, value)]);
        assert_eq!(network.status(&tx), "reversed", "{name}={value}");
    }
    // Located like an address that stands alone, and what the network says of it counts.
    network.send(&[("tx", "T-tor"), ("country_code", "T1")]);
    let reward = network.api.reward("T-tor");
    assert_eq!(
        (&reward["status"], &signal(&reward, "N1")["points"]),
        (&json!("held"), &json!(60)),
        "{reward}"
    );
    network.gate.assert_proven();
}

fn an_address_that_is_made_up_in_front_of_a_list_hides_nothing(on: Kind) {
    let network = Writing::on(on);
    // Google's, in the registry of another country than the network says.
    let elsewhere = "8.8.8.8";
    for (tx, ip) in [("T-1", elsewhere.to_owned()), ("T-2", format!("{USER_IP},%20{elsewhere}"))] {
        network.send(&[("tx", tx), ("ip", &ip)]);
        let reward = network.api.reward(tx);
        let mismatch = signal(&reward, "G1");
        assert_eq!((&mismatch["fired"], &mismatch["points"]), (&json!(true), &json!(30)), "{ip}: {mismatch}");
    }
    assert_eq!(network.api.reward("T-2")["ip"], USER_IP, "the first public one is the user's");
    network.send(&[("tx", "T-3"), ("ip", &format!("{USER_IP},%2010.0.0.1"))]);
    assert_eq!(signal(&network.api.reward("T-3"), "G1")["fired"], json!(false));
}

fn blanks_zeros_and_exponents_are_read_exactly(on: Kind) {
    let network = Writing::on(on);
    let ways = [
        ("reward", "500%20"),
        ("reward", "%09500"),
        ("reward", "5e2"),
        ("reward", "%2B500.000"),
        ("status", "1%20"),
        ("status", "01"),
        ("status", "1.0"),
        ("uid", "%20u-1"),
        ("payout", "1e0"),
    ];
    for (index, (name, value)) in ways.into_iter().enumerate() {
        let tx = format!("T-{index}");
        network.send(&[("tx", &tx), (name, value)]);
        let reward = network.api.reward(&tx);
        assert_eq!(
            (&reward["status"], &reward["reward"]),
            (&json!("credited"), &json!("500")),
            "{name}={value}"
        );
    }
    assert_eq!(network.api.balance("u-1"), (500 * ways.len()).to_string());
    for (value, said) in
        [("1,234.50", "\u{201c}1,234.50\u{201d}"), ("500%20coins", "\u{201c}500 coins\u{201d}")]
    {
        let reason = network.quarantined(&[("tx", "T-no"), ("reward", value)]);
        assert!(reason.starts_with("`reward` is not a decimal number") && reason.contains(said), "{reason}");
    }
    network.gate.assert_proven();
}

fn a_macro_that_was_not_filled_in_is_named_and_credits_nobody(on: Kind) {
    let network = Writing::on(on);
    for (name, value) in [
        ("uid", "{user_id}"),
        ("uid", "[USER_ID]"),
        ("tx", "%7Btx_id%7D"),
        ("tx", "[%25TX%25]"),
        ("reward", "{{x}}"),
    ] {
        let reason = network.quarantined(&[(name, value)]);
        assert!(reason.starts_with(&format!("the network did not fill in `{name}`")), "{reason}");
    }
    assert_eq!(network.quarantined(&[("uid", "%20")]), "`uid` is missing");
    assert_eq!(network.api.get("rewards")["items"], json!([]));
    network.send(&[("event_id", "{event_id}"), ("offer_name", "[OFFER]")]);
    let reward = network.api.reward("T-1");
    assert_eq!((&reward["status"], &reward["event_id"]), (&json!("credited"), &Value::Null));
    let said = signal(&reward, "Q8");
    assert!(
        said["text"]
            .as_str()
            .is_some_and(|text| text.contains("`event_id`") && text.contains("`offer_name`")),
        "{said}"
    );
    network.gate.assert_proven();
}

fn a_user_that_is_nobody_waits_for_a_person(on: Kind) {
    let network = Writing::on(on);
    for (index, user) in ["undefined", "null", "0", "None", "(null)"].into_iter().enumerate() {
        let tx = format!("T-{index}");
        network.send(&[("tx", &tx), ("uid", user)]);
        let reward = network.api.reward(&tx);
        assert_eq!(
            (&reward["status"], &signal(&reward, "Q9")["hard"]),
            (&json!("held"), &json!(true)),
            "{user}"
        );
    }
    assert_eq!(network.api.balance("undefined"), "0");
    network.gate.assert_proven();
}

fn another_event_under_a_known_transaction_is_a_conflict_that_names_it(on: Kind) {
    let network = Writing::on(on);
    network.send(&[]);
    network.api.await_processing();
    network.send(&[("event_id", "e2")]);
    let reward = network.api.reward("T-1");
    let said = &reward["postbacks"][1]["reason"];
    assert_eq!((&reward["conflict"], said), (&json!(true), &json!("conflict: event e2 instead of e1")));
    assert_eq!(network.api.balance("u-1"), "500");
    network.gate.assert_proven();
}

fn a_status_of_the_networks_own_is_mapped_and_replayed(on: Kind) {
    let network = Writing::on(on);
    network.send(&[]);
    let reason = network.quarantined(&[("status", "Reversed"), ("reward", "-500")]);
    assert!(reason.contains("statuses = { \"reversed\" = \"reversal\" }"), "{reason}");
    network.send(&[("tx", "T-2"), ("status", "pending")]);
    let Writing { gate, mut up, api } = network;
    api.await_processing();
    up.process.stop();
    gate.change(|settings| {
        settings.with_in_source("statuses = { reversed = \"reversal\", PENDING = \"information\" }")
    });
    let mut up = gate.up();
    let api = api.at(up.address);
    assert!(gate.run(&["replay", "--quarantined"]).status.success());
    assert_eq!(api.reward("T-1")["status"], "reversed");
    assert_eq!(api.balance("u-1"), "0");
    let information = api.get("postbacks?outcome=information");
    assert_eq!(information["items"].as_array().map(Vec::len), Some(1), "{information}");
    gate.assert_proven();
    up.process.stop();
}

fn events_without_money_are_information_and_their_credit_counts(on: Kind) {
    let network = Writing::on(on);
    for index in 0..20 {
        let event = format!("e{index}");
        network.send(&[("event_id", &event), ("reward", "0"), ("payout", "0.00")]);
    }
    network.api.await_processing();
    assert_eq!(network.api.get("rewards")["items"], json!([]), "nothing is held, nothing is credited");
    network.send(&[]);
    assert_eq!(network.status("T-1"), "credited");
    let listed = network.api.get("postbacks?outcome=information&limit=100");
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(20));
    assert_eq!(listed["items"][0]["reason"], "recorded only: it carries no money");
    network.send(&[("tx", "T-2"), ("payout", "0")]);
    network.send(&[("tx", "T-3"), ("reward", "0")]);
    for tx in ["T-2", "T-3"] {
        assert_eq!(network.status(tx), "held", "money on one side only is a matter of policy");
    }
    network.gate.assert_proven();
}

fn a_link_copied_out_of_a_page_is_read(on: Kind) {
    let network = Writing::on(on);
    deliver(network.up.address, &sign(&written(&[]).replace('&', "&amp;")));
    let reward = network.api.reward("T-1");
    assert_eq!(reward["status"], "credited");
    assert!(signal(&reward, "Q7")["text"].as_str().is_some_and(|text| text.contains("`&amp;`")));
    deliver(network.up.address, &sign("/pb/targo?uid=u-1;tx=T-2;reward=5;status=1"));
    network.api.await_processing();
    let newest = &network.api.get("postbacks?limit=1")["items"][0];
    assert!(newest["reason"].as_str().is_some_and(|reason| reason.contains("the URL has `;`")), "{newest}");
    network.gate.assert_proven();
}

#[test]
fn a_plus_in_a_user_is_what_the_settings_say() {
    let network =
        Writing::with(Gate::with(Kind::Sqlite, |settings| settings.with_in_source("plus = \"plus\"")));
    network.send(&[("uid", "ann+test@x")]);
    network.api.await_processing();
    network.send(&[("uid", "ann%2Btest%40x"), ("status", "2")]);
    assert_eq!(network.status("T-1"), "reversed");
    network.gate.assert_proven();
}
