//! Which booking a line belongs to. Rules in order, and the first that finds something decides:
//!
//! 1. `id`: the same transaction id and kind.
//! 2. `facts`: no such id here, but exactly one booking of the same user, offer, event and amount that no line has
//!    taken, within a time window; then the same with an amount within the tolerance.
//!
//! 3. `day`: a daily sum, against the sum of the day's bookings that no other line has taken.
//!
//! More than one candidate is ambiguous, and never confirmed by itself. Statements of one network add up, so that a line
//! counts once in all of them: the same line in another statement that counts is `counted_elsewhere`, and the same
//! transaction with other facts is a duplicate. What a statement supersedes is not among the others.

use std::collections::{HashMap, HashSet};

use super::{LineState, StatementLine, signed};
use crate::money::PAYOUT_CURRENCY;
use crate::postback::event::Kind;
use crate::report::amount::{Amount, Sum};

/// By how much an amount may differ and still be the same: whichever of the two is more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// In USD.
    pub absolute: Amount,
    /// In parts per million of our amount.
    pub relative_ppm: i64,
}

impl Tolerance {
    fn covers(self, ours: Amount, theirs: Amount) -> bool {
        let difference = i128::from(theirs.0) - i128::from(ours.0);
        let relative = i128::from(ours.0) * i128::from(self.relative_ppm) / 1_000_000;
        difference.abs() <= relative.max(i128::from(self.absolute.0))
    }
}

/// A reward of ours, as far as matching needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// Row id in `rewards`.
    pub reward_id: i64,
    /// The network's transaction id.
    pub tx_id: String,
    /// The publisher's id of the user.
    pub user_id: String,
    /// The network's id of the offer.
    pub offer_id: Option<String>,
    /// The network's id of the event within the offer.
    pub event_id: Option<String>,
    /// What the network owes for it, in USD.
    pub payout: Amount,
    /// When it was received, in unix milliseconds.
    pub received_at: i64,
    /// True if the network approved it: it was credited or held.
    pub approved: bool,
    /// True if it was taken back after that, or a part of it.
    pub reversed: bool,
    /// How much of the payout was taken back: all of it, or the parts so far.
    pub taken_back: Amount,
}

impl Booking {
    /// The booked amount that a line of this kind refers to.
    fn amount(&self, kind: Kind) -> Amount {
        match kind {
            Kind::Credit => self.payout,
            Kind::Reversal => self.taken_back,
        }
    }
}

/// What the books know about a batch of lines.
#[derive(Clone, Debug, Default)]
pub struct Bookings {
    /// Bookings by transaction id.
    pub by_tx: HashMap<String, Booking>,
    /// Bookings of the users in the batch, by user.
    pub by_user: HashMap<String, Vec<Booking>>,
    /// Bookings already matched to a line: reward and kind.
    pub taken: HashSet<(i64, Kind)>,
    /// Transactions that earlier lines of the file speak of.
    pub seen: HashSet<(String, Kind)>,
    /// Bookings that a line of another statement has, which counts beside this one: which statement.
    pub elsewhere: HashMap<(i64, Kind), i64>,
    /// Lines of such statements, by transaction.
    pub lines_elsewhere: HashMap<(String, Kind), Vec<OtherLine>>,
}

/// A line of another statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherLine {
    /// Row id of the other statement.
    pub statement_id: i64,
    /// Never below zero.
    pub amount: Amount,
    /// ISO code, in upper case.
    pub currency: String,
    /// `YYYY-MM-DD`; `None` if the file has no time.
    pub day: Option<String>,
}

impl OtherLine {
    /// True if amount, currency and day are the same.
    fn is_same(&self, line: &StatementLine) -> bool {
        (self.amount, self.currency.as_str(), &self.day) == (line.amount, line.currency.as_str(), &line.day)
    }
}

/// A range of business days, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first day, `YYYY-MM-DD`.
    pub from: String,
    /// The last day, `YYYY-MM-DD`.
    pub to: String,
}

