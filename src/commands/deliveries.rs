//! `rewardgate deliveries`: lists deliveries, sends them again, gives them up, and enables a disabled app.

use clap::{Args, Subcommand};
use domain::access::Role;
use domain::delivery::Status;
use domain::review::decision::MAX_NOTE_LEN;
use domain::text::count;
use domain::time::TimestampMs;
use store::deliveries::giving_up::{GiveUp, GivenUp};
use store::deliveries::list::{DeliveryFilter, DeliveryRow};
use store::deliveries::resend::{ResendFilter, Resendable, Resent};
use store::rewards::list::Place;

use super::progress::during;
use super::{acting, say, time};
use crate::process::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Looking at deliveries, and intervening.
#[derive(Debug, Subcommand)]
pub(crate) enum DeliveriesCommand {
    /// List deliveries, newest first.
    List {
        #[command(flatten)]
        filter: DeliveryArgs,
        /// Maximum number of rows.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
        limit: i64,
    },
    /// Send failed deliveries again: one, or all that match the filter. Can be stopped and run again at any time.
    Resend {
        /// Delivery ID.
        #[arg(required_unless_present = "DeliveryArgs", conflicts_with = "DeliveryArgs")]
        id: Option<i64>,
        #[command(flatten)]
        filter: DeliveryArgs,
    },
    /// Give one delivery up: it is not sent any more, and the next one of its reward follows.
    GiveUp {
        /// Delivery ID.
        id: i64,
        /// Person who gives it up.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Reason, recorded in the audit.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Enable an app that was disabled because it answered 410 for several users in a row.
    Enable {
        /// App name.
        app: String,
    },
}

/// Which deliveries.
#[derive(Debug, Args)]
pub(crate) struct DeliveryArgs {
    /// App name.
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    /// Status: waiting, behind, delivered, failed, `given_up` or withdrawn. Only failed and delivered can be sent again.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Created at or after this time: RFC 3339, or a date in the time zone of the settings.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Created before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Completed at or before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) ended_by: Option<String>,
}

/// Deliveries that are read from the database at once.
const PAGE_ROWS: i64 = 500;

/// Runs `command`.
pub(crate) async fn deliveries(process: &Process, command: DeliveriesCommand) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    match command {
        DeliveriesCommand::List { filter, limit } => list(process, &filter, limit).await,
        DeliveriesCommand::Resend { id: Some(id), .. } => resend_one(process, id).await,
        DeliveriesCommand::Resend { filter, .. } => resend(process, &filter).await,
        DeliveriesCommand::GiveUp { id, actor, reason } => give_up(process, id, actor, &reason).await,
        DeliveriesCommand::Enable { app } => enable(process, app).await,
    }
}

async fn list(process: &Process, args: &DeliveryArgs, limit: i64) -> anyhow::Result<u8> {
    let (mut left, mut after) = (limit, None);
    while left > 0 {
        let filter = DeliveryFilter {
            app: app(process, args)?,
            status: status(args)?,
            from: time(process, "from", args.from.as_ref())?,
            to: time(process, "to", args.to.as_ref())?,
            after,
        };
        let wanted = left.min(PAGE_ROWS);
        let page = process.store.deliveries(&filter, wanted).await?;
        for row in &page {
            say(&line(row));
        }
        let Some(last) = page.last() else { break };
        after = Some(Place { received_at: TimestampMs(last.born_at), id: last.id });
        left -= wanted;
    }
    Ok(EXIT_DONE)
}

fn line(row: &DeliveryRow) -> String {
    format!(
        "{:>10}  {}  {:<10} {:<9} {:<9}  reward {} user {}, {}{}",
        row.id,
        TimestampMs(row.born_at).rfc3339(),
        row.app,
        row.event,
        row.status,
        row.reward_id,
        row.user_id,
        count(row.lease_count.unsigned_abs(), "attempt"),
        given_up(row),
    )
}

/// Who gave the delivery up and why; empty if nobody did.
fn given_up(row: &DeliveryRow) -> String {
    match (&row.given_up_by, &row.given_up_why) {
        (Some(by), Some(why)) => format!(", by {by}: {why}"),
        _ => String::new(),
    }
}

