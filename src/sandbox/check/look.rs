//! One check of the gateway: the actual state compared with the expected one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::money::Micros;
use domain::reward::Status;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::api::{Api, BalanceRow, RewardRow};
use super::checked::{Checked, Difference, LISTED_DIFFERENCES};
use super::{BALANCES_AT_A_TIME, CheckError, CheckOptions};
use crate::call::Act;
use crate::expected::{Disposition, Expected};
use crate::http::Http;

/// Checks the gateway once.
pub(super) struct Look<'a, H> {
    pub(super) api: Api<H>,
    pub(super) options: &'a CheckOptions,
    pub(super) expected: &'a Expected,
}

/// The quarantined postbacks of the source.
#[derive(Default)]
struct Quarantined {
    /// Why ours are, by event number; without those whose URL does not name the transaction.
    reasons: HashMap<u64, String>,
    /// How many there are, ours or not.
    all: usize,
}

/// The result of one check so far.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) checked: Checked,
    /// True if waiting may resolve a difference.
    pub(super) may_heal: bool,
}

impl<H: Http> Look<'_, H> {
    /// While rewards are missing, quarantine and balances are skipped, except in the last check.
    pub(super) async fn take(&self, is_last: bool) -> Result<Findings, CheckError> {
        let mut findings = Findings::default();
        self.compare_answers(&mut findings);
        let rewards = self.rewards().await?;
        let quarantined = self.quarantined(&rewards).await?;
        self.compare_rewards(&rewards, &quarantined, &mut findings);
        if findings.may_heal && !is_last {
            return Ok(findings);
        }
        self.compare_quarantine(&quarantined, &mut findings);
        self.compare_balances(&rewards, &mut findings).await?;
        if !self.api.is_proven().await? {
            findings.add(true, "ledger".into(), "proven".into(), "not proven".into());
        }
        Ok(findings)
    }

    fn compare_answers(&self, findings: &mut Findings) {
        let (count, first) = self.expected.unexpected();
        for answer in first {
            let must = if matches!(answer.act, Act::Forged(_)) { "403" } else { "an acknowledgement" };
            let found = format!("{} {:?}", answer.status, answer.text);
            findings.add(false, format!("{} ({})", answer.tx_id, answer.act), must.into(), found);
        }
        findings.checked.differing = count;
    }

    /// The rewards of our events, by event number. More than one per event is a difference.
    async fn rewards(&self) -> Result<HashMap<u64, Vec<RewardRow>>, CheckError> {
        let mut rewards: HashMap<u64, Vec<RewardRow>> = HashMap::new();
        let take = |row: RewardRow| {
            let Some(number) = self.expected.number_of_key(&row.tx_id) else { return };
            let rows = rewards.entry(number).or_default();
            // A row may appear on two pages if it moves meanwhile.
            rows.retain(|known| known.id != row.id);
            rows.push(row);
        };
        self.api.rewards(&self.options.source, take).await?;
        Ok(rewards)
    }

    fn compare_rewards(
        &self,
        rewards: &HashMap<u64, Vec<RewardRow>>,
        quarantined: &Quarantined,
        findings: &mut Findings,
    ) {
        for disposition in self.expected.dispositions() {
            findings.checked.events += 1;
            let rows = rewards.get(&disposition.event.number).map_or(&[][..], Vec::as_slice);
            let allowed = self.expected.allowed(disposition);
            let status = rows.first().map(|row| row.status);
            if rows.len() > 1 {
                let found = format!("{} rewards", rows.len());
                findings.add(false, disposition.event.tx_id(), "one reward".into(), found);
            } else if !allowed.contains(status)
                && status.is_none()
                && let Some(reason) = quarantined.reasons.get(&disposition.event.number)
            {
                findings.quarantined(reason);
            } else if !allowed.contains(status) {
                // A missing reward or reversal may still come; other differences are final.
                let may_heal = status.is_none() || allowed.contains(Some(Status::Reversed));
                let found = status.map_or("no reward", Status::name);
                findings.add(may_heal, disposition.event.tx_id(), allowed.to_string(), found.into());
            } else if let Some(row) = rows.first() {
                compare_row(disposition, row, findings);
            }
        }
    }

    /// Our quarantined events. Requested only if a reward is missing or a broken call was acknowledged.
    async fn quarantined(&self, rewards: &HashMap<u64, Vec<RewardRow>>) -> Result<Quarantined, CheckError> {
        let is_missing = |disposition: &Disposition| {
            !rewards.contains_key(&disposition.event.number)
                && !self.expected.allowed(disposition).contains(None)
        };
        let is_worth_it =
            |disposition: &Disposition| disposition.broken.acknowledged > 0 || is_missing(disposition);
        let mut quarantined = Quarantined::default();
        if !self.expected.dispositions().into_iter().any(is_worth_it) {
            return Ok(quarantined);
        }
        let take = |target: &str, reason: &str| {
            // Our IDs need no encoding, so they appear unchanged in the target, under any name.
            let values = target.split(['?', '&']).filter_map(|pair| pair.split_once('='));
            let numbers = values.filter_map(|(_, value)| self.expected.number_of(value));
            quarantined.reasons.extend(numbers.map(|number| (number, reason.to_owned())));
            quarantined.all += 1;
        };
        self.api.quarantined(&self.options.source, take).await?;
        Ok(quarantined)
    }

    fn compare_quarantine(&self, quarantined: &Quarantined, findings: &mut Findings) {
        let dispositions = self.expected.dispositions();
        let broken = dispositions.into_iter().filter(|disposition| disposition.broken.acknowledged > 0);
        if self.options.is_quarantine_counted {
            let (broken, found) = (broken.count(), quarantined.all);
            if found < broken {
                let expected = format!("at least {broken}");
                findings.add(true, "quarantined postbacks".into(), expected, found.to_string());
            }
            return;
        }
        for disposition in
            broken.filter(|disposition| !quarantined.reasons.contains_key(&disposition.event.number))
        {
            findings.add(
                true,
                disposition.event.tx_id(),
                "quarantined".into(),
                "not among the quarantined".into(),
            );
        }
    }

    async fn compare_balances(
        &self,
        rewards: &HashMap<u64, Vec<RewardRow>>,
        findings: &mut Findings,
    ) -> Result<(), CheckError> {
        let mut users: BTreeMap<u64, (String, BTreeMap<&str, Micros>)> = BTreeMap::new();
        for disposition in self.expected.dispositions() {
            let event = &disposition.event;
            let (_, sums) = users.entry(event.user).or_insert_with(|| (event.user_id(), BTreeMap::new()));
            let rows = rewards.get(&event.number).into_iter().flatten();
            for row in rows.filter(|row| row.status == Status::Credited).take(1) {
                sums.entry(&row.currency).or_default().0 += event.reward.0;
            }
        }
        findings.checked.users = users.len();
        let app = self.options.app.as_deref();
        let asked = stream::iter(users.into_values().map(|(user_id, sums)| async move {
            let balances = self.api.balances(&user_id, app).await?;
            Ok::<_, CheckError>((user_id, sums, balances))
        }));
        let mut answered = asked.buffered(BALANCES_AT_A_TIME);
        while let Some((user_id, sums, balances)) = answered.try_next().await? {
            compare_balance(&user_id, &sums, &balances, findings);
        }
        Ok(())
    }
}

