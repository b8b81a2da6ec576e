//! The thresholds of each rule, by its code. Every one has `enabled`, `points` and `hard`.

use serde::{Deserialize, Serialize};

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
    /// G1: two different countries.
    CountryMismatch {
        /// Points if only registry data is available.
        registry_points: i64,
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
    /// The same task again under a new transaction.
    pub v3: Plain,
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
        if let Err(error) = Micros::parse(&self.m1.payout_usd) {
            faults.push(format!("M1.payout_usd` {error}"));
        }
        if !self.t2.class.is_empty() && OfferClass::parse(&self.t2.class).is_none() {
            faults.push("T2.class` must be one of install, step, survey, default".to_owned());
        }
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
        ] {
            // A century keeps every sum of milliseconds far from overflow.
            if !(0..=3_155_760_000).contains(&seconds) {
                faults.push(format!("{key}` must be between 0 and 3155760000"));
            }
        }
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
            ("T9.points", self.t9.points),
            ("G1.points", self.g1.points),
            ("G1.registry_points", self.g1.registry_points),
            ("G2.points", self.g2.points),
            ("G3.points", self.g3.points),
            ("G4.points", self.g4.points),
            ("N1.tor", self.n1.tor),
            ("N1.vpn", self.n1.vpn),
            ("N1.proxy", self.n1.proxy),
            ("N1.hosting", self.n1.hosting),
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
}
