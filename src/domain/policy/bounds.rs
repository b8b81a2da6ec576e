//! What a policy may say: the bounds of thresholds and points, beyond what reading them checks.

use super::{OfferClass, Rules};
use crate::baseline::FIGURES_FROM;
use crate::money::Micros;

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
