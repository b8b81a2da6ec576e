use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;

use domain::money::Micros;
use domain::postback::mapping::map_stated;
use domain::postback::networks::Call;
use domain::postback::networks::kinds::Meaning;
use domain::postback::networks::signature::{Keys, Verified};
use domain::postback::signature::Secret;
use domain::postback::stated::Stated;
use domain::time::{DAY_MS, TimestampMs};

use super::population::SCHEMES;
use super::schedule::Schedule;
use super::*;
use crate::network::Network;

const EXAMPLE: &str = include_str!("../../commands/sandbox/personas.example.toml");
const ORIGIN: &str = "https://gw.example.com";
/// 5 January 2026.
const START_MS: i64 = 1_767_571_200_000;

fn population() -> Population {
    toml::from_str(EXAMPLE).expect("a sound population")
}

fn changed(what: impl FnOnce(&mut toml::Table)) -> Result<Log, LogError> {
    let mut table: toml::Table = EXAMPLE.parse().expect("TOML");
    what(&mut table);
    let network = Network::shipped("targo").expect("it ships");
    let population = table.try_into().expect("a population");
    Log::of(population, &network, Extent { events: 1_000, days: 10, seed: 1 })
}

fn log(events: u64, days: u32, seed: u64) -> Log {
    let network = Network::shipped("targo").expect("it ships");
    Log::of(population(), &network, Extent { events, days, seed }).expect("a log")
}

fn calls(events: u64, days: u32, seed: u64) -> Vec<Logged> {
    log(events, days, seed).collect::<Result<_, _>>().expect("every call can be signed")
}

/// The same without signatures, which take most of the time.
fn lines(events: u64, days: u32, seed: u64) -> Vec<Line> {
    Schedule::of(population(), Extent { events, days, seed }, true).expect("a schedule").collect()
}

fn credits(lines: &[Line]) -> impl Iterator<Item = &Completion> {
    lines.iter().filter(|line| line.act == Act::Credit).map(|line| &line.completion)
}

#[test]
fn a_log_has_as_many_calls_as_asked_in_order_of_time() {
    let lines = lines(20_000, 45, 7);
    assert_eq!(lines.len(), 20_000);
    assert!(lines.is_sorted_by_key(|line| line.received_at_ms));
    let mut days = BTreeMap::<i64, usize>::new();
    for line in &lines {
        *days.entry((line.received_at_ms - START_MS).div_euclid(DAY_MS)).or_default() += 1;
    }
    assert!(days.keys().eq(&(0..45).collect::<Vec<_>>()), "{days:?}");
    // 20,000 / 45 = 444, and a day ends with a whole sitting or wave.
    assert!(days.values().all(|calls| (430..460).contains(calls)), "every day has its part: {days:?}");
}

#[test]
fn a_seed_gives_the_same_log_and_another_seed_another() {
    let written = |seed| {
        let (mut text, mut truth) = (Vec::new(), Truth::begin(Vec::new()).expect("room"));
        for call in log(2_000, 10, seed) {
            let call = call.expect("signed");
            Form::Ndjson.write(&call, &mut text).expect("room");
            truth.add(&call).expect("room");
        }
        (text, truth.finish().expect("room"))
    };
    assert_eq!(written(1), written(1));
    assert_ne!(written(1), written(2));
}

#[test]
fn every_call_verifies_with_the_secret_of_its_source_and_says_what_happened() {
    let log = log(4_000, 20, 3);
    let keys: HashMap<String, Keys> = log
        .sources()
        .map(|(name, secret)| {
            let secrets = Secret::new(secret.as_bytes().to_vec()).into_iter().collect();
            (name.to_owned(), Keys { secrets, second: Vec::new(), public: Vec::new() })
        })
        .collect();
    assert_eq!(keys.len(), 2);
    let network = Network::shipped("targo").expect("it ships");
    let mut acts = HashSet::new();
    for call in log {
        let call = call.expect("signed");
        let (line, completion) = (call.line, call.line.completion);
        let at = TimestampMs(line.received_at_ms);
        let verified = network.definition().verify(&Call::get(ORIGIN, &call.target), &keys[&call.source], at);
        assert_eq!(verified, Ok(Verified::Secret(0)), "{}", call.target);
        let mapped = map_stated(&Call::get(ORIGIN, &call.target), network.params(), &Stated::default())
            .expect("mapped");
        let is_reversal = line.act == Act::Reversal;
        assert_eq!(mapped.kind.meaning() == Meaning::Reversal, is_reversal);
        assert_eq!((&mapped.user_id, mapped.key()), (&call.user_id, call.tx_id.as_str()));
        assert_eq!(mapped.reward, mapped.payout.map(|payout| Micros(payout.0 * 500)));
        assert!(mapped.notes.is_empty(), "{:?}", mapped.notes);
        let finished_ms = completion.clicked_at_s * 1_000 + completion.took_ms;
        assert!(if line.act == Act::Credit {
            line.received_at_ms == finished_ms
        } else {
            line.received_at_ms > finished_ms
        });
        acts.insert(call.target.contains("status=2"));
    }
    assert_eq!(acts.len(), 2, "credits and reversals");
}

