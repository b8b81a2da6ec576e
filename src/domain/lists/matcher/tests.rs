use ipnet::IpNet;
use proptest::prelude::*;

use super::*;

const NOW: TimestampMs = TimestampMs(1_795_435_200_000);

fn entry(id: i64, kind: Kind, value: &str, effect: Effect) -> Entry {
    let source = if kind.is_of_source() { "targo" } else { "" };
    Entry {
        id,
        key: Key { kind, source: source.into(), value: value.into(), app: None },
        effect,
        author: "anna".into(),
        reason: "abuse".into(),
        expires_at: None,
    }
}

fn subject(addresses: &[IpAddr]) -> Subject<'_> {
    Subject {
        app: "game",
        source: "targo",
        user_id: "u-1",
        addresses,
        asn: Some(64_500),
        sub1: Some("site-9"),
        offer_id: Some("7"),
    }
}

fn ids(entries: Vec<Entry>, addresses: &[&str]) -> Vec<i64> {
    let addresses: Vec<IpAddr> = addresses.iter().map(|it| it.parse().expect("an address")).collect();
    Lists::new(entries).hits(&subject(&addresses), NOW).iter().map(|hit| hit.id).collect()
}

#[test]
fn each_kind_matches_its_own_part_of_the_event() {
    for (kind, value) in [
        (Kind::User, "u-1"),
        (Kind::Address, "203.0.113.7"),
        (Kind::Address, "203.0.113.0/24"),
        (Kind::Asn, "64500"),
        (Kind::SubId, "site-9"),
        (Kind::Offer, "7"),
    ] {
        assert_eq!(ids(vec![entry(1, kind, value, Effect::Block)], &["203.0.113.7"]), [1], "{value}");
    }
    for (kind, value) in [
        (Kind::User, "site-9"),
        (Kind::Address, "203.0.112.0/24"),
        (Kind::Asn, "7"),
        (Kind::SubId, "7"),
        (Kind::Offer, "u-1"),
    ] {
        assert!(ids(vec![entry(1, kind, value, Effect::Block)], &["203.0.113.7"]).is_empty(), "{value}");
    }
}

#[test]
fn a_sub_id_of_another_source_is_another_sub_id() {
    let mut other = entry(1, Kind::SubId, "site-9", Effect::Block);
    other.key.source = "adgem".into();
    assert!(ids(vec![other], &[]).is_empty());
}

#[test]
fn an_entry_ends_at_its_end_and_holds_for_its_app() {
    let until =
        |ms| Entry { expires_at: Some(TimestampMs(ms)), ..entry(1, Kind::User, "u-1", Effect::Block) };
    assert_eq!(ids(vec![until(NOW.0 + 1)], &[]), [1]);
    assert!(ids(vec![until(NOW.0)], &[]).is_empty());
    let of = |app: &str| {
        let mut entry = entry(1, Kind::User, "u-1", Effect::Block);
        entry.key.app = Some(app.into());
        entry
    };
    assert_eq!(ids(vec![of("game")], &[]), [1]);
    assert!(ids(vec![of("other")], &[]).is_empty());
}

#[test]
fn of_one_kind_and_effect_the_smallest_network_speaks() {
    let entries = vec![
        entry(1, Kind::Address, "203.0.0.0/16", Effect::Block),
        entry(2, Kind::Address, "203.0.113.7", Effect::Block),
        entry(3, Kind::Address, "203.0.113.0/24", Effect::Watch),
    ];
    assert_eq!(ids(entries, &["203.0.113.7"]), [2, 3]);
}

#[test]
fn a_forged_address_can_block_and_cannot_earn_trust() {
    let trust = || vec![entry(1, Kind::Address, "203.0.113.0/24", Effect::Trust)];
    assert_eq!(ids(trust(), &["203.0.113.7"]), [1]);
    assert_eq!(ids(trust(), &["203.0.113.7", "203.0.113.8"]), [1]);
    assert!(ids(trust(), &["203.0.113.7", "198.51.100.1"]).is_empty());
    let block = vec![entry(1, Kind::Address, "203.0.113.0/24", Effect::Block)];
    assert_eq!(ids(block, &["198.51.100.1", "203.0.113.7"]), [1]);
    let asn = |effect| vec![entry(1, Kind::Asn, "64500", effect)];
    assert!(ids(asn(Effect::Trust), &["203.0.113.7", "198.51.100.1"]).is_empty());
    assert_eq!(ids(asn(Effect::Block), &["203.0.113.7", "198.51.100.1"]), [1]);
}