async fn give_up(process: &Process, id: i64, actor: String, reason: &str) -> anyhow::Result<u8> {
    let reason = reason.trim().to_owned();
    let actor = acting::named(process, &actor, Role::may_review, "give deliveries up").await?;
    anyhow::ensure!(
        !reason.is_empty() && reason.len() <= MAX_NOTE_LEN,
        "`--reason` must not be empty and have at most {MAX_NOTE_LEN} bytes"
    );
    match process.store.give_up(GiveUp { id, actor, reason, now: process.clock.now() }).await? {
        GivenUp::Done => {
            say(&format!("delivery {id} is given up: it is not sent any more"));
            Ok(EXIT_DONE)
        }
        GivenUp::NotFound => anyhow::bail!("there is no delivery {id}"),
        GivenUp::InHand => {
            say(&format!("delivery {id} is being sent at this moment: try again when its attempt has ended"));
            Ok(EXIT_FAILED)
        }
        GivenUp::NotPossible(status) => {
            say(&format!("delivery {id} is {}: nothing to give up", status.name()));
            Ok(EXIT_FAILED)
        }
    }
}

async fn resend_one(process: &Process, id: i64) -> anyhow::Result<u8> {
    match process.store.resend(id, acting::command_line(), process.clock.now()).await? {
        Resent::Done => {
            say(&format!("delivery {id} is sent again"));
            Ok(EXIT_DONE)
        }
        Resent::NotFound => anyhow::bail!("there is no delivery {id}"),
        Resent::NotPossible(status) => {
            say(&format!("delivery {id} is {}: nothing to send again", status.name()));
            Ok(EXIT_FAILED)
        }
    }
}

/// In steps, so that it can be stopped at any time and run again.
async fn resend(process: &Process, args: &DeliveryArgs) -> anyhow::Result<u8> {
    let now = process.clock.now();
    let resendable = status(args)?.map(|status| {
        Resendable::of(status).ok_or_else(|| anyhow::anyhow!("`--status` must be failed or delivered"))
    });
    let filter = ResendFilter {
        app: app(process, args)?,
        status: resendable.transpose()?.unwrap_or_default(),
        from: time(process, "from", args.from.as_ref())?,
        to: time(process, "to", args.to.as_ref())?,
        ended_by: time(process, "ended-by", args.ended_by.as_ref())?.unwrap_or(now),
    };
    let order = process.store.resend_many(filter.clone(), None, None, acting::command_line(), now);
    let resent = during("sending again", order).await?.deliveries;
    let again = match filter.status {
        Resendable::Failed => String::new(),
        Resendable::Delivered => {
            format!(
                " (to repeat this without sending any of them twice: --ended-by {})",
                filter.ended_by.rfc3339()
            )
        }
    };
    say(&format!(
        "{}{again}",
        if resent == 1 {
            "1 delivery is sent again".into()
        } else {
            format!("{resent} deliveries are sent again")
        }
    ));
    Ok(EXIT_DONE)
}

async fn enable(process: &Process, app: String) -> anyhow::Result<u8> {
    anyhow::ensure!(process.settings.apps.contains(&app), "`{app}` is not in [[apps]]");
    let enabled = process.store.enable_app(app.clone(), acting::command_line(), process.clock.now()).await?;
    say(&format!("{app} {}", if enabled { "is enabled" } else { "was not disabled" }));
    let backlog = process.store.backlog().await?;
    if let Some(failed) = backlog.iter().find(|one| one.app == app && one.status == Status::Failed.name()) {
        say(&format!(
            "{} failed before; send them again with `rewardgate deliveries resend --app {app}`, or give them up one by one",
            count(failed.deliveries.unsigned_abs(), "delivery")
        ));
    }
    Ok(EXIT_DONE)
}

fn app(process: &Process, args: &DeliveryArgs) -> anyhow::Result<Option<String>> {
    if let Some(app) = &args.app {
        anyhow::ensure!(process.settings.apps.contains(app), "`--app`: `{app}` is not in [[apps]]");
    }
    Ok(args.app.clone())
}

fn status(args: &DeliveryArgs) -> anyhow::Result<Option<Status>> {
    let what = "`--status` must be waiting, behind, delivered, failed, given_up or withdrawn";
    args.status.as_deref().map(|name| Status::parse(name).ok_or_else(|| anyhow::anyhow!(what))).transpose()
}