/// The result of matching one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Number of the line in the file.
    pub number: i64,
    /// Its state; [`LineState::Open`] after the first rule if the others have to look.
    pub state: LineState,
    /// `id`, `facts` or `day`.
    pub rule: &'static str,
    /// The reward it belongs to.
    pub reward_id: Option<i64>,
    /// What the line counts in the network's total, in USD.
    pub theirs: Amount,
    /// What its booking counts in our total, in USD.
    pub ours: Amount,
    /// The other statement that counts it.
    pub counted_in: Option<i64>,
}

impl Match {
    fn of(line: &StatementLine, state: LineState, rule: &'static str) -> Self {
        let theirs =
            if line.currency == PAYOUT_CURRENCY { signed(line.kind, line.amount) } else { Amount(0) };
        Self { number: line.number, state, rule, reward_id: None, theirs, ours: Amount(0), counted_in: None }
    }

    /// Another statement counts it, so that it counts nothing here.
    fn elsewhere(
        line: &StatementLine,
        rule: &'static str,
        statement_id: i64,
        reward_id: Option<i64>,
    ) -> Self {
        let found = Self::of(line, LineState::CountedElsewhere, rule);
        Self { theirs: Amount(0), reward_id, counted_in: Some(statement_id), ..found }
    }

    fn with(line: &StatementLine, state: LineState, rule: &'static str, booking: &Booking) -> Self {
        let ours = if state.has_booking() { signed(line.kind, booking.amount(line.kind)) } else { Amount(0) };
        Self { reward_id: Some(booking.reward_id), ours, ..Self::of(line, state, rule) }
    }

    /// Theirs minus ours, in USD.
    pub fn difference(&self) -> Amount {
        self.theirs - self.ours
    }
}

/// Matches `lines` in their order by transaction id and kind.
pub fn by_id(lines: &[StatementLine], known: &mut Bookings, tolerance: Tolerance) -> Vec<Match> {
    lines.iter().map(|line| one_by_id(line, known, tolerance)).collect()
}

fn one_by_id(line: &StatementLine, known: &mut Bookings, tolerance: Tolerance) -> Match {
    const RULE: &str = "id";
    let Some(tx_id) = &line.tx_id else { return Match::of(line, LineState::Open, RULE) };
    if !known.seen.insert((tx_id.clone(), line.kind)) {
        let twice = Match::of(line, LineState::Duplicate, RULE);
        return Match { reward_id: known.by_tx.get(tx_id).map(|booking| booking.reward_id), ..twice };
    }
    if let Some(others) = known.lines_elsewhere.get(&(tx_id.clone(), line.kind)) {
        let reward_id = known.by_tx.get(tx_id).map(|booking| booking.reward_id);
        return match others.iter().find(|other| other.is_same(line)) {
            Some(other) => Match::elsewhere(line, RULE, other.statement_id, reward_id),
            None => Match { reward_id, ..Match::of(line, LineState::Duplicate, RULE) },
        };
    }
    let Some(booking) = known.by_tx.get(tx_id) else { return Match::of(line, LineState::Open, RULE) };
    let booked = match line.kind {
        Kind::Credit => booking.approved,
        Kind::Reversal => booking.approved && booking.reversed,
    };
    if !booked {
        return Match::with(line, LineState::StatusDiffers, RULE, booking);
    }
    // Another statement counts the booking by a line without an id, or in the sum of a day.
    if let Some(other) = known.elsewhere.get(&(booking.reward_id, line.kind)) {
        let is_same = line.currency == PAYOUT_CURRENCY && line.amount == booking.amount(line.kind);
        return if is_same {
            Match::elsewhere(line, RULE, *other, Some(booking.reward_id))
        } else {
            Match::with(line, LineState::Duplicate, RULE, booking)
        };
    }
    if !known.taken.insert((booking.reward_id, line.kind)) {
        return Match::with(line, LineState::Duplicate, RULE, booking);
    }
    let state = if line.currency != PAYOUT_CURRENCY {
        LineState::CurrencyDiffers
    } else if line.amount == booking.amount(line.kind) {
        LineState::Matched
    } else if tolerance.covers(booking.amount(line.kind), line.amount) {
        LineState::MatchedInTolerance
    } else {
        LineState::AmountDiffers
    };
    Match::with(line, state, RULE, booking)
}