/// The same by looking at every entry.
fn naive(entries: &[Entry], subject: &Subject<'_>, now: TimestampMs) -> Vec<i64> {
    let network = |entry: &Entry| parse_network(&entry.key.value).expect("a network");
    let bits = |entry: &Entry| if entry.key.kind == Kind::Address { network(entry).prefix_len() } else { 0 };
    let in_force = |entry: &&Entry| {
        entry.expires_at.is_none_or(|at| now < at)
            && entry.key.app.as_deref().is_none_or(|app| app == subject.app)
    };
    let names = |entry: &Entry| match entry.key.kind {
        Kind::User => entry.key.value == subject.user_id,
        Kind::Address if entry.effect == Effect::Trust => {
            let trusts = |address: &IpAddr| {
                entries.iter().filter(in_force).any(|other| {
                    (other.key.kind, other.effect) == (Kind::Address, Effect::Trust)
                        && network(other).contains(address)
                })
            };
            subject.addresses.iter().all(trusts)
                && subject.addresses.iter().any(|address| network(entry).contains(address))
        }
        Kind::Address => subject.addresses.iter().any(|address| network(entry).contains(address)),
        Kind::Asn => {
            Some(&entry.key.value) == subject.asn.map(|asn| asn.to_string()).as_ref()
                && (entry.effect != Effect::Trust || subject.addresses.len() < 2)
        }
        Kind::SubId => entry.key.source == subject.source && Some(&*entry.key.value) == subject.sub1,
        Kind::Offer => entry.key.source == subject.source && Some(&*entry.key.value) == subject.offer_id,
    };
    let mut ids = Vec::new();
    for effect in Effect::ALL {
        for kind in Kind::ALL {
            let of_kind = |entry: &&Entry| (entry.effect, entry.key.kind) == (effect, kind);
            let matching = entries.iter().filter(in_force).filter(of_kind).filter(|entry| names(entry));
            let best = matching.max_by_key(|it| (bits(it), it.key.app.is_some(), Reverse(it.id)));
            ids.extend(best.map(|entry| entry.id));
        }
    }
    ids
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0_u8..4, 0_u8..8).prop_map(|(c, d)| IpAddr::from([203, 0, c, d])),
        (0_u16..3, 0_u16..3).prop_map(|(c, d)| IpAddr::from([0x2001, 0xdb8, 0, c, 0, 0, 0, d])),
    ]
}

fn values(kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Address => (addresses(), 0_u8..=8)
            .prop_map(|(address, wider)| {
                let bits = if address.is_ipv4() { 32 - wider * 2 } else { 128 - wider * 8 };
                IpNet::new(address, bits).expect("a length of its family").trunc().to_string()
            })
            .boxed(),
        _ => (0_u8..4).prop_map(|number| number.to_string()).boxed(),
    }
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let kind = prop::sample::select(Kind::ALL.to_vec()).prop_flat_map(|kind| (Just(kind), values(kind)));
    let effect = prop::sample::select(Effect::ALL.to_vec());
    let app = prop::sample::select(vec![None, None, Some("game"), Some("other")]);
    let source = prop::sample::select(vec!["targo", "adgem"]);
    let end = prop::sample::select(vec![None, None, Some(-1), Some(0), Some(1)]);
    prop::collection::vec((kind, effect, app, source, end), 0..60).prop_map(|drafts| {
        let numbered = drafts.into_iter().enumerate();
        numbered
            .map(|(index, ((kind, value), effect, app, source, end))| Entry {
                id: i64::try_from(index).expect("few"),
                key: Key {
                    kind,
                    source: if kind.is_of_source() { source.into() } else { String::new() },
                    value,
                    app: app.map(str::to_owned),
                },
                effect,
                author: "anna".into(),
                reason: "abuse".into(),
                expires_at: end.map(|end: i64| TimestampMs(NOW.0 + end)),
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn the_matcher_finds_what_a_scan_of_all_entries_finds(
        entries in entries(),
        addresses in prop::collection::vec(addresses(), 0..4),
        user in 0_u8..4,
        asn in 0_u32..4,
    ) {
        let user_id = user.to_string();
        let subject = Subject {
            app: "game",
            source: "targo",
            user_id: &user_id,
            addresses: &addresses,
            asn: Some(asn),
            sub1: Some("1"),
            offer_id: Some("2"),
        };
        let hits: Vec<_> = Lists::new(entries.clone()).hits(&subject, NOW).iter().map(|hit| hit.id).collect();
        prop_assert_eq!(hits, naive(&entries, &subject, NOW));
    }
}
