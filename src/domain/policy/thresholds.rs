//! The thresholds of each rule, by its code. Every one has `enabled`, `points` and `hard`.

use serde::{Deserialize, Serialize};

use super::classes::OfferClasses;
use crate::baseline::FIGURES_FROM;
use crate::money::Micros;

macro_rules! thresholds {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// False: the rule still reports its signal but never fires.
            pub enabled: bool,
            /// Added to the score when the rule fires; 0 to 1,000, and -1,000 to 0 for a rule about trust.
            pub points: i64,
            /// Holds the reward whatever the score.
            pub hard: bool,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $name {
            /// What the rule weighs when it fires.
            pub fn weight(&self) -> Weight {
                Weight { enabled: self.enabled, points: self.points, hard: self.hard }
            }
        }
    )*};
}

/// What a rule weighs when it fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// False: the rule never fires.
    pub enabled: bool,
    /// Points added to the score.
    pub points: i64,
    /// Holds the reward whatever the score.
    pub hard: bool,
}

thresholds! {
    /// A rule without thresholds of its own.
    Plain {}
    /// A rule with one limit in seconds.
    Limit {
        /// In seconds; which side of it fires depends on the rule.
        limit_s: i64,
    }
    /// Q1: is there a click time that can be judged?
    ClickTime {
        /// Seconds in the future beyond which a click time cannot be clock difference.
        future_s: i64,
    }
    /// Q3: does the reward fit the payout?
    Ratio {
        /// Reward units per USD, as decimal text; empty: not checked.
        ratio: String,
        /// Allowed deviation of the ratio, in percent.
        tolerance_percent: i64,
    }
    /// Q9: is the user id a placeholder?
    Nobody {
        /// Placeholder user ids such as `null`, in any case. Empty: the rule never fires.
        users: Vec<String>,
    }
    /// T2: the floor of the offer's class.
    TaskFloor {
        /// `install`, `step`, `survey` or `default`; empty: guessed from the names of event and offer.
        class: String,
        /// Offers of a class, by id; counted before the words. Policies of before have none.
        #[serde(default)]
        classes: OfferClasses,
        /// Shortest plausible time of installs and leads, in seconds.
        install_s: i64,
        /// Of purchases, deposits and levels, in seconds.
        step_s: i64,
        /// Of surveys, in seconds.
        survey_s: i64,
        /// Of everything else, in seconds.
        default_s: i64,
        /// Words in the name of the event or offer that mean an install.
        install_words: Vec<String>,
        /// Words that mean a step.
        step_words: Vec<String>,
        /// Words that mean a survey.
        survey_words: Vec<String>,
    }
    /// T3: is a survey far faster than normal?
    SurveySpeed {
        /// Completions from which there is a median to compare with.
        least: i64,
        /// Up to this spread of the times, a third of the median holds; in milli-nats.
        narrow_millinats: i64,
        /// Up to this spread, it weighs `wide_points`; beyond it, nothing is compared.
        wide_millinats: i64,
        /// Points of less than a third of the median where the times differ more.
        wide_points: i64,
        /// Points of less than half of the median.
        near_points: i64,
    }
    /// T4: is it far faster than normal?
    Usual {
        /// Completions from which there is enough to compare with.
        least: i64,
        /// Hundredths of a robust deviation below the median.
        limit_percent: i64,
        /// The least deviation that counts, in milli-nats.
        floor_millinats: i64,
    }
    /// T4b: is it almost as fast, or beside fewer completions?
    AlmostUsual {
        /// Completions from which something is compared.
        least: i64,
        /// Hundredths of a robust deviation below the median.
        limit_percent: i64,
    }
    /// G1: two different countries.
    CountryMismatch {
        /// Points if only registry data is available.
        registry_points: i64,
        /// Points where more than 5 % of the network's postbacks name another country.
        common_points: i64,
    }
    /// N1: what kind of network the address belongs to.
    NetworkPoints {
        /// Points of a Tor exit.
        tor: i64,
        /// Points of a VPN or another anonymiser.
        vpn: i64,
        /// Points of a public or residential proxy.
        proxy: i64,
        /// Points of a hosting provider.
        hosting: i64,
    }
    /// M1: is the reward so large that one mistake pays for many reviews?
    Large {
        /// Payouts of this many USD or more fire; decimal text.
        payout_usd: String,
        /// Payouts of this many times the user's median fire, too.
        usual_factor: i64,
        /// But only from this many USD on; decimal text.
        usual_from_usd: String,
        /// Points of such a payout. It is not hard: an honest user, too, buys something one day.
        usual_points: i64,
    }
    /// T5: the events of one click.
    Chain {
        /// So many events of one click within a second fire.
        events: i64,
        /// Points of a step that comes in a tenth of what settled steps need, or of twice as many events at once.
        far_points: i64,
        /// True if the network sends its postbacks in batches: then the rule never fires.
        batches: bool,
    }
    /// T6: several users with the same time to the second.
    Twins {
        /// So many users fire.
        users: i64,
        /// From so many users on, `many_points` count.
        many: i64,
        /// Points of many.
        many_points: i64,
        /// Times that are nearly the same may be this many times as many; chance makes more of them.
        near_factor: i64,
        /// True if the network sends its postbacks in batches: then the rule never fires.
        batches: bool,
    }
    /// S1: users of one address.
    SharedAddress {
        /// So many within a day are usual on any address: a household.
        users: i64,
        /// From this many times the usual number on, `far_points` count.
        far_factor: i64,
        /// Points of far more than usual.
        far_points: i64,
    }
    /// S2: the same task by others of the address.
    SharedTask {
        /// Points of the third user and all that follow.
        third_points: i64,
    }
    /// S4: a rule with one number.
    Number {
        /// From so many on it fires.
        limit: i64,
    }
    /// S3: countries of one user.
    Countries {
        /// From so many on it fires.
        limit: i64,
        /// From so many on `many_points` count.
        many: i64,
        /// Points of many.
        many_points: i64,
    }
    /// T10: a user who is always fast.
    AlwaysFast {
        /// Rewards of the user from which there is a mean; at most 8 are compared.
        least: i64,
        /// From so many deviations on it fires, in hundredths.
        limit_percent: i64,
        /// But only where the mean times the root of the number is at least this: chance does not reach it.
        chance_percent: i64,
    }
    /// V1: completions of a user.
    Pace {
        /// More than this within an hour fire.
        per_hour: i64,
        /// More than this within a day fire.
        per_day: i64,
        /// Points of too many within a day.
        day_points: i64,
    }
    /// V2: a large reward of a new user.
    NewUser {
        /// Payouts of this many USD or more fire; decimal text.
        payout_usd: String,
        /// Seconds for which a user is new; at most two days.
        new_s: i64,
    }
    /// H1: rewards of a user that were taken back.
    TakenBack {
        /// More than this share fires, in percent.
        percent: i64,
        /// But only from so many credited rewards on.
        credits: i64,
        /// With fewer, so many that were taken back fire,
        early_reversed: i64,
        /// if they are more than this share, in percent.
        early_percent: i64,
    }
    /// C1: a user with a clean record.
    Trusted {
        /// Rewards older than 30 days that earn trust; at most 100.
        settled: i64,
    }
}

