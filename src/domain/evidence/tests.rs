//! The golden corpus: facts with the result that the rules drew from them. It fails when a rule changes its result without
//! a new [`ENGINE`].
//!
//! After a change that is meant: raise [`ENGINE`], then `WRITE_GOLDEN=1 cargo test -p domain golden`.

use super::*;
use crate::baseline::Times;
use crate::baseline::shares::Oddity;
use crate::lists::{Effect, Kind};
use crate::postback::event::NoteKind;
use crate::postback::networks::Field;
use crate::postback::networks::coverage::Unsigned;
use crate::rules::ENGINE;

const GOLDEN: &str = include_str!("golden.jsonl");
const AT: TimestampMs = TimestampMs(1_795_435_200_000);
const CASES: u64 = 280;
/// Cases beside a baseline.
const USUAL_CASES: u64 = 100;
/// Of those, cases from this one on are of a sub id that is odd.
const WITH_SHARES: u64 = 60;
/// Cases from this one on have facts of networks other than the first.
const OF_ANY_NETWORK: u64 = 160;
/// Cases from this one on have a past.
const WITH_A_PAST: u64 = 200;
/// Cases from this one on match entries of lists.
const LISTED: u64 = 260;

/// One line of the corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Golden {
    engine: i64,
    facts: Evidence,
    source: String,
    user_id: String,
    offer_name: Option<String>,
    event_name: Option<String>,
    country_code: Option<String>,
    reward_micros: Option<i64>,
    payout_micros: Option<i64>,
    clicked_at: Option<i64>,
    geo: GeoResult,
    result: String,
    sentence: String,
}

impl Golden {
    fn judged(mut self) -> Self {
        let reported = Reported {
            source: &self.source,
            user_id: &self.user_id,
            offer_id: Some("7"),
            offer_name: self.offer_name.as_deref(),
            event_id: Some("9"),
            event_name: self.event_name.as_deref(),
            country_code: self.country_code.as_deref(),
            reward: self.reward_micros.map(Micros),
            payout: self.payout_micros.map(Micros),
            received_at: AT,
            clicked_at: self.clicked_at.map(TimestampMs),
            geo: self.geo,
        };
        let policy = Policy::built_in().expect("the default loads");
        let verdict = self.facts.decide(&reported, &policy, AT);
        self.result = format!("{} {} {}", verdict.decision.name(), verdict.score, verdict.fired_points())
            .trim_end()
            .into();
        self.sentence = verdict.sentence();
        self.engine = ENGINE;
        self
    }
}

