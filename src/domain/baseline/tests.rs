//! What a baseline says of simulated histories: the numbers that the rules were chosen by come out again.

use proptest::prelude::*;

use super::completion::{ClickKey, Completion, Gaps};
use super::logarithm::log;
use super::sharing::{SharedNetwork, Sharing};
use super::*;
use crate::money::Micros;
use crate::postback::event::{Click, Event, Kind};
use crate::time::{DAY_MS, SECOND_MS, TimestampMs};

const AS_OF: TimestampMs = TimestampMs(1_795_435_200_000);
const SETTLED_AFTER_DAYS: i64 = 7;
/// The floor of the built-in policy.
const FLOOR: i64 = 150;

fn completion(tx: u64, took_ms: i64) -> Completion {
    Completion {
        source: "targo".into(),
        offer_id: "7".into(),
        event_id: String::new(),
        tx: format!("T{tx}"),
        received_at: TimestampMs(AS_OF.0 - 10 * DAY_MS),
        took_ms: Some(took_ms),
        gap_ms: None,
        reward: Some(Micros(500_000_000)),
        payout: Some(Micros(1_000_000)),
    }
}

fn young(tx: u64) -> Completion {
    Completion { received_at: TimestampMs(AS_OF.0 - 3 * DAY_MS), ..completion(tx, 60 * SECOND_MS) }
}

fn baseline(completions: impl IntoIterator<Item = Completion>) -> Baseline {
    let mut gathering = Gathering::new(AS_OF, SETTLED_AFTER_DAYS);
    for completion in completions {
        gathering.add(completion);
    }
    gathering.finish(&[])
}

fn normal(completions: impl IntoIterator<Item = Completion>) -> Normal {
    let found = baseline(completions).look("targo", &of_offer(Some("7"))).expect("it is known");
    found.normal.expect("the offer is known")
}

fn of_offer(offer_id: Option<&str>) -> Event {
    Event {
        kind: Kind::Credit,
        user_id: "u1".into(),
        tx_id: "T1".into(),
        credit_tx: None,
        reward: None,
        payout: None,
        rounded: false,
        offer_id: offer_id.map(str::to_owned),
        offer_name: None,
        event_id: None,
        event_name: None,
        ip: None,
        other_ips: Vec::new(),
        country_code: None,
        click: Click::Missing,
        sub1: None,
        sub2: None,
        unsent: Vec::new(),
        notes: Vec::new(),
        information: None,
    }
}

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    /// From 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A time around `median_s` whose logarithm has the deviation `spread`, in milliseconds.
    #[expect(clippy::cast_possible_truncation, reason = "far from the ends")]
    fn time_ms(&mut self, median_s: f64, spread: f64) -> i64 {
        let (one, other) = (1.0 - self.uniform(), self.uniform());
        let deviation = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
        (median_s * 1_000.0 * (spread * deviation).exp()) as i64
    }

    /// A bot that needs 3 to 20 seconds.
    #[expect(clippy::cast_possible_truncation, reason = "far from the ends")]
    fn bot_ms(&mut self) -> i64 {
        (3_000.0 + 17_000.0 * self.uniform()) as i64
    }
}

/// Deviations below the median, in hundredths.
fn deviations(took_ms: i64, times: Times) -> i64 {
    (log(times.median_ms) - log(took_ms)) * 100 / times.lower_millinats.max(FLOOR)
}

/// The share of `took_ms` at 3.5 deviations or more, in hundredths of a percent.
fn held(times: Times, took_ms: impl IntoIterator<Item = i64>) -> usize {
    let all: Vec<bool> = took_ms.into_iter().map(|took_ms| deviations(took_ms, times) >= 350).collect();
    all.iter().filter(|is_held| **is_held).count() * 10_000 / all.len()
}

fn history(random: &mut Random, n: u64, bots_percent: u64) -> Times {
    let completions = (0..n).map(|tx| {
        let is_bot = tx * 100 < n * bots_percent;
        completion(tx, if is_bot { random.bot_ms() } else { random.time_ms(600.0, 0.5) })
    });
    let completions: Vec<_> = completions.collect();
    normal(completions).times.expect("there is enough")
}

#[test]
fn a_poisoned_history_still_finds_most_bots() {
    let mut random = Random(1);
    for (bots_percent, least) in [(0, 9_900), (10, 9_900), (20, 7_500)] {
        let mut found = 0;
        for _ in 0..20 {
            let times = history(&mut random, 1_000, bots_percent);
            found += held(times, (0..500).map(|_| random.bot_ms()).collect::<Vec<_>>());
        }
        assert!(found / 20 >= least, "{bots_percent} % poisoned: {} of 10000 found", found / 20);
    }
}

#[test]
fn honest_users_are_hardly_ever_held_beside_100_completions() {
    let mut random = Random(2);
    let mut sum = 0;
    for _ in 0..400 {
        let times = history(&mut random, 100, 0);
        sum += held(times, (0..1_000).map(|_| random.time_ms(600.0, 0.5)).collect::<Vec<_>>());
    }
    assert!(sum / 400 <= 20, "{} of 10000 honest users are held", sum / 400);
}

#[test]
fn slow_users_do_not_hide_fast_ones() {
    // Most installs end in minutes, the others in days.
    let mut random = Random(3);
    let completions = (0..1_000).map(|tx| {
        completion(tx, if tx % 5 < 3 { random.time_ms(300.0, 0.7) } else { random.time_ms(200_000.0, 1.0) })
    });
    let times = normal(completions.collect::<Vec<_>>()).times.expect("there is enough");
    let usual = (log(times.median_ms) - log(10_000)) * 100 / times.spread_millinats;
    assert!(usual < 350, "the deviation of all would find nothing: {usual}");
    assert!(deviations(10_000, times) >= 300, "{}", deviations(10_000, times));
}

