//! Saves the outcome of a batch: rewards, verdicts, steps with their transfers, outcomes of postbacks, cases, tallies.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::batch::{BatchOutcome, DataTally, Judgement, RewardChange};
use domain::delivery::Subscriptions;
use domain::postback::event::Click;
use domain::review::queue::address_group;
use domain::rules::ENGINE;
use domain::time::{DAY_MS, TimestampMs};
use domain::verdict::Decision;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, guard};
use crate::deliveries::outbox::{self, Touched};
use crate::operations::retention;
use crate::postbacks::inbox::WaitingPostback;
use crate::postbacks::source_tallies;
use crate::review::cases;
use crate::review::context::HOUR_MS;
use crate::rewards::history;
use crate::rewards::repeated::{Repeated, RestsOn};
use crate::rewards::steps::save_steps;
use crate::{Error, Result};

static INSERT_REWARDS: LazyStatement = LazyLock::new(|| {
    Statement::given::<RewardInsert<'_>>(
        "INSERT INTO rewards ({columns})
         SELECT {columns} FROM {given}
         RETURNING id, source, event_key",
    )
});

static UPDATE_REWARDS: LazyStatement = LazyLock::new(|| {
    Statement::given::<UpdateRow>(
        "UPDATE rewards
         SET status = given.status, steps = given.steps, repeats = given.repeats, conflict = given.conflict,
             taken_back_micros = given.taken_back_micros,
             taken_back_payout_micros = given.taken_back_payout_micros
         FROM {given}
         WHERE rewards.id = given.id AND rewards.steps = given.steps_before",
    )
});

/// Adds the details of a credit whose reversal came first.
static COMPLETE_REWARDS: LazyStatement = LazyLock::new(|| {
    Statement::given::<RewardInsert<'_>>(
        "UPDATE rewards
         SET user_id = given.user_id, reward_micros = given.reward_micros, payout_micros = given.payout_micros, offer_id = given.offer_id,
             offer_name = given.offer_name, event_id = given.event_id, event_name = given.event_name, ip = given.ip,
             country_code = given.country_code, clicked_at = given.clicked_at, sub1 = given.sub1, sub2 = given.sub2,
             credit_seen = 1
         FROM {given}
         WHERE rewards.event_key = given.event_key AND rewards.source = given.source AND rewards.credit_seen = 0")
});

static INSERT_VERDICTS: LazyStatement = LazyLock::new(|| {
    Statement::given::<VerdictRow<'_>>(
        "INSERT INTO verdicts ({columns})
         SELECT {columns} FROM {given}",
    )
});

/// The last statement of a batch, right after the tallies of its sources: all workers share these rows, so they are locked
/// as briefly as possible.
static ADD_TALLIES: LazyStatement = LazyLock::new(|| {
    Statement::given::<TallyRow<'_>>(
        "INSERT INTO data_tallies ({columns})
         SELECT {columns} FROM {given} WHERE true ORDER BY source, code
         ON CONFLICT (hour, source, code) DO UPDATE SET tally = data_tallies.tally + excluded.tally",
    )
});

static MARK_POSTBACKS: LazyStatement = LazyLock::new(|| {
    Statement::given::<OutcomeRow<'_>>(
        "UPDATE postbacks
         SET outcome = given.outcome, reason = given.reason, reward_id = given.reward_id,
             processed_at = given.processed_at
         FROM {given}
         WHERE postbacks.id = given.id AND postbacks.outcome = 'received'",
    )
});

/// Saves the `outcome` of the `claimed` postbacks; `true` if a delivery was created or cancelled. Fails unless exactly its postbacks still waited and its
/// rewards were as loaded.
pub(crate) async fn save(
    tx: &mut Tx,
    claimed: &[WaitingPostback],
    outcome: &BatchOutcome,
    subscriptions: &Subscriptions,
    repeated: &Repeated,
    now: TimestampMs,
) -> Result<bool> {
    let ids = rewards(tx, &outcome.rewards).await?;
    let changes = || outcome.rewards.iter().zip(&ids);
    retention::shorten_late(
        tx,
        changes().filter(|(change, _)| is_late(change, now)).map(|(_, id)| *id).collect(),
    )
    .await?;
    save_verdicts(tx, changes().filter_map(|(change, id)| Some((*id, change.verdict.as_ref()?))), repeated)
        .await?;
    let taken: Vec<_> =
        changes().flat_map(|(change, id)| change.steps.iter().map(|taken| (*id, taken))).collect();
    save_steps(tx, &taken, &outcome.business_date, now).await?;
    let touched: Vec<_> = changes()
        .map(|(change, id)| Touched {
            reward_id: *id,
            app: &change.reward.app,
            user_id: &change.reward.user_id,
            steps: change.steps.iter().collect(),
        })
        .collect();
    let notifies = outbox::enqueue(tx, &touched, subscriptions, now).await?;
    outcomes(tx, outcome, &ids, now).await?;
    cases::save(tx, outcome, &ids, now).await?;
    history::save(tx, outcome).await?;
    source_tallies::add(tx, claimed, &outcome.postbacks).await?;
    tallies(tx, &outcome.tallies, now).await?;
    Ok(notifies)
}