/// The case of a number: every fact takes each of its values with each of most others.
fn case(number: u64) -> Golden {
    let mut seed = number;
    let mut pick = |count: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % count
    };
    let country = [Some("US"), Some("DE"), None][usize::try_from(pick(3)).unwrap_or_default()];
    let code =
        [Some("US"), Some("DE"), Some("T1"), Some("??"), None][usize::try_from(pick(5)).unwrap_or_default()];
    let took_ms = [1_000, 4_999, 5_000, 29_000, 600_000, 100 * 86_400_000, -3_000, -90_000, -400_000]
        [usize::try_from(pick(9)).unwrap_or_default()];
    let (is_sent, is_usable) = (pick(9) > 0, pick(9) > 0);
    let text = |value: Option<&str>| value.map(str::to_owned);
    let mut golden = Golden {
        engine: 0,
        facts: Evidence {
            completed_at: None,
            unusable_click: (is_sent && !is_usable).then(|| "0".to_owned()),
            rounded: pick(8) == 0,
            no_ip: country.is_none() && pick(2) == 0,
            unsent: Vec::new(),
            notes: match pick(8) {
                0 => vec![Note {
                    field: Some(Field::Sub1),
                    kind: NoteKind::Cleaned,
                    text: "`sub1` was shortened to 1024 bytes".into(),
                }],
                1 => vec![Note {
                    field: Some(Field::Payout),
                    kind: NoteKind::NotFilledIn,
                    text: "`payout`".into(),
                }],
                _ => Vec::new(),
            },
            country: text(country),
            registered_country: (pick(3) == 0).then(|| "CA".to_owned()),
            represented_country: None,
            asn: (pick(2) == 0).then_some(15_169),
            organisation: (pick(2) == 0).then(|| "Example Networks".to_owned()),
            network: match pick(6) {
                0 => vec![NetworkTrait::Hosting],
                1 => vec![NetworkTrait::Tor, NetworkTrait::Anonymous],
                2 => vec![NetworkTrait::Cellular],
                _ => Vec::new(),
            },
            registry_only: pick(4) == 0,
            registry: false,
            caller_listed: [None, Some(true), Some(false)][usize::try_from(pick(3)).unwrap_or_default()],
            listed: Vec::new(),
            unsigned: Unsigned::default(),
            same_task: [None, Some(0), Some(0), Some(1)][usize::try_from(pick(4)).unwrap_or_default()],
            history: History::default(),
            clicks: (pick(6) == 0).then_some((40, 37)),
            normal: None,
            oddity: None,
            mismatch_permille: None,
        },
        source: "targo".into(),
        user_id: ["u-1", "u-2", "u-3", "null", "0"][usize::try_from(pick(5)).unwrap_or_default()].into(),
        offer_name: [None, Some("Great Game"), Some("Survey of the week"), Some("Install & play")]
            [usize::try_from(pick(4)).unwrap_or_default()]
        .map(str::to_owned),
        event_name: [None, Some("Reach level 5")][usize::try_from(pick(2)).unwrap_or_default()]
            .map(str::to_owned),
        country_code: text(code),
        reward_micros: Some([0, 500_000_000][usize::try_from(pick(8).min(1)).unwrap_or_default()]),
        payout_micros: [None, Some(0), Some(1_000_000), Some(1_000_000), Some(75_000_000)]
            [usize::try_from(pick(5)).unwrap_or_default()],
        clicked_at: (is_sent && is_usable).then_some(AT.0 - took_ms),
        geo: match (country, code) {
            (Some(one), Some(other)) if one == other => GeoResult::Match,
            (Some(_), Some("US" | "DE")) => {
                [GeoResult::Mismatch, GeoResult::Compatible][usize::try_from(pick(2)).unwrap_or_default()]
            }
            (None, _) if pick(4) == 0 => GeoResult::Invalid,
            _ => GeoResult::Unknown,
        },
        result: String::new(),
        sentence: String::new(),
    };
    // Half of them keep the former name.
    if number % 2 == 1 && golden.facts.registry_only {
        let facts = &mut golden.facts;
        (facts.registry_only, facts.registry) = (false, true);
        let registered = facts.registered_country.take().or_else(|| facts.country.clone());
        facts.registered_country = registered.filter(|registered| !registered.is_empty());
    }
    if number >= OF_ANY_NETWORK {
        let open = [Field::TxId, Field::Reward, Field::Payout, Field::Status, Field::OfferId];
        let fields = open.into_iter().filter(|_| pick(4) == 0).collect();
        golden.facts.unsigned = Unsigned { fields, is_unproven: pick(4) == 0 };
        golden.facts.unsent =
            [Field::ClickedAt, Field::Payout].into_iter().filter(|_| pick(2) == 0).collect();
    }
    if number >= WITH_A_PAST {
        golden.facts.history = past(&mut pick);
    }
    if number >= LISTED {
        golden.facts.listed = (0..=pick(2)).map(|_| hit(pick(3), pick(5))).collect();
    }
    golden
}