#[test]
fn equal_times_leave_room_for_others() {
    let times = normal((0..200).map(|tx| completion(tx, 600_000))).times.expect("there is enough");
    assert_eq!((times.lower_millinats, times.spread_millinats), (0, 0));
    assert!(deviations(500_000, times) < 350);
}

#[test]
fn fewer_than_100_settled_completions_are_joined_by_younger_ones() {
    let settled = |n| (0..n).map(|tx| completion(tx, 600_000));
    let few = normal(settled(99).chain((500..560).map(young)));
    assert_eq!((few.completions, few.is_provisional), (159, true));
    let enough = normal(settled(100).chain((500..560).map(young)));
    assert_eq!((enough.completions, enough.is_provisional), (100, false));
    let thin = normal(settled(37));
    assert_eq!((thin.completions, thin.is_provisional, thin.times), (37, false, None));
}

#[test]
fn a_ratio_is_usual_if_nearly_all_have_it() {
    let with = |others: u64| {
        normal((0..200).map(|tx| {
            let payout = Some(Micros(if tx < others { 2_000_000 } else { 1_000_000 }));
            Completion { payout, ..completion(tx, 600_000) }
        }))
    };
    assert_eq!(with(10).ratio, Some(Micros(500_000_000)));
    assert_eq!(with(11).ratio, None);
}

#[test]
fn gaps_are_those_between_steps_of_one_click() {
    let mut gaps = Gaps::default();
    let click = |user: &str| ClickKey {
        source: "targo".into(),
        user_id: user.into(),
        offer_id: "7".into(),
        clicked_at: AS_OF,
    };
    let at = |ms| TimestampMs(AS_OF.0 + ms);
    let found = [("a", 5), ("b", 6), ("a", 25), ("a", 125)]
        .map(|(user, ms)| gaps.since_the_last(&click(user), at(ms)));
    assert_eq!(found, [None, None, Some(20), Some(100)]);
}

#[test]
fn a_network_is_shared_if_several_of_its_addresses_are() {
    let crowd = |addresses: u8, users: u32, days: i64| {
        let mut sharing = Sharing::default();
        for day in 0..days {
            for address in 0..addresses {
                for user in 0..users {
                    let ip = format!("100.20.3.{address}");
                    sharing.add(
                        "main",
                        &format!("u{address}-{user}"),
                        &ip,
                        TimestampMs(AS_OF.0 + day * DAY_MS),
                    );
                }
            }
        }
        sharing.finish()
    };
    let found = crowd(4, 30, 2);
    assert_eq!(found, [SharedNetwork { network: "100.20.0.0".parse().expect("an address"), users: 30 }]);
    assert_eq!(crowd(1, 50, 7), [], "one crowded address is a farm");
    assert_eq!(crowd(200, 4, 7), [], "households are no crowd");
    let usual = |ip: &str| sharing::usual_users(&found, Some(ip));
    assert_eq!((usual("100.20.15.255"), usual("100.20.16.0"), usual("2001:db8::1")), (30, 1, 1));
}

#[test]
fn a_baseline_is_made_from_its_content_again() {
    let made = baseline((0..200).map(|tx| Completion { gap_ms: Some(9_000), ..completion(tx, 600_000) }));
    let again = Baseline::parse(&made.content()).expect("it is read");
    assert_eq!((again.version(), again.content()), (made.version(), made.content()));
    assert_eq!(again.version().len(), 16);
    let found = again.look("targo", &of_offer(Some("7"))).expect("it is known");
    assert_eq!(&*found.version, made.version());
    let normal = found.normal.expect("the offer is known");
    assert_eq!(normal.shortest_gap_ms, Some(9_000));
    let stored = serde_json::to_string(&normal).expect("plain data");
    assert_eq!(stored, r#"{"n":200,"t":[600000,0,0],"r":500000000,"g":9000}"#);
    assert_eq!(serde_json::from_str::<Normal>(&stored).expect("it is read"), normal);
    // Of another offer only what is known of its source.
    let other = again.look("targo", &of_offer(Some("8"))).expect("the source is known");
    assert_eq!((other.normal, other.usual_sharing), (None, Some(1)));
    assert!(again.look("other", &of_offer(Some("7"))).is_none());
    let newer = made.content().replace("\"format\":1", "\"format\":2");
    assert!(matches!(Baseline::parse(&newer), Err(BadBaseline::Format(2))));
}

#[test]
fn of_many_completions_a_sample_is_kept() {
    let mut random = Random(4);
    let many: Vec<_> = (0..5_000).map(|tx| completion(tx, random.time_ms(600.0, 0.5))).collect();
    let normal = normal(many);
    assert_eq!(normal.completions, 5_000);
    let times = normal.times.expect("there is enough");
    assert!((550_000..650_000).contains(&times.median_ms), "{times:?}");
    assert!((420..580).contains(&times.lower_millinats), "{times:?}");
}

proptest! {
    #[test]
    fn the_order_of_completions_does_not_matter(
        (completions, shuffled) in proptest::collection::vec((0..3_u64, 0..90_000_i64, 1..20_i64), 0..400)
            .prop_map(|rows| {
                let of = |(tx, (offer, took_ms, days)): (usize, (u64, i64, i64))| Completion {
                    offer_id: offer.to_string(),
                    received_at: TimestampMs(AS_OF.0 - days * DAY_MS),
                    ..completion(tx as u64, took_ms)
                };
                rows.into_iter().enumerate().map(of).collect::<Vec<_>>()
            })
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        let (one, other) = (baseline(completions), baseline(shuffled));
        prop_assert_eq!(one.content(), other.content());
        prop_assert_eq!(one.version(), other.version());
    }
}