impl Plain {
    /// A rule that a stored policy does not know: it never fires.
    fn disabled() -> Self {
        Self { enabled: false, points: 0, hard: false }
    }
}

/// The kind of task; decides how fast it can plausibly be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferClass {
    /// Install, registration, lead.
    Install,
    /// Purchase, deposit, level: one step of several.
    Step,
    /// A survey.
    Survey,
    /// Neither the policy nor a word in the names says.
    Default,
}

impl OfferClass {
    /// The class of that name in a policy file.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "install" => Some(Self::Install),
            "step" => Some(Self::Step),
            "survey" => Some(Self::Survey),
            "default" => Some(Self::Default),
            _ => None,
        }
    }
}

/// The thresholds of every rule, for one source and offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "UPPERCASE")]
pub struct Rules {
    /// Click time missing, unusable or far in the future.
    pub q1: ClickTime,
    /// Click a few seconds in the future: clock difference.
    pub q2: Limit,
    /// Click in the future beyond clock difference.
    #[serde(rename = "Q2b")]
    pub q2b: Plain,
    /// Reward or payout not above zero, or their ratio off.
    pub q3: Ratio,
    /// An amount with more than six decimals.
    pub q4: Plain,
    /// A caller that the network's list does not name.
    pub q5: Plain,
    /// A field that the signature does not protect.
    pub q6: Plain,
    /// A value that had to be cleaned.
    pub q7: Plain,
    /// A macro that was not filled in.
    pub q8: Plain,
    /// A placeholder instead of a user id.
    pub q9: Nobody,
    /// Faster than any offer can be completed.
    pub t1: Limit,
    /// Faster than the class of offer allows.
    pub t2: TaskFloor,
    /// Events of one click faster than they can be done.
    pub t5: Chain,
    /// Several users with the same time to the second.
    pub t6: Twins,
    /// A survey far faster than normal.
    pub t3: SurveySpeed,
    /// Far faster than normal for the offer.
    pub t4: Usual,
    /// Almost as fast, or beside fewer completions.
    #[serde(rename = "T4b")]
    pub t4b: AlmostUsual,
    /// A sub id with too many fast completions.
    pub t7: Limit,
    /// A sub id with too many slow completions.
    pub t8: Plain,
    /// A user who is always faster than normal.
    pub t10: AlwaysFast,
    /// Completed after the offer's window.
    pub t9: Limit,
    /// The address is in another country than reported.
    pub g1: CountryMismatch,
    /// The two countries are related, not the same.
    pub g2: Plain,
    /// One of the two countries is unknown.
    pub g3: Plain,
    /// Address not of the public internet.
    pub g4: Plain,
    /// The address belongs to a Tor exit, VPN, proxy or hosting network.
    pub n1: NetworkPoints,
    /// More users on an address than usual.
    pub s1: SharedAddress,
    /// The same task by others at the address.
    pub s2: SharedTask,
    /// One user in many countries.
    pub s3: Countries,
    /// One user on many networks.
    pub s4: Number,
    /// More completions than one person gets done.
    pub v1: Pace,
    /// A large reward of a new user.
    pub v2: NewUser,
    /// The same task again under a new transaction.
    pub v3: Plain,
    /// Too many rewards of the user were taken back.
    pub h1: TakenBack,
    /// A sub id that is taken back too often.
    pub h2: Plain,
    /// A user with a long and clean record.
    pub c1: Trusted,
    /// A payout so large that a person should look.
    pub m1: Large,
    /// An entry of a list blocks it. Policies of before know no lists.
    #[serde(default = "Plain::disabled")]
    pub l1: Plain,
    /// An entry of a list watches it.
    #[serde(default = "Plain::disabled")]
    pub l2: Plain,
    /// An entry of a list trusts it: its points are at most zero.
    #[serde(default = "Plain::disabled")]
    pub l3: Plain,
}