fn past(pick: &mut impl FnMut(u64) -> u64) -> History {
    let mut one_of = |numbers: &[i64]| numbers[usize::try_from(pick(5)).unwrap_or_default() % numbers.len()];
    let clicks_in_hour = one_of(&[0, 0, 3, 9, 14]);
    History {
        known_for_s: Some(one_of(&[0, 3_600, 90_000, 200_000, 0]))
            .filter(|known_for_s| *known_for_s < 172_800),
        clicks_in_hour,
        clicks_in_day: clicks_in_hour + one_of(&[0, 2, 30]),
        countries: match one_of(&[0, 0, 0, 2, 3]) {
            2 => ["DE", "US"].map(String::from).to_vec(),
            3 => ["DE", "FR", "VN"].map(String::from).to_vec(),
            _ => Vec::new(),
        },
        networks_in_day: one_of(&[0, 0, 2, 5, 8]),
        usual_payout: (one_of(&[0, 1]) == 1).then_some((Micros(250_000), 9)),
        credited: one_of(&[0, 9, 10, 40]),
        reversed: one_of(&[0, 0, 1, 4]),
        settled: one_of(&[0, 19, 20, 100]),
        gap_s: (one_of(&[0, 0, 1]) == 1).then_some(0),
        pace: (one_of(&[0, 0, 1]) == 1).then_some((170, one_of(&[3, 6, 8]))),
        same_second: one_of(&[0, 0, 1, 2]),
        address_users: one_of(&[0, 3, 5, 40]),
        task_users: one_of(&[0, 0, 0, 1, 2]),
        is_ipv6: one_of(&[0, 1]) == 1,
        usual_sharing: Some(one_of(&[0, 1, 30])).filter(|usual| *usual > 0),
        twins: one_of(&[0, 0, 4, 6, 12]),
        near_twins: one_of(&[0, 3, 30]),
    }
}

/// The case of a number beside a baseline.
fn usual_case(number: u64) -> Golden {
    let mut golden = case(number);
    let (lower, spread) =
        [(402, 498), (950, 650), (402, 900), (0, 0)][usize::try_from(number % 4).unwrap_or_default()];
    let times = Some(Times { median_ms: 600_000, lower_millinats: lower, spread_millinats: spread });
    let ratio = [None, Some(Micros(500_000_000)), Some(Micros(250_000_000))];
    golden.facts.normal = Some(Normal {
        completions: [412, 80, 100][usize::try_from(number % 3).unwrap_or_default()],
        is_provisional: number.is_multiple_of(5),
        is_of_any_event: false,
        times,
        ratio: ratio[usize::try_from(number / 4 % 3).unwrap_or_default()],
        shortest_gap_ms: None,
    });
    if number.is_multiple_of(3) {
        golden.offer_name = Some("Survey of the week".into());
        golden.event_name = None;
        golden.clicked_at =
            Some(AT.0 - [150_000, 250_000, 400_000][usize::try_from(number / 3 % 3).unwrap_or_default()]);
    }
    if number.is_multiple_of(7) {
        golden.facts.normal = Some(Normal { completions: 37, ..Normal::default() });
    }
    if number >= WITH_SHARES {
        golden.facts.oddity = [
            None,
            Some(Oddity { n: 60, fast: Some((500, 20)), ..Oddity::default() }),
            Some(Oddity { n: 60, slow: Some((400, 20)), reversed: Some((300, 20)), fast: None }),
        ][usize::try_from(number % 3).unwrap_or_default()];
        golden.facts.mismatch_permille = number.is_multiple_of(4).then_some(71);
        golden.clicked_at = number.is_multiple_of(2).then_some(AT.0 - 45_000).or(golden.clicked_at);
    }
    golden
}

/// Every case of the corpus, in its order.
fn cases() -> impl Iterator<Item = Golden> {
    (0..CASES).map(case).chain((0..USUAL_CASES).map(usual_case))
}

fn hit(effect: u64, kind: u64) -> Hit {
    let at = |index: u64| usize::try_from(index).unwrap_or_default();
    let (effect, kind) = (Effect::ALL[at(effect)], Kind::ALL[at(kind)]);
    Hit {
        id: 7,
        kind,
        effect,
        value: "listed".into(),
        until: (kind == Kind::User).then_some(TimestampMs(AT.0 + 86_400_000)),
        by: "anna".into(),
        why: "abuse".into(),
    }
}