fn compare_row(disposition: &Disposition, row: &RewardRow, findings: &mut Findings) {
    let event = &disposition.event;
    let mut compare = |may_heal, what: &str, expected: String, found: String| {
        if expected != found {
            findings.add(may_heal, format!("{} {what}", event.tx_id()), expected, found);
        }
    };
    compare(false, "user", event.user_id(), row.user_id.clone());
    compare(false, "conflict", false.to_string(), row.conflict.to_string());
    // A reversal may omit the amounts, and a template the payout.
    if disposition.credits.acknowledged > 0 {
        let amount = |amount: &Option<String>| amount.clone().unwrap_or_else(|| "none".into());
        compare(true, "reward", event.reward.to_string(), amount(&row.reward));
        if row.payout.is_some() {
            compare(true, "payout", event.payout.to_string(), amount(&row.payout));
        }
    }
    let repeats = disposition.repeats();
    if !repeats.contains(&row.repeats) {
        let may_heal = row.repeats < *repeats.start();
        let subject = format!("{} repeats", event.tx_id());
        findings.add(
            may_heal,
            subject,
            format!("{} to {}", repeats.start(), repeats.end()),
            row.repeats.to_string(),
        );
    }
}

fn compare_balance(
    user_id: &str,
    sums: &BTreeMap<&str, Micros>,
    balances: &[BalanceRow],
    findings: &mut Findings,
) {
    let found: BTreeMap<_, _> =
        balances.iter().map(|row| (row.currency.as_str(), row.balance.as_str())).collect();
    let currencies: BTreeSet<_> = sums.keys().chain(found.keys()).copied().collect();
    for currency in currencies {
        let expected = sums.get(currency).copied().unwrap_or_default().to_string();
        let found = found.get(currency).copied().unwrap_or("0");
        if expected != found {
            let subject = format!("{user_id} balance");
            // It may have been booked after the rewards were read.
            findings.add(true, subject, format!("{expected} {currency}"), format!("{found} {currency}"));
        }
    }
}

impl Findings {
    /// Counts a genuine postback that is quarantined; waiting does not resolve that.
    fn quarantined(&mut self, reason: &str) {
        self.checked.differing += 1;
        let reasons = &mut self.checked.quarantined;
        if reasons.len() < LISTED_DIFFERENCES || reasons.contains_key(reason) {
            *reasons.entry(reason.to_owned()).or_default() += 1;
        }
    }

    fn add(&mut self, may_heal: bool, subject: String, expected: String, found: String) {
        self.may_heal |= may_heal;
        self.checked.differing += 1;
        if self.checked.differences.len() < LISTED_DIFFERENCES {
            self.checked.differences.push(Difference { subject, expected, found });
        }
    }
}
