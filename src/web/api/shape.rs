//! Rewards and postbacks as JSON.

use domain::masked::masked;
use domain::money::Micros;
use domain::reward::{Status, Step};
use domain::signal::{self, Family};
use domain::time::TimestampMs;
use serde::Serialize;
use store::postbacks::list::PostbackRow;
use store::postbacks::replay::ReplayRow;
use store::rewards::list::{RewardRow, StepRow, TransferRow};
use utoipa::ToSchema;

use super::deliveries::Delivery;
use super::quarantine::QuarantineAct;
use super::terms::{
    Day, Decimal, DecisionName, FamilyName, GeoResult, Outcome, RewardStatus, RewardStepName, Time,
};

/// A reward with its verdict.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "`reward` is the contract's name for the amount")]
pub(crate) struct Reward {
    id: i64,
    source: String,
    user_id: String,
    tx_id: String,
    #[schema(value_type = RewardStatus, example = "held")]
    status: String,
    currency: String,
    /// Decimal; null while only a reversal without amounts has been seen.
    #[schema(value_type = Option<Decimal>, example = "500")]
    reward: Option<String>,
    /// Decimal, USD; null if the network does not send it.
    #[schema(value_type = Option<Decimal>, example = "1.5")]
    payout: Option<String>,
    /// The part of the reward that the network reversed.
    #[schema(value_type = Decimal)]
    taken_back: String,
    /// The part of the payout that it reversed.
    #[schema(value_type = Decimal)]
    taken_back_payout: String,
    offer_id: Option<String>,
    offer_name: Option<String>,
    event_id: Option<String>,
    event_name: Option<String>,
    ip: Option<String>,
    country_code: Option<String>,
    sub1: Option<String>,
    sub2: Option<String>,
    /// RFC 3339
    #[schema(value_type = Option<Time>)]
    clicked_at: Option<String>,
    /// RFC 3339: first receipt
    #[schema(value_type = Time)]
    received_at: String,
    /// Repeats: further postbacks with the same content.
    repeats: i64,
    /// True if a postback with the same key had other content; see `postbacks`.
    conflict: bool,
    /// Null if only a reversal has been seen.
    verdict: Option<Verdict>,
    /// Null if only a reversal has been seen.
    geo: Option<Geo>,
}

/// The decision of the rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verdict {
    #[schema(value_type = DecisionName)]
    decision: String,
    score: i64,
    /// True if a hard rule fired.
    hard: bool,
    /// The version of the policy that decided.
    policy: String,
    /// The version of the baseline that said something of the offer; null if none did.
    baseline: Option<String>,
    #[schema(value_type = Time)]
    decided_at: String,
    /// Every evaluated signal, fired or not.
    signals: Vec<Signal>,
}

/// One measured fact.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Signal {
    #[schema(example = "T1")]
    code: String,
    #[schema(value_type = FamilyName, example = "time")]
    family: Family,
    fired: bool,
    hard: bool,
    points: i64,
    value: Option<String>,
    limit: Option<String>,
    sample: Option<i64>,
    /// True if there are too few observations to compare with.
    insufficient: bool,
    text: String,
}

/// Where the address is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Geo {
    #[schema(value_type = GeoResult)]
    result: String,
    country: Option<String>,
    registered_country: Option<String>,
    represented_country: Option<String>,
    asn: Option<u32>,
    organisation: Option<String>,
    /// `tor`, `vpn`, `public_proxy`, `residential_proxy`, `anonymous`, `hosting`, `satellite`, `anycast`, `cellular`
    network: Vec<String>,
    /// True if the country comes from registry data alone.
    registry_only: bool,
    databases: Vec<Database>,
}

/// The version of a geo database at the time of the lookup.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Database {
    name: String,
    /// Build time or version.
    built_at: String,
}

/// A reward with everything that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RewardWhole {
    #[serde(flatten)]
    pub(crate) reward: Reward,
    /// Every change of status, oldest first.
    pub(crate) steps: Vec<RewardStep>,
    pub(crate) transfers: Vec<Transfer>,
    /// Every postback with this key, including repeats.
    pub(crate) postbacks: Vec<Postback>,
    /// Deliveries to the app, with every attempt; empty if it receives none.
    pub(crate) deliveries: Vec<Delivery>,
}

/// One change of status.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RewardStep {
    seq: i64,
    #[schema(value_type = RewardStepName, example = "release")]
    step: String,
    #[schema(value_type = Option<RewardStatus>)]
    from: Option<String>,
    #[schema(value_type = Option<RewardStatus>)]
    to: Option<String>,
    /// `rules`, `network`, or the name of a person or token
    actor: String,
    note: Option<String>,
    postback_id: Option<i64>,
    #[schema(value_type = Time)]
    at: String,
}

/// One movement of money: `debit` gives, `credit` receives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transfer {
    id: i64,
    /// The `seq` of the step that booked it.
    step: Option<i64>,
    debit: String,
    credit: String,
    #[schema(value_type = Decimal)]
    amount: String,
    currency: String,
    #[schema(value_type = Time)]
    booked_at: String,
    #[schema(value_type = Day)]
    business_date: String,
}

