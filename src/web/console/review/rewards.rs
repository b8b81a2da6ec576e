//! `/rewards`: every reward, newest first, with filters in the URL.

use askama::Template;
use domain::reward::Status;
use domain::time::TimestampMs;
use store::rewards::list::{Place, RewardFilter};

use crate::console::Console;
use crate::console::shell::answer::{Answered, page as render};
use crate::console::shell::frame::Frame;
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, moment, priced, short, sign, usd};
use crate::console::shell::visible::filters;

const PAGE: i64 = 50;

struct Row {
    id: i64,
    sign: &'static str,
    status: String,
    offer: String,
    user: String,
    user_id: String,
    user_link: String,
    tx: String,
    tx_id: String,
    source: String,
    reward: String,
    payout: String,
    received: Moment,
}

#[derive(Template)]
#[template(path = "rewards.html")]
struct RewardsPage {
    frame: Frame,
    rows: Vec<Row>,
    statuses: Vec<(&'static str, bool)>,
    sources: Vec<(String, bool)>,
    user_id: String,
    tx_id: String,
    is_set: bool,
    next: String,
}

/// `GET /rewards`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    let now = console.clock.now();
    let after = request.query("after").and_then(|after| {
        let (received_at, id) = after.split_once(',')?;
        Some(Place { received_at: TimestampMs(received_at.parse().ok()?), id: id.parse().ok()? })
    });
    let text = |name: &str| request.query(name).map(str::to_owned);
    let filter = RewardFilter {
        status: request.query("status").and_then(Status::parse),
        source: text("source"),
        user_id: text("user"),
        tx_id: text("tx"),
        after,
        ..RewardFilter::default()
    };
    let rows = console.store.rewards(&filter, PAGE).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
    let next = rows.last().filter(|_| full).map_or_else(String::new, |last| {
        crate::console::shell::said::with(
            &request.target,
            &[("after", format!("{},{}", last.received_at, last.id))],
        )
    });
    let page = RewardsPage {
        frame: Frame::load(console, viewer, "/rewards").await?,
        statuses: Status::ALL
            .into_iter()
            .map(|status| (status.name(), filter.status == Some(status)))
            .collect(),
        sources: console
            .ingest
            .sources
            .keys()
            .map(|source| (source.clone(), filter.source.as_ref() == Some(source)))
            .collect(),
        user_id: filter.user_id.clone().unwrap_or_default(),
        tx_id: filter.tx_id.clone().unwrap_or_default(),
        is_set: filter.status.is_some()
            || filter.source.is_some()
            || filter.user_id.is_some()
            || filter.tx_id.is_some(),
        rows: rows
            .into_iter()
            .map(|row| Row {
                id: row.id,
                sign: sign(&row.status),
                offer: row.offer_name.or(row.offer_id).unwrap_or_default(),
                user: short(&row.user_id),
                user_link: crate::console::review::user::link(&row.app, &row.user_id),
                tx: short(&row.tx_id),
                reward: priced(row.reward_micros.unwrap_or_default(), &row.currency),
                payout: usd(row.payout_micros.unwrap_or_default()),
                received: moment(row.received_at, now),
                status: row.status,
                user_id: row.user_id,
                tx_id: row.tx_id,
                source: row.source,
            })
            .collect(),
        next,
    };
    render(&page)
}
