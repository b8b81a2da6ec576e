//! Holds that wait for a person: how they are grouped, how long they may wait, and when two people must agree.

use std::net::IpAddr;

use crate::money::Micros;
use crate::review::decision::Review;
use crate::time::TimestampMs;

const HOUR_MS: i64 = 3_600_000;

/// What the holds of one cluster have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grouping {
    /// The rule that weighed most, and the offer.
    Rule,
    /// The IPv4 address, or the /64.
    Address,
    /// The `sub1` of one source.
    Sub1,
    /// One user of one app.
    User,
}

impl Grouping {
    /// Every grouping.
    pub const ALL: [Self; 4] = [Self::Rule, Self::Address, Self::Sub1, Self::User];

    /// The name in URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Address => "address",
            Self::Sub1 => "sub1",
            Self::User => "user",
        }
    }

    /// The grouping of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grouping| grouping.name() == name)
    }
}

/// How held rewards are decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewTerms {
    /// How long a claim lasts, in milliseconds.
    pub claim_ms: i64,
    /// Target time to decide a hold, in milliseconds.
    pub target_ms: i64,
    /// Payout in USD from which a hold is urgent; `None`: never.
    pub urgent: Option<Micros>,
    /// Target time for urgent holds, in milliseconds.
    pub urgent_target_ms: i64,
    /// When two persons must agree.
    pub second: SecondPerson,
    /// From which reward on, in the user's currency, what a person states of a postback needs a second one.
    pub second_person_stated_reward: Option<Micros>,
    /// What the policy releases; `None`: nothing.
    pub auto_release: Option<AutoRelease>,
}

impl Default for ReviewTerms {
    fn default() -> Self {
        Self {
            claim_ms: 10 * 60_000,
            target_ms: 24 * HOUR_MS,
            urgent: None,
            urgent_target_ms: 4 * HOUR_MS,
            second: SecondPerson::default(),
            second_person_stated_reward: None,
            auto_release: None,
        }
    }
}

impl ReviewTerms {
    /// Until when a hold of this payout that came in at `received_at` should be decided.
    pub fn due_at(&self, received_at: TimestampMs, payout: Micros) -> TimestampMs {
        let is_urgent = self.urgent.is_some_and(|urgent| payout >= urgent);
        let target_ms = if is_urgent { self.urgent_target_ms } else { self.target_ms };
        TimestampMs(received_at.0.saturating_add(target_ms))
    }
}

/// How long a person does not count as one of two after they were added or enabled again, so that others can notice.
pub const NEW_MS: i64 = 24 * HOUR_MS;

/// How far back the decisions of one person add up: one large decision can be split into many small ones.
pub const BULK_MS: i64 = 24 * HOUR_MS;

/// What one person decides alone. Payouts in USD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alone {
    /// Together, the click and what was decided the same way in the [`BULK_MS`] before it; what was undone is not in it.
    pub payout: Micros,
    /// How many rewards that is, or at least whether it is more than one.
    pub rewards: usize,
}

/// When a decision needs a second person. Payouts in USD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondPerson {
    /// A reward that pays this much or more.
    pub single: Option<Micros>,
    /// Several rewards, decided by one person within [`BULK_MS`], that pay this much or more together.
    pub bulk: Option<Micros>,
    /// A reward that a hard rule held.
    pub hard: bool,
}

impl SecondPerson {
    /// Whether a reward of this payout needs one, decided by one person together with others.
    pub fn is_needed(&self, payout: Micros, hard: bool, alone: Alone) -> bool {
        (self.hard && hard)
            || self.single.is_some_and(|limit| payout >= limit)
            || (alone.rewards > 1 && self.bulk.is_some_and(|limit| alone.payout >= limit))
    }
}

/// Soft holds that the policy releases: small amounts are not worth a reviewer's time or a user's patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoRelease {
    /// Only payouts below this, in USD.
    pub below: Micros,
    /// How long it must have been on hold, in milliseconds.
    pub after_ms: i64,
}

/// One person's decision on a reward that needs two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Who gave it.
    pub by: Voice,
    /// Release or reject.
    pub decision: Review,
}

/// Who decides, and whether they count as one of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voice {
    /// A person, signed in or by a token of theirs: the same either way.
    Person(String),
    /// A person who was added, or enabled again, within [`NEW_MS`]: whoever may add people could be both of two.
    New(String),
    /// A token without a known owner: it may belong to anybody, even to the other of the two.
    Service(String),
}

