use proptest::prelude::*;

use super::*;
use crate::postback::event::{Click, Event, Kind};
use crate::time::{DAY_MS, SECOND_MS, TimestampMs};

/// Noon, 23 November 2026.
const NOW: i64 = 1_795_435_200_000;

fn event(user_id: &str, tx_id: &str, ip: &str, clicked_ms: i64) -> Event {
    Event {
        kind: Kind::Credit,
        user_id: user_id.into(),
        tx_id: tx_id.into(),
        reward: Some(Micros(500_000_000)),
        payout: Some(Micros(1_000_000)),
        rounded: false,
        offer_id: Some("7".into()),
        offer_name: None,
        event_id: Some("9".into()),
        event_name: None,
        ip: Some(ip.into()),
        country_code: Some("US".into()),
        click: Click::At(TimestampMs(clicked_ms)),
        sub1: Some("banner".into()),
        sub2: None,
        other_ips: Vec::new(),
        unsent: Vec::new(),
        notes: Vec::new(),
        credit_tx: None,
        information: None,
    }
}

/// The past of rewards that arrive one after the other, each credited; `saves` after each, as batches of one would.
struct Past {
    remembered: Remembered,
}

impl Past {
    fn of(users: &[&str]) -> Self {
        let known = users.iter().map(|user_id| KnownUser {
            app: "main".into(),
            user_id: (*user_id).into(),
            first_seen_at: TimestampMs(NOW - 100 * DAY_MS),
            memory: None,
        });
        Self { remembered: Remembered::of(known.collect(), Vec::new()) }
    }

    fn see(&mut self, event: &Event, at_ms: i64) -> History {
        let noted = Noted::of(&RememberedReward::of("targo", "main", event, None, TimestampMs(at_ms)));
        let history = self.remembered.history(&noted);
        self.remembered.add(noted, true);
        history
    }
}

#[test]
fn users_of_one_address_are_counted_for_a_day_and_those_of_one_task_for_a_week() {
    let users: Vec<String> = (0..80).map(|number| format!("u{number}")).collect();
    let mut past = Past::of(&users.iter().map(String::as_str).collect::<Vec<_>>());
    for (number, user) in users.iter().take(3).enumerate() {
        let history = past.see(
            &event(
                user,
                "T",
                "198.51.100.7",
                NOW - 60_000 - SECOND_MS * i64::try_from(number).expect("few") * 100,
            ),
            NOW,
        );
        let before = i64::try_from(number).expect("few");
        assert_eq!((history.address_users, history.task_users), (before, before));
    }
    // The same user again is no other user.
    assert_eq!(past.see(&event("u0", "T", "198.51.100.7", NOW - 50_000), NOW).address_users, 2);
    let next_day = past.see(&event("u9", "T", "198.51.100.7", NOW), NOW + DAY_MS);
    assert_eq!((next_day.address_users, next_day.task_users), (0, 3));
    let mut elsewhere = event("u10", "T", "198.51.100.8", NOW);
    assert_eq!(past.see(&elsewhere, NOW + 2 * DAY_MS).task_users, 0);
    elsewhere.ip = Some("198.51.100.7".into());
    elsewhere.offer_id = Some("8".into());
    assert_eq!(past.see(&elsewhere, NOW + 2 * DAY_MS).task_users, 0);
    let later = past.see(&event("u11", "T", "198.51.100.7", NOW), NOW + 8 * DAY_MS);
    assert_eq!((later.address_users, later.task_users), (0, 0));
}

#[test]
fn an_address_of_ipv6_is_its_64() {
    let mut past = Past::of(&["a", "b"]);
    past.see(&event("a", "T", "2001:db8:1:2::1", NOW - 60_000), NOW);
    assert_eq!(past.see(&event("b", "T", "2001:db8:1:2:ffff::9", NOW - 61_000), NOW).address_users, 1);
    assert_eq!(past.see(&event("b", "T", "2001:db8:1:3::1", NOW - 61_000), NOW).address_users, 0);
}

#[test]
fn a_crowd_is_counted_up_to_what_a_list_holds() {
    let mut past = Past::of(&[]);
    let mut last = History::default();
    for number in 0..500 {
        last = past.see(&event(&format!("u{number}"), "T", "198.51.100.7", NOW - 60_000), NOW);
    }
    assert_eq!(last.address_users, 73);
    let (_, lists) = past.remembered.changes();
    assert!(lists.iter().all(|(_, text)| text.len() <= sightings::MOST_CHARS));
}

#[test]
fn the_same_time_to_the_second_makes_twins_and_a_near_one_does_not() {
    let mut past = Past::of(&[]);
    for (number, took_s) in [100, 101, 99, 100, 103, 97, 130].into_iter().enumerate() {
        let at_ms = NOW + i64::try_from(number).expect("few") * 1_000_000;
        let ip = format!("198.51.{number}.7");
        past.see(&event(&format!("u{number}"), "T", &ip, at_ms - took_s * SECOND_MS), at_ms);
    }
    let at_ms = NOW + 8_000_000;
    let one = event("u9", "T", "203.0.113.7", at_ms - 100 * SECOND_MS);
    let history = past.see(&one, at_ms);
    assert_eq!((history.twins, history.near_twins), (5, 2));
    let mut other_sub_id = one.clone();
    other_sub_id.sub1 = Some("other".into());
    assert_eq!(past.see(&other_sub_id, at_ms).twins, 0);
    // Yesterday's list is read, too; what is older is not.
    let across =
        past.see(&event("u10", "T", "192.0.2.7", NOW + DAY_MS - 200_000 - 100_000), NOW + DAY_MS - 200_000);
    assert!(across.twins >= 5, "{across:?}");
}

