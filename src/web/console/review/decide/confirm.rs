//! The confirmation page: the exact number of rewards and the payout, before more than one reward is decided.

use askama::Template;
use domain::money::Micros;
use domain::review::decision::Review;
use domain::review::queue::Alone;
use store::review::decisions::{MAX_DECIDED, Wanted};
use store::review::holds::HoldFilter;

use super::{Act, count};
use crate::console::Console;
use crate::console::review::scope::Scope;
use crate::console::shell::answer::{Answered, page as render};
use crate::console::shell::frame::Frame;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{counted, number, priced, span, usd};
use crate::console::shell::visible::filters;

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    frame: Frame,
    verb: &'static str,
    act: String,
    rewards: String,
    users: String,
    /// The effect on users, e.g. `3 users receive 500 coins.`
    consequence: String,
    is_reject: bool,
    payout: String,
    facts: Vec<(&'static str, String)>,
    warnings: Vec<String>,
    scope: Vec<(&'static str, String)>,
    back: String,
    fault: Option<&'static str>,
}

/// Renders the confirmation page.
pub(super) async fn confirm(
    console: &Console,
    viewer: &Viewer,
    act: Act,
    wanted: &[Wanted],
    scope: Scope,
    back: &str,
    fault: Option<&'static str>,
) -> Answered {
    let now = console.clock.now();
    let ids: Vec<i64> = wanted.iter().map(|wanted| wanted.reward_id).collect();
    let newest = ids.iter().copied().max().unwrap_or_default();
    let filter = if act.all {
        HoldFilter { upto_id: Some(newest), ..scope.filter(now) }
    } else {
        HoldFilter { ids: Some(ids), ..HoldFilter::default() }
    };
    let (totals, users) =
        tokio::try_join!(console.store.hold_totals(&filter, now), console.store.hold_users(&filter))?;
    let reward = totals.reward_micros.zip(totals.currency.as_deref());
    let reward = reward.map_or_else(
        || "their rewards in several currencies".into(),
        |(micros, currency)| priced(micros, currency),
    );
    let users = counted(users, "user");
    let consequence = match act.decision {
        Review::Release if users == "1 user" => format!("1 user receives {reward}."),
        Review::Release => format!("{users} receive {reward}."),
        Review::Reject => format!("{users} will not receive {reward}."),
    };
    let mut fields = vec![("back", back.to_owned()), ("shown", wanted.len().to_string())];
    if act.all {
        fields.extend(scope.upto(newest).fields());
    } else {
        fields.extend(wanted.iter().map(|wanted| ("id", format!("{}:{}", wanted.reward_id, wanted.steps))));
    }
    let mut warnings = Vec::new();
    if wanted.len() == MAX_DECIDED {
        warnings.push(format!(
            "At most {} rewards can be decided at once; these are the oldest.",
            number(totals.rewards)
        ));
    }
    let second = &console.terms.second;
    let before = console.store.decided_alone(viewer.name(), act.decision, now).await?;
    let alone = Alone {
        payout: Micros(before.payout.0.saturating_add(totals.payout_micros)),
        rewards: before.rewards.saturating_add(wanted.len()),
    };
    if second.is_needed(Micros(0), false, alone) {
        warnings.push(
            "With your other decisions of the last 24 hours, this exceeds the limit for one person. A second person must \
             agree; your decision is saved as an opinion."
                .into(),
        );
    }
    if console.grace_ms > 0 && act.decision == Review::Release {
        warnings
            .push(format!("You can undo this for {}; apps are notified after that.", span(console.grace_ms)));
    }
    let count = count(wanted.len());
    let mut page = ConfirmPage {
        frame: Frame::load(console, viewer, "/review").await?,
        verb: act.verb(),
        act: format!("{}-{}-now", act.name(), if act.all { "all" } else { "selected" }),
        rewards: counted(count, "reward"),
        users,
        consequence,
        is_reject: act.decision == Review::Reject,
        payout: usd(totals.payout_micros),
        facts: Vec::new(),
        warnings,
        scope: fields,
        back: back.to_owned(),
        fault,
    };
    if totals.rewards != count {
        page.facts.push(("Still held", number(totals.rewards)));
    }
    render(&page)
}