/// The result of weighing a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weighing {
    /// It takes effect.
    Take {
        /// The person who had decided the same; `None` if one was enough.
        with: Option<String>,
    },
    /// It is recorded, and a second person is needed.
    Wait,
}

/// Weighs what `by` decides against the opinions that others gave before, the oldest first. As soon as two different
/// persons agree the decision is taken; of three, two always do. Services and new people do not count as one of the
/// two: their opinion is recorded only.
pub fn weigh(needs_second: bool, earlier: &[Opinion], by: &Voice, decision: Review) -> Weighing {
    let name = |opinion: &Opinion| match &opinion.by {
        Voice::Person(name) if opinion.by != *by => Some(name.clone()),
        Voice::Person(_) | Voice::New(_) | Voice::Service(_) => None,
    };
    let others: Vec<(String, Review)> =
        earlier.iter().filter_map(|opinion| Some((name(opinion)?, opinion.decision))).collect();
    // The last opinion of a person counts.
    let agrees = |person: &str| {
        let last = others.iter().rev().find(|(other, _)| other == person);
        last.is_some_and(|(_, said)| *said == decision)
    };
    let agreeing = match by {
        Voice::Person(_) => others.iter().map(|(person, _)| person).find(|person| agrees(person)),
        Voice::New(_) | Voice::Service(_) => None,
    };
    match agreeing {
        Some(agreeing) => Weighing::Take { with: Some(agreeing.clone()) },
        None if needs_second || !earlier.is_empty() => Weighing::Wait,
        None => Weighing::Take { with: None },
    }
}