async fn save_verdicts(
    tx: &mut Tx,
    judged: impl Iterator<Item = (i64, &Judgement)>,
    repeated: &Repeated,
) -> Result<()> {
    let (ids, judgements): (Vec<i64>, Vec<&Judgement>) = judged.unzip();
    if judgements.is_empty() {
        return Ok(());
    }
    let rests_on = repeated.ids(tx, &judgements).await?;
    let rows: Vec<_> = ids
        .into_iter()
        .zip(judgements)
        .zip(rests_on)
        .map(|((id, judgement), rests_on)| VerdictRow::of(id, judgement, rests_on))
        .collect();
    tx.execute(&INSERT_VERDICTS, &rows).await?;
    Ok(())
}

/// The shortest retention period of addresses.
const SHORTEST_RETENTION_MS: i64 = DAY_MS;

/// Whether the address saved with `change` may already be past its retention period: the postback is old, or the reward
/// existed before and may be older.
fn is_late(change: &RewardChange, now: TimestampMs) -> bool {
    change.details.as_ref().is_some_and(|details| {
        details.event.ip.is_some()
            && (change.reward.id.is_some()
                || now.0.saturating_sub(details.received_at.0) >= SHORTEST_RETENTION_MS)
    })
}

/// Marks the postbacks of `outcome`; `reward_ids` are those of its rewards, in their order.
pub(crate) async fn outcomes(
    tx: &mut Tx,
    outcome: &BatchOutcome,
    reward_ids: &[i64],
    now: TimestampMs,
) -> Result<()> {
    let rows: Vec<_> = outcome
        .postbacks
        .iter()
        .map(|processed| OutcomeRow {
            id: processed.postback_id,
            outcome: processed.outcome.name(),
            reason: processed.reason.as_deref(),
            reward_id: processed.reward.and_then(|index| reward_ids.get(index).copied()),
            processed_at: now.0,
        })
        .collect();
    guard("postbacks", tx.execute(&MARK_POSTBACKS, &rows).await?, rows.len())
}

async fn tallies(tx: &mut Tx, tallies: &[DataTally], now: TimestampMs) -> Result<()> {
    if tallies.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = tallies
        .iter()
        .map(|of| TallyRow { hour: now.0 / HOUR_MS, source: &of.source, code: &of.code, tally: of.count })
        .collect();
    tx.execute(&ADD_TALLIES, &rows).await?;
    Ok(())
}

/// Inserts new rewards, updates existing ones, and returns the ids of all, in the order of `changes`.
async fn rewards(tx: &mut Tx, changes: &[RewardChange]) -> Result<Vec<i64>> {
    let (existing, new): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.reward.id.is_some());
    if !existing.is_empty() {
        // Details first, so that a reward that becomes held enters the queue with its details.
        let completed: Vec<_> = existing.iter().filter_map(|change| RewardInsert::of(change)).collect();
        if !completed.is_empty() {
            guard("rewards", tx.execute(&COMPLETE_REWARDS, &completed).await?, completed.len())?;
        }
        let rows: Vec<_> = existing.iter().map(|change| update_row(change)).collect();
        guard("rewards", tx.execute(&UPDATE_REWARDS, &rows).await?, rows.len())?;
    }
    let inserts: Vec<_> = new.iter().filter_map(|change| RewardInsert::of(change)).collect();
    let inserted: Vec<InsertedRow> =
        if inserts.is_empty() { Vec::new() } else { tx.fetch(&INSERT_REWARDS, &inserts).await? };
    let ids: HashMap<(&str, &str), i64> =
        inserted.iter().map(|row| ((row.source.as_str(), row.event_key.as_str()), row.id)).collect();
    changes
        .iter()
        .map(|change| {
            let reward = &change.reward;
            let id = reward.id.or_else(|| ids.get(&(reward.source.as_str(), reward.key.as_str())).copied());
            id.ok_or_else(|| Error::Aborted(format!("reward {} was not returned", reward.key)))
        })
        .collect()
}

fn update_row(change: &RewardChange) -> UpdateRow {
    let reward = &change.reward;
    let taken = i64::try_from(change.steps.len()).unwrap_or(i64::MAX);
    UpdateRow {
        id: reward.id.unwrap_or_default(),
        status: reward.status.name(),
        steps: reward.steps,
        steps_before: reward.steps - taken,
        repeats: reward.repeats,
        conflict: i64::from(reward.conflict),
        taken_back_micros: reward.taken_back.reward.0,
        taken_back_payout_micros: reward.taken_back.payout.0,
    }
}

