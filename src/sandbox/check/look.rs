//! One look at the gateway: what is, beside what must be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::money::Micros;
use domain::reward::Status;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::api::{Api, BalanceRow, RewardRow};
use super::checked::{Checked, Difference, LISTED_DIFFERENCES};
use super::{BALANCES_AT_A_TIME, CheckError, CheckOptions};
use crate::call::Act;
use crate::expected::{Expected, Fate};
use crate::http::Http;

/// Looks at the gateway once.
pub(super) struct Look<'a, H> {
    pub(super) api: Api<H>,
    pub(super) options: &'a CheckOptions,
    pub(super) expected: &'a Expected,
}

/// What one look found so far.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) checked: Checked,
    /// True if something may just not have happened yet.
    pub(super) may_heal: bool,
}

impl<H: Http> Look<'_, H> {
    /// While rewards are missing, quarantine and balances are not worth asking for; the last look asks all the same.
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
            let must = if matches!(answer.act, Act::Forged(_)) { "403" } else { "200 OK" };
            let found = format!("{} {:?}", answer.status, answer.text);
            findings.add(false, format!("{} ({})", answer.tx_id, answer.act), must.into(), found);
        }
        findings.checked.differing = count;
    }

    /// The rewards of our events by their number; more than one for a number is a difference.
    async fn rewards(&self) -> Result<HashMap<u64, Vec<RewardRow>>, CheckError> {
        let mut rewards: HashMap<u64, Vec<RewardRow>> = HashMap::new();
        let take = |row: RewardRow| {
            let Some(number) = self.expected.number_of(&row.tx_id) else { return };
            let rows = rewards.entry(number).or_default();
            // A row that moves while the pages are walked may be seen twice.
            rows.retain(|known| known.id != row.id);
            rows.push(row);
        };
        self.api.rewards(&self.options.source, take).await?;
        Ok(rewards)
    }

    fn compare_rewards(
        &self,
        rewards: &HashMap<u64, Vec<RewardRow>>,
        quarantined: &HashMap<u64, String>,
        findings: &mut Findings,
    ) {
        for fate in self.expected.fates() {
            findings.checked.events += 1;
            let rows = rewards.get(&fate.event.number).map_or(&[][..], Vec::as_slice);
            let allowed = self.expected.allowed(fate);
            let status = rows.first().map(|row| row.status);
            if rows.len() > 1 {
                let found = format!("{} rewards", rows.len());
                findings.add(false, fate.event.tx_id(), "one reward".into(), found);
            } else if !allowed.contains(status)
                && status.is_none()
                && let Some(reason) = quarantined.get(&fate.event.number)
            {
                findings.quarantined(reason);
            } else if !allowed.contains(status) {
                // Missing, or waiting for its reversal; anything else stays as it is.
                let may_heal = status.is_none() || allowed.contains(Some(Status::Reversed));
                let found = status.map_or("no reward", Status::name);
                findings.add(may_heal, fate.event.tx_id(), allowed.to_string(), found.into());
            } else if let Some(row) = rows.first() {
                compare_row(fate, row, findings);
            }
        }
    }

    /// Which of our events are quarantined, by their number, and why. Asked for only if that can explain something.
    async fn quarantined(
        &self,
        rewards: &HashMap<u64, Vec<RewardRow>>,
    ) -> Result<HashMap<u64, String>, CheckError> {
        let is_missing = |fate: &Fate| {
            !rewards.contains_key(&fate.event.number) && !self.expected.allowed(fate).contains(None)
        };
        let is_worth_it = |fate: &Fate| fate.broken.acknowledged > 0 || is_missing(fate);
        let mut quarantined = HashMap::new();
        if !self.expected.fates().into_iter().any(is_worth_it) {
            return Ok(quarantined);
        }
        let take = |target: &str, reason: &str| {
            // Our ids need no encoding, so they stand in the target as they are, under whatever name.
            let values = target.split(['?', '&']).filter_map(|pair| pair.split_once('='));
            let numbers = values.filter_map(|(_, value)| self.expected.number_of(value));
            quarantined.extend(numbers.map(|number| (number, reason.to_owned())));
        };
        self.api.quarantined(&self.options.source, take).await?;
        Ok(quarantined)
    }

    fn compare_quarantine(&self, quarantined: &HashMap<u64, String>, findings: &mut Findings) {
        let fates = self.expected.fates();
        let broken = fates.into_iter().filter(|fate| fate.broken.acknowledged > 0);
        for fate in broken.filter(|fate| !quarantined.contains_key(&fate.event.number)) {
            findings.add(true, fate.event.tx_id(), "quarantined".into(), "not among the quarantined".into());
        }
    }

    async fn compare_balances(
        &self,
        rewards: &HashMap<u64, Vec<RewardRow>>,
        findings: &mut Findings,
    ) -> Result<(), CheckError> {
        let mut users: BTreeMap<u64, (String, BTreeMap<&str, Micros>)> = BTreeMap::new();
        for fate in self.expected.fates() {
            let event = &fate.event;
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

fn compare_row(fate: &Fate, row: &RewardRow, findings: &mut Findings) {
    let event = &fate.event;
    let mut compare = |may_heal, what: &str, expected: String, found: String| {
        if expected != found {
            findings.add(may_heal, format!("{} {what}", event.tx_id()), expected, found);
        }
    };
    compare(false, "user", event.user_id(), row.user_id.clone());
    compare(false, "conflict", false.to_string(), row.conflict.to_string());
    // A reversal may have left the amounts out, and a template the payout.
    if fate.credits.acknowledged > 0 {
        let amount = |amount: &Option<String>| amount.clone().unwrap_or_else(|| "none".into());
        compare(true, "reward", event.reward.to_string(), amount(&row.reward));
        if row.payout.is_some() {
            compare(true, "payout", event.payout.to_string(), amount(&row.payout));
        }
    }
    let repeats = fate.repeats();
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
            // Booked after the rewards were walked, perhaps.
            findings.add(true, subject, format!("{expected} {currency}"), format!("{found} {currency}"));
        }
    }
}

impl Findings {
    /// A genuine postback that was put aside: waiting does not mend that.
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