/// The IPv4 address itself, or the /64 of an IPv6 address: one connection is one customer. `None` if `ip` is not an
/// address.
pub fn address_group(ip: &str) -> Option<String> {
    match ip.trim().parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => Some(address.to_string()),
        IpAddr::V6(address) => {
            let net = ipnet::Ipv6Net::new(address, 64).ok()?.trunc();
            Some(net.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> Voice {
        Voice::Person(name.into())
    }

    fn opinion(name: &str, decision: Review) -> Opinion {
        Opinion { by: person(name), decision }
    }

    fn weigh(needs_second: bool, earlier: &[Opinion], name: &str, decision: Review) -> Weighing {
        super::weigh(needs_second, earlier, &person(name), decision)
    }

    #[test]
    fn addresses_are_grouped_as_customers_get_them() {
        for (ip, group) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("::ffff:203.0.113.7", Some("203.0.113.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::/64")),
            ("2001:db8:1:2::9", Some("2001:db8:1:2::/64")),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(address_group(ip).as_deref(), group, "{ip}");
        }
    }

    #[test]
    fn one_person_decides_what_needs_no_second() {
        assert_eq!(weigh(false, &[], "ann", Review::Reject), Weighing::Take { with: None });
    }

    #[test]
    fn two_persons_must_agree_and_nobody_is_their_own_second() {
        let (ann, bob) = (opinion("ann", Review::Release), opinion("bob", Review::Reject));
        assert_eq!(weigh(true, &[], "ann", Review::Release), Weighing::Wait);
        assert_eq!(weigh(true, std::slice::from_ref(&ann), "ann", Review::Release), Weighing::Wait);
        let with_ann = Weighing::Take { with: Some("ann".into()) };
        assert_eq!(weigh(true, std::slice::from_ref(&ann), "bob", Review::Release), with_ann);
        assert_eq!(weigh(true, std::slice::from_ref(&ann), "bob", Review::Reject), Weighing::Wait);
        assert_eq!(weigh(true, &[ann.clone(), bob.clone()], "cid", Review::Release), with_ann);
        let with_bob = Weighing::Take { with: Some("bob".into()) };
        assert_eq!(weigh(true, &[ann, bob], "cid", Review::Reject), with_bob);
    }

    #[test]
    fn a_service_is_neither_of_two_persons_and_its_word_asks_for_both() {
        let bot = Voice::Service("bot".into());
        let by_bot = |decision| Opinion { by: bot.clone(), decision };
        let by_ann = opinion("ann", Review::Release);
        let by_service = |needs, earlier: &[Opinion]| super::weigh(needs, earlier, &bot, Review::Release);
        assert_eq!(by_service(false, &[]), Weighing::Take { with: None }, "what one may do, it may");
        assert_eq!(by_service(true, &[]), Weighing::Wait);
        assert_eq!(by_service(true, std::slice::from_ref(&by_ann)), Weighing::Wait);
        assert_eq!(by_service(true, &[by_bot(Review::Release), by_bot(Review::Release)]), Weighing::Wait);
        assert_eq!(weigh(true, &[by_bot(Review::Release)], "ann", Review::Release), Weighing::Wait);
        assert_eq!(weigh(false, &[by_bot(Review::Release)], "ann", Review::Release), Weighing::Wait);
        let both = [by_bot(Review::Release), by_ann];
        assert_eq!(weigh(true, &both, "bob", Review::Release), Weighing::Take { with: Some("ann".into()) });
        let another = Voice::Service("cron".into());
        assert_eq!(super::weigh(true, &[by_bot(Review::Reject)], &another, Review::Reject), Weighing::Wait);
    }

    #[test]
    fn a_person_who_is_new_is_neither_of_two() {
        let new = Voice::New("cid".into());
        let by_new = Opinion { by: new.clone(), decision: Review::Release };
        let by_ann = opinion("ann", Review::Release);
        assert_eq!(super::weigh(true, std::slice::from_ref(&by_ann), &new, Review::Release), Weighing::Wait);
        assert_eq!(weigh(true, std::slice::from_ref(&by_new), "ann", Review::Release), Weighing::Wait);
        assert_eq!(super::weigh(false, &[], &new, Review::Release), Weighing::Take { with: None });
        let with_ann = Weighing::Take { with: Some("ann".into()) };
        assert_eq!(weigh(true, &[by_new, by_ann], "bob", Review::Release), with_ann);
    }

    #[test]
    fn an_opinion_once_asked_for_keeps_asking_for_a_second() {
        let ann = opinion("ann", Review::Release);
        assert_eq!(weigh(false, &[ann], "bob", Review::Reject), Weighing::Wait);
    }

    #[test]
    fn of_somebody_who_changed_their_mind_the_last_word_counts() {
        let said = [opinion("ann", Review::Release), opinion("ann", Review::Reject)];
        assert_eq!(weigh(true, &said, "bob", Review::Release), Weighing::Wait);
        assert_eq!(weigh(true, &said, "bob", Review::Reject), Weighing::Take { with: Some("ann".into()) });
    }

    #[test]
    fn three_persons_always_come_to_a_decision() {
        for bits in 0..8_u8 {
            let said = |bit: u8| if bits & (1 << bit) == 0 { Review::Release } else { Review::Reject };
            let first = [opinion("ann", said(0))];
            if weigh(true, &first, "bob", said(1)) == Weighing::Wait {
                let both = [first[0].clone(), opinion("bob", said(1))];
                assert_ne!(weigh(true, &both, "cid", said(2)), Weighing::Wait, "{bits:03b}");
            }
        }
    }

    #[test]
    fn the_limits_of_one_person_are_per_reward_per_click_and_for_hard_rules() {
        let usd = |amount: i64| Micros(amount * 1_000_000);
        let second = SecondPerson { single: Some(usd(50)), bulk: Some(usd(200)), hard: true };
        let alone = |payout, rewards| Alone { payout, rewards };
        assert!(second.is_needed(usd(50), false, alone(usd(50), 1)));
        assert!(!second.is_needed(usd(49), false, alone(usd(300), 1)), "a single one has its own limit");
        assert!(second.is_needed(usd(1), false, alone(usd(200), 2)));
        assert!(second.is_needed(usd(1), true, alone(usd(1), 1)));
        assert!(!SecondPerson::default().is_needed(usd(1_000), true, alone(usd(1_000), 9)));
    }

    #[test]
    fn more_money_is_due_sooner() {
        let terms = ReviewTerms { urgent: Some(Micros(20_000_000)), ..ReviewTerms::default() };
        let at = TimestampMs(1_000);
        assert_eq!(terms.due_at(at, Micros(19_999_999)).0, 1_000 + 24 * HOUR_MS);
        assert_eq!(terms.due_at(at, Micros(20_000_000)).0, 1_000 + 4 * HOUR_MS);
    }
}
