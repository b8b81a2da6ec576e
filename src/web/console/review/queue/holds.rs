//! The held rewards of one cluster, as the list shows them.

use domain::money::Micros;
use domain::time::TimestampMs;
use store::review::holds::{HoldFilter, HoldPlace, HoldRow};

use super::{Chip, PAGE};
use crate::console::Console;
use crate::console::review::scope::Scope;
use crate::console::shell::answer::PageError;
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, Timer, moment, priced, rule_name, short, timer, usd};

pub(super) struct HoldView {
    pub(super) id: i64,
    pub(super) steps: i64,
    pub(super) link: String,
    pub(super) offer: String,
    pub(super) user: String,
    pub(super) user_id: String,
    pub(super) reward: String,
    pub(super) payout: String,
    pub(super) payout_micros: i64,
    pub(super) received: Moment,
    pub(super) timer: Timer,
    pub(super) chips: Vec<Chip>,
    pub(super) claimed: String,
    pub(super) waits_for_second: bool,
    pub(super) open: bool,
}

/// One page of held rewards, and the link to the next page; empty on the last page.
pub(super) async fn rows(
    console: &Console,
    scope: &Scope,
    filter: &HoldFilter,
    request: &Request,
    is_open: bool,
    now: TimestampMs,
) -> Result<(Vec<HoldRow>, String), PageError> {
    let after = request.query("after").filter(|_| is_open).and_then(|after| {
        let (sort_value, reward_id) = after.split_once(',')?;
        Some(HoldPlace { sort_value: sort_value.parse().ok()?, reward_id: reward_id.parse().ok()? })
    });
    let rows = console.store.holds(filter, scope.sort(), after, now, PAGE).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
    let next = rows.last().filter(|_| full).map_or_else(String::new, |last| {
        scope.url(&[("after", format!("{},{}", last.sort_value, last.reward_id))])
    });
    Ok((rows, next))
}

pub(super) fn hold_view(
    scope: &Scope,
    page: &[(&'static str, String)],
    row: HoldRow,
    open: Option<i64>,
    console: &Console,
    viewer: &Viewer,
    now: TimestampMs,
) -> HoldView {
    let mut link = page.to_vec();
    link.push(("open", row.reward_id.to_string()));
    let due_at = console.terms.due_at(TimestampMs(row.received_at), Micros(row.payout_micros));
    let codes = row.fired.split(' ').filter(|code| !code.is_empty());
    HoldView {
        id: row.reward_id,
        steps: row.steps,
        link: scope.url(&link),
        offer: if row.offer_name.is_empty() { format!("offer {}", row.offer_id) } else { row.offer_name },
        user: short(&row.user_id),
        user_id: row.user_id,
        reward: priced(row.reward_micros, &row.currency),
        payout: usd(row.payout_micros),
        payout_micros: row.payout_micros,
        received: moment(row.received_at, now),
        timer: timer(due_at.0, now),
        chips: codes
            .enumerate()
            .map(|(place, code)| Chip { text: rule_name(code).to_owned(), strong: place == 0 })
            .collect(),
        claimed: row.claimed_by.filter(|person| person != viewer.name()).unwrap_or_default(),
        waits_for_second: row.opinions > 0,
        open: open == Some(row.reward_id),
    }
}
