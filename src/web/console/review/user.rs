//! `/users/{app}/{id}`: one user, with everything they earned and where from.

use std::collections::BTreeMap;

use askama::Template;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, page as render};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, moment, percent, priced, sign, usd};

struct Count {
    name: String,
    rewards: i64,
}

struct Row {
    id: i64,
    sign: &'static str,
    status: String,
    offer: String,
    reward: String,
    payout: String,
    place: String,
    received: Moment,
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    frame: Frame,
    app: String,
    user_id: String,
    since: Option<Moment>,
    balances: Vec<String>,
    statuses: Vec<(&'static str, String, String, String)>,
    reversal_rate: String,
    countries: Vec<Count>,
    addresses: Vec<Count>,
    rewards: Vec<Row>,
}

/// The page of a user.
pub(crate) fn link(app: &str, user_id: &str) -> String {
    let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("/users/{}/{}", part(app), part(user_id))
}

/// `GET /users/{id}`: the user of the app that knows one of this id; of several, nobody guesses.
pub(crate) async fn of_any_app(console: &Console, viewer: &Viewer, user_id: &str) -> Answered {
    let mut known = Vec::new();
    for app in &console.apps {
        if !console.store.user_statuses(app, user_id).await?.is_empty() {
            known.push(app);
        }
    }
    match known.as_slice() {
        [app] => page(console, viewer, app, user_id).await,
        [] => Ok(unknown(viewer)),
        several => {
            let pages: Vec<String> = several.iter().map(|app| link(app, user_id)).collect();
            let words = format!(
                "User IDs belong to an app, and several apps have a user with this ID. Open one of: {}.",
                pages.join(", ")
            );
            Ok(refusal(viewer, 404, "Several users found", &words))
        }
    }
}

fn unknown(viewer: &Viewer) -> Answer {
    refusal(viewer, 404, "User not found", "No reward was received for this user.")
}

/// `GET /users/{app}/{id}`
pub(crate) async fn page(console: &Console, viewer: &Viewer, app: &str, user_id: &str) -> Answered {
    let now = console.clock.now();
    let store = console.store.at_one_moment().await?;
    let (statuses, rows, balances) = tokio::try_join!(
        store.user_statuses(app, user_id),
        store.user_rewards(app, user_id),
        store.balances(app, user_id),
    )?;
    drop(store);
    if statuses.is_empty() {
        return Ok(unknown(viewer));
    }
    let of = |status: &str| statuses.iter().find(|it| it.status == status).map_or(0, |it| it.rewards);
    let all: i64 = statuses.iter().map(|it| it.rewards).sum();
    let counted = |values: Vec<Option<String>>| {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for value in values.into_iter().flatten() {
            *counts.entry(value).or_insert(0) += 1;
        }
        let mut counts: Vec<Count> =
            counts.into_iter().map(|(name, rewards)| Count { name, rewards }).collect();
        counts.sort_by_key(|count| -count.rewards);
        counts.truncate(12);
        counts
    };
    let page = UserPage {
        frame: Frame::load(console, viewer, "/rewards").await?,
        app: app.to_owned(),
        user_id: user_id.to_owned(),
        since: statuses.iter().map(|it| it.first_at).min().map(|at| moment(at, now)),
        balances: balances.iter().map(|row| priced(row.balance_micros, &row.currency)).collect(),
        statuses: statuses
            .iter()
            .map(|it| {
                (
                    sign(&it.status),
                    it.status.clone(),
                    crate::console::shell::show::counted(it.rewards, "reward"),
                    usd(it.payout_micros),
                )
            })
            .collect(),
        reversal_rate: percent(of("reversed"), all),
        countries: counted(rows.iter().map(|row| row.country_code.clone()).collect()),
        addresses: counted(rows.iter().map(|row| row.ip.clone()).collect()),
        rewards: rows
            .into_iter()
            .map(|row| Row {
                id: row.id,
                sign: sign(&row.status),
                offer: row.offer_name.unwrap_or_else(|| "no offer".into()),
                reward: priced(row.reward_micros.unwrap_or_default(), &row.currency),
                payout: usd(row.payout_micros.unwrap_or_default()),
                place: row.country_code.unwrap_or_default(),
                received: moment(row.received_at, now),
                status: row.status,
            })
            .collect(),
    };
    render(&page)
}