/// Matches `lines` that no transaction id decided, in their order, by user, offer, event, amount and time.
pub fn by_facts(
    lines: &[StatementLine],
    known: &mut Bookings,
    tolerance: Tolerance,
    window_ms: i64,
) -> Vec<Match> {
    lines.iter().map(|line| one_by_facts(line, known, tolerance, window_ms)).collect()
}

fn one_by_facts(line: &StatementLine, known: &mut Bookings, tolerance: Tolerance, window_ms: i64) -> Match {
    const RULE: &str = "facts";
    let alone = match line.kind {
        Kind::Credit => LineState::MissingHere,
        Kind::Reversal => LineState::OrphanReversal,
    };
    let of_user = line.user_id.as_ref().and_then(|user| known.by_user.get(user));
    let fits = |booking: &&Booking| {
        let booked = booking.approved && (line.kind == Kind::Credit || booking.reversed);
        // A line of a reversal names the time of the reversal or of the conversion: only credits are held to it.
        let in_time = line.kind == Kind::Reversal
            || line.at.is_none_or(|at| (at.0 - booking.received_at).abs() <= window_ms);
        booked
            && in_time
            && line.currency == PAYOUT_CURRENCY
            && line.offer_id.is_some()
            && line.offer_id == booking.offer_id
            && line.event_id.as_ref().is_none_or(|event| booking.event_id.as_ref() == Some(event))
            && tolerance.covers(booking.amount(line.kind), line.amount)
            && !known.taken.contains(&(booking.reward_id, line.kind))
    };
    let other = |booking: &Booking| known.elsewhere.get(&(booking.reward_id, line.kind)).copied();
    let (candidates, elsewhere): (Vec<&Booking>, Vec<&Booking>) =
        of_user.into_iter().flatten().filter(fits).partition(|booking| other(booking).is_none());
    // Of two equal lines without an id in two statements, the later one adds nothing.
    let same_elsewhere = || {
        let same = |booking: &&&Booking| line.tx_id.is_none() && booking.amount(line.kind) == line.amount;
        let found = elsewhere.iter().find(same)?;
        Some(Match::elsewhere(line, RULE, other(found)?, Some(found.reward_id)))
    };
    let exact: Vec<&Booking> =
        candidates.iter().copied().filter(|booking| booking.amount(line.kind) == line.amount).collect();
    let found = match (exact.as_slice(), candidates.as_slice()) {
        ([booking], _) => Match::with(line, LineState::Matched, RULE, booking),
        ([], [booking]) => Match::with(line, LineState::MatchedInTolerance, RULE, booking),
        ([], []) => match same_elsewhere() {
            Some(found) => found,
            None => return Match::of(line, alone, RULE),
        },
        _ => return Match::of(line, LineState::Ambiguous, RULE),
    };
    known.taken.extend(found.reward_id.map(|reward_id| (reward_id, line.kind)));
    found
}

/// Matches the sum of a day with what was `booked` on it and no other line has.
pub fn by_day(line: &StatementLine, booked: Sum, tolerance: Tolerance) -> Match {
    const RULE: &str = "day";
    let state = if booked.count == 0 {
        match line.kind {
            Kind::Credit => LineState::MissingHere,
            Kind::Reversal => LineState::OrphanReversal,
        }
    } else if line.currency != PAYOUT_CURRENCY {
        LineState::CurrencyDiffers
    } else if line.count.is_some_and(|count| count != booked.count) {
        // As much money of another number of transactions is a coincidence.
        LineState::AmountDiffers
    } else if line.amount == booked.amount {
        LineState::Matched
    } else if tolerance.covers(booked.amount, line.amount) {
        LineState::MatchedInTolerance
    } else {
        LineState::AmountDiffers
    };
    let ours = if state.has_booking() { signed(line.kind, booked.amount) } else { Amount(0) };
    Match { ours, ..Match::of(line, state, RULE) }
}