#[test]
fn the_golden_corpus_has_the_results_that_it_had() {
    let judged: Vec<Golden> = cases().map(Golden::judged).collect();
    let kept: Vec<Golden> =
        GOLDEN.lines().map(|line| serde_json::from_str(line).expect("a line of the corpus")).collect();
    let is_old = kept.first().is_none_or(|kept| kept.engine != ENGINE);
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        // Of the same engine, only what is new is added.
        let stays = if is_old { "" } else { GOLDEN };
        let new = judged.iter().skip(if is_old { 0 } else { kept.len() });
        let lines: String = new.map(|case| serde_json::to_string(case).expect("plain data") + "\n").collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/evidence/golden.jsonl");
        std::fs::write(path, format!("{stays}{lines}")).expect("the corpus is written");
        return;
    }
    assert!(!is_old, "the corpus is of another engine: WRITE_GOLDEN=1 cargo test -p domain golden");
    // As it is stored, also by former versions, and as this version would store it.
    let meant = "raise ENGINE in rules/mod.rs if this change is meant";
    for (judged, kept) in judged.iter().zip(&kept) {
        assert_eq!(kept.clone().judged(), *kept, "{meant}");
        assert_eq!((&judged.result, &judged.sentence), (&kept.result, &kept.sentence), "{meant}");
    }
    assert_eq!(judged.len(), kept.len());
}

#[test]
fn the_golden_corpus_has_both_decisions_and_every_rule() {
    let (results, rules): (Vec<_>, _) =
        (cases().map(|case| case.judged().result).collect(), crate::rules::CODES);
    for word in ["credit", "hold"] {
        assert!(results.iter().any(|result| result.starts_with(word)), "no {word}");
    }
    for rule in rules {
        assert!(results.iter().any(|result| result.contains(&format!(" {rule}:"))), "{rule} never fires");
    }
}

#[test]
fn a_usual_document_is_short() {
    let usual = Evidence {
        completed_at: None,
        unusable_click: None,
        rounded: false,
        no_ip: false,
        unsent: Vec::new(),
        notes: Vec::new(),
        country: Some("US".into()),
        registered_country: None,
        represented_country: None,
        asn: Some(15_169),
        organisation: Some("Example Networks".into()),
        network: Vec::new(),
        registry_only: false,
        registry: false,
        caller_listed: Some(true),
        listed: Vec::new(),
        unsigned: Unsigned::default(),
        same_task: Some(0),
        history: History::default(),
        clicks: None,
        normal: None,
        oddity: None,
        mismatch_permille: None,
    };
    let document = usual.document();
    assert_eq!(document, r#"{"country":"US","asn":15169,"org":"Example Networks","caller":true,"same":0}"#);
    assert_eq!(Evidence::parse(&document).expect("it is read"), usual);
}

#[test]
fn a_country_of_registration_that_is_not_known_stays_so() {
    let mut location = Location { country: Some("US".into()), ..Location::default() };
    let registered = [None, Some("US".to_owned()), Some("CA".to_owned())];
    for (registered, registry_only) in registered.iter().flat_map(|one| [(one, true), (one, false)]) {
        location.registered_country.clone_from(registered);
        location.registry_only = registry_only;
        let event = case(0).facts.event(&Reported {
            source: "targo",
            user_id: "u-1",
            offer_id: None,
            offer_name: None,
            event_id: None,
            event_name: None,
            country_code: None,
            reward: None,
            payout: None,
            received_at: AT,
            clicked_at: None,
            geo: GeoResult::Unknown,
        });
        let facts = Facts {
            source: "targo",
            event: &event,
            completed_at: AT,
            location: &location,
            geo: GeoResult::Unknown,
            caller_listed: None,
            listed: &[],
            unsigned: &Unsigned::default(),
            same_task: None,
            history: &History::default(),
            clicks: Clicks::default(),
            normal: None,
            oddity: None,
            mismatch_permille: None,
        };
        let document = Evidence::of(&facts).document();
        assert_eq!(Evidence::parse(&document).expect("it is read").location(Vec::new()), location);
    }
}

#[test]
fn documents_of_before_say_the_same() {
    let before = r#"{"at":1795435200000,"country":"US","registered":"","registry_only":true,"same":0}"#;
    let now = r#"{"country":"US","registry":true,"same":0}"#;
    let [before, now] = [before, now].map(|document| Evidence::parse(document).expect("it is read"));
    assert_eq!(before.location(Vec::new()), now.location(Vec::new()));
    assert_eq!((before.completed_at, now.completed_at), (Some(AT), None));
    // There, a country that is registered where it is used was left out.
    let same = r#"{"country":"US","registry_only":true}"#;
    let location = Evidence::parse(same).expect("it is read").location(Vec::new());
    assert_eq!(location.registered_country.as_deref(), Some("US"));
}