#[test]
fn shares_are_those_of_the_population() {
    let lines = lines(60_000, 45, 11);
    let mut seen = BTreeMap::<Persona, f64>::new();
    for completion in credits(&lines) {
        *seen.entry(completion.persona).or_default() += 1.0;
    }
    let all: f64 = seen.values().sum();
    let population = population();
    let mut fraud = 0.0;
    for persona in SCHEMES {
        let (share, wanted) = (seen[&persona] / all, population.share(persona));
        fraud += share;
        assert!((share / wanted - 1.0).abs() < 0.35, "{}: {share} instead of {wanted}", persona.name());
    }
    assert!((fraud / 0.05 - 1.0).abs() < 0.1, "{fraud}");
    let slow = seen[&Persona::SlowFinisher] / all;
    assert!((0.008..0.02).contains(&slow), "{slow}");
    let share_of = |persona| seen[&persona] / all;
    assert!((0.15..0.45).contains(&share_of(Persona::Household)));
    assert!((0.08..0.25).contains(&share_of(Persona::Carrier)));
    assert!((0.005..0.08).contains(&share_of(Persona::Traveller)));
    let repeats = lines.iter().filter(|line| line.act == Act::Again).count();
    assert!((400..800).contains(&repeats), "{repeats}");
}

#[test]
fn every_credit_has_one_row_of_truth_and_nobody_does_an_event_twice() {
    let calls = calls(20_000, 45, 5);
    let mut truth = Truth::begin(Vec::new()).expect("room");
    for call in &calls {
        truth.add(call).expect("room");
    }
    let text = String::from_utf8(truth.finish().expect("room")).expect("text");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["tx_id", "source", "user_id", "persona", "is_fraud"]);
    let txs: HashSet<_> = rows[1..].iter().map(|row| row[0]).collect();
    assert_eq!(txs.len(), rows.len() - 1, "transactions are unique");
    let credits = || calls.iter().filter(|call| call.line.act == Act::Credit);
    assert_eq!(txs.len(), credits().count());
    assert!(calls.iter().all(|call| txs.contains(call.tx_id.as_str())), "no reversal without its credit");
    let mut done = HashSet::new();
    for call in credits() {
        let completion = &call.line.completion;
        assert!(done.insert((&call.user_id, completion.offer, completion.step)), "{}", call.target);
        assert!(completion.took_ms > 0, "{}", call.target);
    }
    let personas: BTreeSet<_> = rows[1..].iter().map(|row| (row[3], row[4])).collect();
    let all = Persona::ALL.map(|persona| (persona.name(), if persona.is_fraud() { "true" } else { "false" }));
    assert_eq!(personas, BTreeSet::from(all));
}

#[test]
fn schemes_leave_the_traces_that_they_are_known_for() {
    let lines = lines(40_000, 45, 9);
    let of = |persona| credits(&lines).copied().filter(move |own| own.persona == persona).collect::<Vec<_>>();
    assert!(of(Persona::ClickInjector).iter().all(|own| (3_000..=9_000).contains(&own.took_ms)));
    let subs: HashSet<_> = of(Persona::ClickInjector).iter().map(|own| (own.source, own.sub)).collect();
    assert_eq!(subs.len(), 1, "one placement of one source");
    assert!(of(Persona::SpeedBot).iter().all(|own| (3_000..=60_000).contains(&own.took_ms)));
    assert!(of(Persona::Hosting).iter().all(|own| {
        HOSTING.iter().any(|(country, range)| {
            *country == own.country()
                && crate::addresses::Block::parse(country, range)
                    .is_some_and(|block| block.contains(own.address()))
        })
    }));
    let farms: HashSet<_> = of(Persona::FarmIpv4).iter().map(Completion::address).collect();
    assert!(of(Persona::FarmIpv4).len() > 10 * farms.len(), "many accounts behind one address");
    assert!(of(Persona::FarmIpv6).iter().all(|own| own.address().is_ipv6()));
    let late = of(Persona::SlowPoisoner).iter().map(|own| own.clicked_at_s * 1_000 - START_MS).max();
    assert!(late.is_some_and(|late_ms| late_ms < 20 * DAY_MS), "poison comes early: {late:?}");
    let slow = of(Persona::SlowFinisher).iter().filter(|own| own.took_ms > DAY_MS).count();
    assert!(slow * 10 > of(Persona::SlowFinisher).len() * 7, "days or weeks after the click");
    let twins = of(Persona::DurationTwin);
    let alike = twins.iter().filter(|own| {
        twins
            .iter()
            .filter(|other| {
                other.offer == own.offer
                    && other.sub == own.sub
                    && (other.took_ms - own.took_ms).abs() <= 2_000
            })
            .count()
            >= 5
    });
    assert!(alike.count() * 10 > twins.len() * 9, "twins share offer, placement and seconds");
    let taken_back: HashSet<_> =
        lines.iter().filter(|line| line.act == Act::Reversal).map(|line| line.completion.number).collect();
    let backs = |persona| {
        let own = credits(&lines).filter(|own| own.persona == persona);
        own.filter(|own| taken_back.contains(&own.number)).count()
    };
    assert!(backs(Persona::ChargebackUser) * 3 > of(Persona::ChargebackUser).len());
    assert_eq!(backs(Persona::SlowPoisoner), 0);
}