given_row! {
    struct UpdateRow {
        id: i64,
        status: &'static str,
        steps: i64,
        steps_before: i64,
        repeats: i64,
        conflict: i64,
        taken_back_micros: i64,
        taken_back_payout_micros: i64,
    }
}

given_row! {
    struct RewardInsert<'a> {
        source: &'a str,
        event_key: &'a str,
        app: &'a str,
        user_id: &'a str,
        tx_id: &'a str,
        status: &'static str,
        currency: &'a str,
        reward_micros: Option<i64>,
        payout_micros: Option<i64>,
        offer_id: Option<&'a str>,
        offer_name: Option<&'a str>,
        event_id: Option<&'a str>,
        event_name: Option<&'a str>,
        ip: Option<&'a str>,
        country_code: Option<&'a str>,
        clicked_at: Option<i64>,
        sub1: Option<&'a str>,
        sub2: Option<&'a str>,
        received_at: i64,
        business_date: &'a str,
        steps: i64,
        repeats: i64,
        conflict: i64,
        credit_seen: i64,
        address_group: Option<String>,
    }
}

impl<'a> RewardInsert<'a> {
    /// `None` if the change carries no details to save.
    fn of(change: &'a RewardChange) -> Option<Self> {
        let details = change.details.as_ref()?;
        let (reward, event) = (&change.reward, &details.event);
        let verdict = change.verdict.as_ref().map(|judgement| judgement.verdict.decision);
        let is_held = verdict == Some(Decision::Hold);
        Some(Self {
            source: &reward.source,
            event_key: &reward.key,
            app: &reward.app,
            user_id: &reward.user_id,
            // The credit's id, even if the reversal came first with an id of its own.
            tx_id: event.key(),
            status: reward.status.name(),
            currency: &reward.currency,
            reward_micros: reward.reward.map(|amount| amount.0),
            payout_micros: reward.payout.map(|amount| amount.0),
            offer_id: event.offer_id.as_deref(),
            offer_name: event.offer_name.as_deref(),
            event_id: event.event_id.as_deref(),
            event_name: event.event_name.as_deref(),
            ip: event.ip.as_deref(),
            country_code: event.country_code.as_deref(),
            clicked_at: match event.click {
                Click::At(at) => Some(at.0),
                Click::Missing | Click::Unusable(_) => None,
            },
            sub1: event.sub1.as_deref(),
            sub2: event.sub2.as_deref(),
            received_at: details.received_at.0,
            business_date: &details.business_date,
            steps: reward.steps,
            repeats: reward.repeats,
            conflict: i64::from(reward.conflict),
            credit_seen: i64::from(reward.credit_seen),
            // Empty for a hold without an address, so that its index holds every hold.
            address_group: is_held.then(|| event.ip.as_deref().and_then(address_group).unwrap_or_default()),
        })
    }
}

#[derive(sqlx::FromRow)]
struct InsertedRow {
    id: i64,
    source: String,
    event_key: String,
}

given_row! {
    struct VerdictRow<'a> {
        reward_id: i64,
        decision: &'static str,
        score: i64,
        hard: i64,
        policy_id: i64,
        decided_at: i64,
        geo_result: &'static str,
        facts: String,
        engine: i64,
        geo_builds: i64,
        fired_points: Option<String>,
        // Where the policy's version and the sentences of former versions stand.
        policy: &'static str,
        location: &'static str,
        signals: &'static str,
        leading_rule: Option<&'a str>,
        fired: Option<String>,
        baseline: Option<&'a str>,
    }
}

impl<'a> VerdictRow<'a> {
    fn of(reward_id: i64, judgement: &'a Judgement, rests_on: RestsOn) -> Self {
        let verdict = &judgement.verdict;
        // The queue groups by these; only held rewards are in it.
        let is_held = verdict.decision == Decision::Hold;
        let fired = if is_held { verdict.counted() } else { Vec::new() };
        Self {
            reward_id,
            decision: verdict.decision.name(),
            score: verdict.score,
            hard: i64::from(verdict.hard),
            policy_id: rests_on.policy,
            decided_at: verdict.decided_at.0,
            geo_result: judgement.geo.name(),
            facts: judgement.evidence.document(),
            engine: ENGINE,
            geo_builds: rests_on.geo_builds,
            fired_points: Some(verdict.fired_points()).filter(|fired| !fired.is_empty()),
            policy: "",
            location: "{}",
            signals: "[]",
            leading_rule: fired.first().map(|signal| signal.code.as_str()),
            fired: is_held
                .then(|| fired.iter().map(|signal| signal.code.as_str()).collect::<Vec<_>>().join(" ")),
            baseline: judgement.baseline.as_deref(),
        }
    }
}

given_row! {
    struct TallyRow<'a> {
        hour: i64,
        source: &'a str,
        code: &'a str,
        tally: i64,
    }
}

given_row! {
    struct OutcomeRow<'a> {
        id: i64,
        outcome: &'static str,
        reason: Option<&'a str>,
        reward_id: Option<i64>,
        processed_at: i64,
    }
}