/// One request from a network, as received.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Postback {
    id: i64,
    source: String,
    #[schema(value_type = Time)]
    received_at: String,
    method: String,
    /// Path and query as received; signatures and secrets are cut to their first characters.
    target: String,
    remote_ip: String,
    /// Identifies the call in the logs.
    request_id: Option<String>,
    #[schema(value_type = Outcome)]
    outcome: String,
    reason: Option<String>,
    /// Why its body was not stored; null if it had none or it is stored.
    body_left_out: Option<String>,
    reward_id: Option<i64>,
    /// Its replays.
    pub(crate) replays: Vec<Replay>,
    /// Actions of people while it was quarantined.
    pub(crate) acts: Vec<QuarantineAct>,
}

/// One replay of a refused or quarantined postback.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replay {
    actor: String,
    /// refused or quarantined
    #[schema(value_type = Outcome)]
    was: String,
    /// Why it was refused or quarantined.
    reason: String,
    #[schema(value_type = Time)]
    at: String,
}

impl From<ReplayRow> for Replay {
    fn from(row: ReplayRow) -> Self {
        Self { actor: row.actor, was: row.was, reason: row.reason, at: time(row.replayed_at) }
    }
}

impl Reward {
    pub(crate) fn of(row: RewardRow) -> Self {
        let geo = row.geo_result.zip(row.location).map(|(result, location)| Geo::of(result, location));
        let verdict = row.verdict.map(|verdict| Verdict {
            decision: verdict.decision.name().into(),
            score: verdict.score,
            hard: verdict.hard,
            policy: verdict.policy,
            baseline: row.baseline,
            decided_at: time(verdict.decided_at.0),
            signals: verdict.signals.into_iter().map(Signal::from).collect(),
        });
        Self {
            id: row.id,
            source: row.source,
            user_id: row.user_id,
            tx_id: row.tx_id,
            status: row.status,
            currency: row.currency,
            reward: row.reward_micros.map(decimal),
            payout: row.payout_micros.map(decimal),
            taken_back: decimal(row.taken_back_micros),
            taken_back_payout: decimal(row.taken_back_payout_micros),
            offer_id: row.offer_id,
            offer_name: row.offer_name,
            event_id: row.event_id,
            event_name: row.event_name,
            ip: row.ip,
            country_code: row.country_code,
            sub1: row.sub1,
            sub2: row.sub2,
            clicked_at: row.clicked_at.map(time),
            received_at: time(row.received_at),
            repeats: row.repeats,
            conflict: row.conflict != 0,
            verdict,
            geo,
        }
    }
}

impl From<signal::Signal> for Signal {
    fn from(found: signal::Signal) -> Self {
        let signal::Signal { code, family, fired, hard, points, value, limit, sample, insufficient, text } =
            found;
        Self { code, family, fired, hard, points, value, limit, sample, insufficient, text }
    }
}

impl Geo {
    fn of(result: String, location: domain::location::Location) -> Self {
        let network = location.network.iter().filter_map(|kind| match serde_json::to_value(kind) {
            Ok(serde_json::Value::String(name)) => Some(name),
            _ => None,
        });
        Self {
            result,
            network: network.collect(),
            country: location.country,
            registered_country: location.registered_country,
            represented_country: location.represented_country,
            asn: location.asn,
            organisation: location.organisation,
            registry_only: location.registry_only,
            databases: location
                .databases
                .into_iter()
                .map(|database| Database { name: database.name, built_at: database.built_at })
                .collect(),
        }
    }
}

impl From<StepRow> for RewardStep {
    fn from(row: StepRow) -> Self {
        let step = Step::ALL.into_iter().find(|step| step.name() == row.step);
        Self {
            seq: row.seq,
            from: step.and_then(Step::from).map(|status| status.name().to_owned()),
            to: step.map(Step::to).map(Status::name).map(ToOwned::to_owned),
            step: row.step,
            actor: row.actor,
            note: row.note,
            postback_id: row.postback_id,
            at: time(row.taken_at),
        }
    }
}

impl From<TransferRow> for Transfer {
    fn from(row: TransferRow) -> Self {
        Self {
            id: row.id,
            step: row.step_seq,
            debit: row.debit,
            credit: row.credit,
            amount: decimal(row.amount_micros),
            currency: row.currency,
            booked_at: time(row.booked_at),
            business_date: row.business_date,
        }
    }
}

impl From<PostbackRow> for Postback {
    fn from(row: PostbackRow) -> Self {
        Self {
            id: row.id,
            source: row.source,
            received_at: time(row.received_at),
            method: row.method,
            target: masked(&row.target).into_owned(),
            remote_ip: row.remote_ip,
            request_id: row.request_id,
            outcome: row.outcome,
            reason: row.reason,
            body_left_out: row.body_left_out,
            reward_id: row.reward_id,
            replays: Vec::new(),
            acts: Vec::new(),
        }
    }
}

/// Micros as decimal text without trailing zeros.
pub(crate) fn decimal(micros: i64) -> String {
    Micros(micros).to_string()
}

/// Unix milliseconds as RFC 3339 in UTC.
pub(crate) fn time(ms: i64) -> String {
    TimestampMs(ms).rfc3339()
}