#[test]
fn several_events_of_one_click_are_one_click_and_tell_their_gap() {
    let mut past = Past::of(&["u"]);
    let clicked = NOW - 3_600_000;
    let mut step = event("u", "T-1", "198.51.100.7", clicked);
    assert_eq!(past.see(&step, NOW).gap_s, None);
    step.event_id = Some("10".into());
    let second = past.see(&step, NOW + 90_000);
    assert_eq!((second.gap_s, second.same_second, second.clicks_in_hour), (Some(90), 0, 0));
    let third = past.see(&step, NOW + 90_500);
    assert_eq!((third.gap_s, third.same_second), (Some(0), 1));
    let other = past.see(&event("u", "T-2", "198.51.100.7", clicked + 1), NOW + 100_000);
    assert_eq!((other.gap_s, other.clicks_in_hour, other.clicks_in_day), (None, 1, 1));
}

#[test]
fn a_user_without_click_times_counts_each_reward() {
    let mut past = Past::of(&["u"]);
    for number in 0..12 {
        let mut without = event("u", &format!("T-{number}"), "198.51.100.7", NOW);
        without.click = Click::Missing;
        assert_eq!(past.see(&without, NOW + number).clicks_in_hour, number);
    }
}

#[test]
fn countries_and_networks_of_a_day_are_counted() {
    let mut past = Past::of(&["u"]);
    let mut last = History::default();
    for (number, country) in ["US", "US", "DE", "FR"].into_iter().enumerate() {
        let mut one = event("u", &format!("T-{number}"), &format!("198.51.{number}.7"), NOW);
        one.country_code = Some(country.into());
        last = past.see(&one, NOW);
    }
    assert_eq!(
        (last.countries.as_slice(), last.networks_in_day),
        (["DE", "FR", "US"].map(String::from).as_slice(), 4)
    );
    assert_eq!(past.see(&event("u", "T-9", "198.51.0.7", NOW), NOW + DAY_MS).networks_in_day, 0);
}

#[test]
fn a_new_user_is_new_for_two_days() {
    let known =
        KnownUser { app: "main".into(), user_id: "u".into(), first_seen_at: TimestampMs(NOW), memory: None };
    let mut past = Past { remembered: Remembered::of(vec![known], Vec::new()) };
    assert_eq!(past.see(&event("u", "T-1", "198.51.100.7", NOW), NOW).known_for_s, Some(0));
    assert_eq!(past.see(&event("u", "T-2", "198.51.100.7", NOW), NOW + DAY_MS).known_for_s, Some(86_400));
    assert_eq!(past.see(&event("u", "T-3", "198.51.100.7", NOW), NOW + 2 * DAY_MS).known_for_s, None);
}

#[test]
fn the_record_of_a_user_is_counted_by_periods_and_settles() {
    let mut past = Past::of(&["u"]);
    for number in 0..30 {
        past.see(&event("u", &format!("T-{number}"), "198.51.100.7", NOW + number), NOW + number * 3_600_000);
    }
    past.remembered.reversed("main", "u", TimestampMs(NOW));
    let later =
        |past: &mut Past, days: i64| past.see(&event("u", "T", "198.51.100.7", NOW), NOW + days * DAY_MS);
    let soon = later(&mut past, 3);
    assert_eq!((soon.credited, soon.reversed, soon.settled), (30, 1, 0));
    let settled = later(&mut past, 65);
    assert_eq!((settled.credited, settled.reversed, settled.settled), (31, 1, 31));
    let long_after = later(&mut past, 200);
    assert_eq!((long_after.credited, long_after.reversed, long_after.settled), (0, 0, 32));
}

#[test]
fn what_pays_far_more_than_usual_is_told() {
    let mut past = Past::of(&["u"]);
    let paying =
        |tx: &str, micros| Event { payout: Some(Micros(micros)), ..event("u", tx, "198.51.100.7", NOW) };
    for number in 0..5 {
        assert_eq!(past.see(&paying(&format!("T-{number}"), 500_000), NOW).usual_payout, None);
    }
    assert_eq!(past.see(&paying("T-6", 1_999_999), NOW).usual_payout, None);
    assert_eq!(past.see(&paying("T-7", 2_000_000), NOW).usual_payout, Some((Micros(500_000), 6)));
}

proptest! {
    /// A memory that is stored after each reward says the same as one that never was.
    #[test]
    fn a_memory_is_stored_whole(rewards in proptest::collection::vec((0_i64..40_000_000, 0_u8..3, 1_i64..9_000_000, any::<bool>()), 0..120)) {
        let (mut kept, mut stored) = (UserMemory::default(), UserMemory::default());
        let mut at_s = NOW / SECOND_MS;
        for (after_s, country, payout, is_credited) in rewards {
            at_s += after_s % 20_000;
            let one = Sighted {
                at_s,
                click: u32::try_from(after_s).expect("small"),
                country: ["", "DE", "US"][usize::from(country)].into(),
                network: u32::from(country),
                payout: Micros(payout),
                pace_percent: (payout % 3 > 0).then_some(payout % 600 - 200),
            };
            let (mut of_kept, mut of_stored) = (History::default(), History::default());
            kept.look(&one, &mut of_kept);
            stored.look(&one, &mut of_stored);
            prop_assert_eq!(of_kept, of_stored);
            for memory in [&mut kept, &mut stored] {
                memory.add(one.clone(), is_credited);
                if payout % 7 == 0 {
                    memory.reversed(TimestampMs(at_s * SECOND_MS));
                }
            }
            stored = UserMemory::parse(&stored.text());
            prop_assert!(stored.text().len() < 2_500);
        }
    }

    /// Whatever is in a stored text, reading it never fails.
    #[test]
    fn any_text_is_read(text in ".*") {
        let _ = UserMemory::parse(&text).text();
    }
}
