//! The thresholds of each rule, by its code. Every one has `enabled`, `points` and `hard`.

use serde::{Deserialize, Serialize};

use super::classes::OfferClasses;

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
    /// An entry of a list blocks it.
    pub l1: Plain,
    /// An entry of a list watches it.
    pub l2: Plain,
    /// An entry of a list trusts it: its points are at most zero.
    pub l3: Plain,
}