#[test]
fn a_parameter_out_of_its_bounds_is_named_with_them() {
    let refused =
        |what: &dyn Fn(&mut toml::Table)| changed(|table| what(table)).expect_err("bounds").to_string();
    let set = |table: &mut toml::Table, [section, key]: [&str; 2], value: toml::Value| {
        let section = section.split('.').fold(table, |table, name| {
            table.get_mut(name).and_then(toml::Value::as_table_mut).expect("a section")
        });
        section.insert(key.into(), value);
    };
    for (place, value, message) in [
        (["users", "ipv6"], 1.5.into(), "`users.ipv6` must be between 0 and 1, not 1.5"),
        (["users", "carrier"], f64::NAN.into(), "`users.carrier` must be between 0 and 1, not NaN"),
        (
            ["classes.survey", "offers"],
            250.into(),
            "`classes.*.offers together` must be between 1 and 256, not 306",
        ),
        (
            ["fraud.speed_bot", "seconds"],
            vec![9, 3].into(),
            "`fraud.speed_bot.seconds` must be a range [least, most] within 0 and 31622400, not [9, 3]",
        ),
        (["fraud.hosting", "share"], 0.95.into(), "`fraud.*.share together, each divided by"),
    ] {
        let told = refused(&|table| set(table, place, toml::Value::clone(&value)));
        assert!(told.contains(message), "{told}");
    }
    let told = refused(&|table| drop(table.insert("start".into(), "soon".into())));
    assert_eq!(told, "`start` must be a day as YYYY-MM-DD, not soon");
    let told = refused(&|table| drop(table.insert("reward_per_usd".into(), "-5".into())));
    assert!(told.starts_with("`reward_per_usd` must be an amount above 0"), "{told}");
    let told = refused(&|table| drop(table.insert("origin".into(), "gw".into())));
    assert!(told.starts_with("`origin`: the template must begin with http"), "{told}");
}

#[test]
fn only_networks_whose_calls_stand_in_an_access_log_are_logged() {
    for name in domain::postback::networks::shipped::names() {
        let network = Network::shipped(name).expect("it ships");
        let extent = Extent { events: 200, days: 5, seed: 1 };
        match Log::of(population(), &network, extent) {
            Ok(log) => assert_eq!(log.flatten().count(), 200, "{name}"),
            Err(LogError::NoQuery(title)) => assert_eq!(title, network.definition().title),
            Err(LogError::Signer(_)) => {}
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn lines_are_written_as_readers_expect_them() {
    let call = &calls(10, 1, 1)[0];
    let written = |form: Form| {
        let mut text = Vec::new();
        form.write(call, &mut text).expect("room");
        String::from_utf8(text).expect("text")
    };
    let object: serde_json::Value = serde_json::from_str(&written(Form::Ndjson)).expect("JSON");
    assert_eq!(object["target"], call.target.as_str());
    assert_eq!(object["source"], call.source.as_str());
    let at = TimestampMs(call.line.received_at_ms).rfc3339();
    assert_eq!(object["received_at"], at.as_str());
    let mut expected = String::new();
    let _ = write!(
        expected,
        "{} - - [05/Jan/2026:{} +0000] \"GET {} HTTP/1.1\" 200 2 ",
        call.remote_ip,
        &at[11..19],
        call.target
    );
    assert!(written(Form::Combined).starts_with(&expected), "{}", written(Form::Combined));
}
