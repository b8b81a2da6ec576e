//! What is normal for an offer: drawn by command, taken up by workers, named by verdicts.

use serde_json::{Value, json};

use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::network::{Event, USER_IP, deliver, sign};
use crate::support::signed_in::SignedIn;

on_both_databases!(
    what_is_far_faster_than_normal_for_its_offer_is_held,
    a_sub_id_that_stands_out_is_named_and_can_be_blocked
);

/// Ten days, in milliseconds.
const TEN_DAYS_MS: i64 = 864_000_000;

/// A credit of the offer `offer`.
fn of_offer(offer: &str, event: &Event) -> String {
    sign(&event.unsigned(1).replace(&format!("offer-{}", event.tx), offer))
}

fn signal(reward: &Value, code: &str) -> Value {
    let signals = reward["verdict"]["signals"].as_array().expect("signals");
    signals.iter().find(|signal| signal["code"] == code).expect("every rule reports").clone()
}

fn what_is_far_faster_than_normal_for_its_offer_is_held(on: Kind) {
    let gate = Gate::new(on);
    let none = gate.run(&["baseline", "show"]);
    let mut up = gate.up();
    let api = gate.api(up.address);
    for number in 0..120 {
        let event = Event::honest(&format!("u-{number}"), &format!("T-{number}"), 10).clicked_earlier(number);
        deliver(up.address, &of_offer("game-1", &event));
    }
    api.await_processing();
    up.process.stop();
    // Ten days pass.
    gate.database.execute(&format!(
        "UPDATE rewards SET received_at = received_at - {TEN_DAYS_MS}, clicked_at = clicked_at - {TEN_DAYS_MS}"
    ));
    let made = text(&gate.run(&["baseline", "make"]).stdout);
    assert!(made.contains(": 120 completions of 1 offer, 1 with 100 or more"), "{made}");
    let version = made.split([' ', ':']).nth(1).expect("the version").to_owned();
    let again = text(&gate.run(&["baseline", "make"]).stdout);
    assert!(again.contains(&version) && again.contains("the same as before"), "{again}");
    let shown = text(&gate.run(&["baseline", "show", "--offer", "game-1"]).stdout);
    assert!(shown.contains("targo offer game-1: 120 settled completions; half took 1"), "{shown}");
    let shown = text(&gate.run(&["baseline", "show", "--offer", "game-1", "--json"]).stdout);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&shown["n"], &shown["ratio"]["near_permille"]), (&json!(120), &json!(1_000)));
    assert_ne!(none.status.code(), Some(0), "before there was one");
    let unknown = gate.run(&["baseline", "show", "--offer", "game-2"]);
    assert_eq!(unknown.status.code(), Some(1), "{}", text(&unknown.stdout));

    let mut up = gate.up();
    let api = api.at(up.address);
    // 40 s instead of ten minutes; another offer, of which nothing is known, may be as fast.
    let fast = Event::honest("u-fast", "FAST", 10).clicked_earlier(-560);
    let other = Event::honest("u-other", "OTHER", 10).clicked_earlier(-560);
    let odd = Event::honest("u-odd", "ODD", 12);
    deliver(up.address, &of_offer("game-1", &fast));
    // From an address of its own: all the others share one.
    deliver(
        up.address,
        &sign(&other.unsigned(1).replace("offer-OTHER", "game-2").replace(USER_IP, "81.2.69.161")),
    );
    deliver(up.address, &of_offer("game-1", &odd));
    api.await_processing();
    let held = api.reward("FAST");
    assert_eq!((&held["status"], &held["verdict"]["baseline"]), (&json!("held"), &json!(version)));
    let found = signal(&held, "T4");
    let said = found["text"].as_str().expect("a sentence");
    assert!(said.contains("half of the 120 settled completions took 1"), "{said}");
    assert_eq!((&found["fired"], &found["sample"]), (&json!(true), &json!(120)));
    let credited = api.reward("OTHER");
    // Of its source something is known.
    assert_eq!(
        (&credited["status"], &credited["verdict"]["baseline"]),
        (&json!("credited"), &json!(version))
    );
    let found = signal(&credited, "T4");
    assert_eq!(found["text"], "Insufficient data: 0 of 100 settled completions.");
    assert_eq!((&found["fired"], &found["insufficient"]), (&json!(false), &json!(true)));
    let found = signal(&api.reward("ODD"), "Q3");
    assert_eq!(found["text"], "The reward is 12 per USD; 10 is normal for this offer, give or take 5 %.");
    gate.add_person("mara", "risk");
    let page = SignedIn::new(up.address, "mara", &[]).get(&format!("/rewards/{}", held["id"]));
    assert!(page.body.contains("settled completions took 1") && page.body.contains(&version), "{page:?}");
    let proven = text(&gate.run(&["verify", "--verdicts"]).stdout);
    assert!(proven.contains("proven: 123 verdicts follow from their facts"), "{proven}");
    gate.assert_proven();
    up.process.stop();
}

fn a_sub_id_that_stands_out_is_named_and_can_be_blocked(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    gate.add_person("mara", "risk");
    let api = gate.api(up.address);
    let mara = SignedIn::new(up.address, "mara", &[]);
    assert!(!mara.get("/sources").body.contains("stand out"), "nothing is known yet");
    for number in 0..120 {
        let event = Event::honest(&format!("u-{number}"), &format!("T-{number}"), 10);
        deliver(up.address, &of_offer("game-1", &event));
    }
    api.await_processing();
    gate.database.execute(
        "UPDATE rewards SET sub1 = 'late-site', clicked_at = received_at - 172800000 WHERE event_key < 'T-5'",
    );
    gate.run(&["baseline", "make"]);
    let shown = text(&gate.run(&["baseline", "show", "--source", "targo"]).stdout);
    let said = "100.0 % over 24 h, 0.0 % elsewhere";
    assert!(
        shown.contains("targo sub id late-site offer game-1 stands out: ") && shown.contains(said),
        "{shown}"
    );
    let page = mara.get("/sources").body;
    assert!(page.contains("late-site") && page.contains(said), "{page}");
    let today = mara.get("/").body;
    assert!(today.contains("targo: 1 sub id with many fast, late or reversed completions"), "{today}");
    let target = "target=kind%3Dsub_id%26value%3Dlate-site%26source%3Dtargo%26app%3D";
    let sent = mara.post("/lists", &format!("{target}&expires=30d&effect=watch&reason=late&back=/sources"));
    let to = sent.header("location").expect("back to the sources").to_owned();
    assert!(to.starts_with("/sources?said="), "{to}");
    assert!(mara.get(&to).body.contains("from now on"), "the page says what was done");
    assert_eq!(api.get("lists")["items"][0]["value"], json!("late-site"));
}