impl Rules {
    /// True if a rule is enabled that compares with what is remembered of users, addresses and times.
    pub(super) fn remember(&self) -> bool {
        let chain = [self.t5.enabled, self.t6.enabled, self.t10.enabled];
        let sharing = [self.s1.enabled, self.s2.enabled, self.s3.enabled, self.s4.enabled];
        let user = [self.v1.enabled, self.v2.enabled, self.h1.enabled, self.c1.enabled, self.m1.enabled];
        [&chain[..], &sharing, &user].concat().contains(&true)
    }

    /// Amounts that cannot be read, and numbers that are out of their range.
    fn number_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (key, text) in [
            ("M1.payout_usd", &self.m1.payout_usd),
            ("M1.usual_from_usd", &self.m1.usual_from_usd),
            ("V2.payout_usd", &self.v2.payout_usd),
        ] {
            if let Err(error) = Micros::parse(text) {
                faults.push(format!("{key}` {error}"));
            }
        }
        for (key, number) in [
            ("T5.events", self.t5.events),
            ("T6.users", self.t6.users),
            ("T6.many", self.t6.many),
            ("T6.near_factor", self.t6.near_factor),
            ("S1.users", self.s1.users),
            ("S1.far_factor", self.s1.far_factor),
            ("S3.limit", self.s3.limit),
            ("S3.many", self.s3.many),
            ("T10.least", self.t10.least),
            ("T10.limit_percent", self.t10.limit_percent),
            ("T10.chance_percent", self.t10.chance_percent),
            ("H1.early_reversed", self.h1.early_reversed),
            ("H1.early_percent", self.h1.early_percent),
            ("S4.limit", self.s4.limit),
            ("V1.per_hour", self.v1.per_hour),
            ("V1.per_day", self.v1.per_day),
            ("H1.percent", self.h1.percent),
            ("H1.credits", self.h1.credits),
            ("C1.settled", self.c1.settled),
            ("M1.usual_factor", self.m1.usual_factor),
        ] {
            if !(1..=1_000_000).contains(&number) {
                faults.push(format!("{key}` must be between 1 and 1000000"));
            }
        }
        if !(-1_000..=0).contains(&self.c1.points) {
            faults.push("C1.points` must be between -1000 and 0".to_owned());
        }
        faults
    }

    /// What deserialising cannot check, as `CODE.key` and what is wrong.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.q3.ratio.is_empty() {
            match Micros::parse(&self.q3.ratio) {
                Ok(parsed) if parsed.amount.0 > 0 => {}
                Ok(_) => faults.push("Q3.ratio` must be above zero".to_owned()),
                Err(error) => faults.push(format!("Q3.ratio` {error}")),
            }
        }
        if !self.t2.class.is_empty() && OfferClass::parse(&self.t2.class).is_none() {
            faults.push("T2.class` must be one of install, step, survey, default".to_owned());
        }
        faults.extend(self.t2.classes.faults());
        faults.extend(self.usual_faults());
        for (key, seconds) in [
            ("Q1.future_s", self.q1.future_s),
            ("Q2.limit_s", self.q2.limit_s),
            ("T1.limit_s", self.t1.limit_s),
            ("T2.install_s", self.t2.install_s),
            ("T2.step_s", self.t2.step_s),
            ("T2.survey_s", self.t2.survey_s),
            ("T2.default_s", self.t2.default_s),
            ("T9.limit_s", self.t9.limit_s),
            ("Q3.tolerance_percent", self.q3.tolerance_percent),
            ("T7.limit_s", self.t7.limit_s),
            ("V2.new_s", self.v2.new_s),
        ] {
            // A century keeps every sum of milliseconds far from overflow.
            if !(0..=3_155_760_000).contains(&seconds) {
                faults.push(format!("{key}` must be between 0 and 3155760000"));
            }
        }
        faults.extend(self.number_faults());
        let points = [
            ("Q1.points", self.q1.points),
            ("Q2.points", self.q2.points),
            ("Q2b.points", self.q2b.points),
            ("Q3.points", self.q3.points),
            ("Q4.points", self.q4.points),
            ("Q5.points", self.q5.points),
            ("Q6.points", self.q6.points),
            ("Q7.points", self.q7.points),
            ("Q8.points", self.q8.points),
            ("Q9.points", self.q9.points),
            ("T1.points", self.t1.points),
            ("T2.points", self.t2.points),
            ("T3.points", self.t3.points),
            ("T3.wide_points", self.t3.wide_points),
            ("T3.near_points", self.t3.near_points),
            ("T4.points", self.t4.points),
            ("T4b.points", self.t4b.points),
            ("T9.points", self.t9.points),
            ("G1.points", self.g1.points),
            ("G1.registry_points", self.g1.registry_points),
            ("G1.common_points", self.g1.common_points),
            ("T7.points", self.t7.points),
            ("T10.points", self.t10.points),
            ("S3.many_points", self.s3.many_points),
            ("T5.far_points", self.t5.far_points),
            ("M1.usual_points", self.m1.usual_points),
            ("T8.points", self.t8.points),
            ("H2.points", self.h2.points),
            ("G2.points", self.g2.points),
            ("G3.points", self.g3.points),
            ("G4.points", self.g4.points),
            ("N1.tor", self.n1.tor),
            ("N1.vpn", self.n1.vpn),
            ("N1.proxy", self.n1.proxy),
            ("N1.hosting", self.n1.hosting),
            ("T5.points", self.t5.points),
            ("T6.points", self.t6.points),
            ("T6.many_points", self.t6.many_points),
            ("S1.points", self.s1.points),
            ("S1.far_points", self.s1.far_points),
            ("S2.points", self.s2.points),
            ("S2.third_points", self.s2.third_points),
            ("S3.points", self.s3.points),
            ("S4.points", self.s4.points),
            ("V1.points", self.v1.points),
            ("V1.day_points", self.v1.day_points),
            ("V2.points", self.v2.points),
            ("H1.points", self.h1.points),
            ("V3.points", self.v3.points),
            ("M1.points", self.m1.points),
            ("L1.points", self.l1.points),
            ("L2.points", self.l2.points),
        ];
        for (key, points) in points {
            if !(0..=1_000).contains(&points) {
                faults.push(format!("{key}` must be between 0 and 1000"));
            }
        }
        if !(-1_000..=0).contains(&self.l3.points) {
            faults.push("L3.points` must be between -1000 and 0: trust takes points off".to_owned());
        }
        faults
    }

    /// What is wrong with the rules that compare with a baseline.
    fn usual_faults(&self) -> Vec<String> {
        let figures_from = i64::try_from(FIGURES_FROM).unwrap_or(i64::MAX);
        let least = [("T3", self.t3.least), ("T4", self.t4.least), ("T4b", self.t4b.least)];
        let least = least.into_iter().filter(|(_, least)| !(figures_from..=1_000_000).contains(least));
        let mut faults: Vec<String> = least
            .map(|(code, _)| format!("{code}.least` must be between {figures_from} and 1000000"))
            .collect();
        for (key, number) in [
            ("T3.narrow_millinats", self.t3.narrow_millinats),
            ("T3.wide_millinats", self.t3.wide_millinats),
            ("T4.limit_percent", self.t4.limit_percent),
            ("T4.floor_millinats", self.t4.floor_millinats),
            ("T4b.limit_percent", self.t4b.limit_percent),
        ] {
            if !(1..=10_000).contains(&number) {
                faults.push(format!("{key}` must be between 1 and 10000"));
            }
        }
        faults
    }
}
