//! `rewardgate postbacks`: completes quarantined postbacks or sets them aside, as the web pages do.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::access::Role;
use domain::masked::masked;
use domain::postback::networks::Field;
use domain::time::TimestampMs;
use store::postbacks::quarantine::{Acted, By};
use web::stating::{self, Stating, act_words};

use super::{acting, say};
use crate::EXIT_DONE;
use crate::process::Process;
use crate::roles;

/// What a person does about quarantined postbacks.
#[derive(Debug, Subcommand)]
pub(crate) enum PostbacksCommand {
    /// Show a postback as received, what can be stated, and what was done about it.
    Show {
        /// Postback ID.
        id: i64,
    },
    /// State what is missing or unreadable in a quarantined postback, which is then processed again. Above the limits
    /// of `[review]`, this is a proposal that a second person must confirm.
    State(StateArgs),
    /// Confirm another person's proposal.
    Confirm {
        /// Postback ID.
        id: i64,
        /// Number of the proposal, as printed by `show` and `state`.
        proposal: i64,
        /// Person who confirms; requires the role risk or admin.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Optional note.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Decline a proposal, or withdraw your own.
    Decline {
        /// Postback ID.
        id: i64,
        /// Number of the proposal, as printed by `show` and `state`.
        proposal: i64,
        /// Person who declines; requires the role risk or admin.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Reason.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Set quarantined postbacks aside: they need no attention any more.
    SetAside(AsideArgs),
    /// Quarantine postbacks again that were set aside.
    TakeUp(AsideArgs),
}

/// The fields to state; at least one.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// Postback ID.
    pub(crate) id: i64,
    /// User ID in the app.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) user: String,
    /// Transaction ID of the network.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) tx: String,
    /// Status: credit or reversal.
    #[arg(long, value_name = "STATUS", default_value = "", hide_default_value = true)]
    pub(crate) status: String,
    /// Amount in the user's currency, e.g. 1234.50.
    #[arg(long, value_name = "AMOUNT", default_value = "", hide_default_value = true)]
    pub(crate) reward: String,
    /// Amount in USD, e.g. 1.50.
    #[arg(long, value_name = "AMOUNT", default_value = "", hide_default_value = true)]
    pub(crate) payout: String,
    /// Person who states it; requires the role risk or admin.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) actor: String,
    /// Evidence, e.g. a mail from the network.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Print the result, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Which postbacks, and why.
#[derive(Debug, Args)]
pub(crate) struct AsideArgs {
    /// Postback IDs.
    #[arg(required = true)]
    pub(crate) ids: Vec<i64>,
    /// Person who does this; requires the role risk or admin.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) actor: String,
    /// Reason.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// Runs `command`.
pub(crate) async fn postbacks(process: &Process, command: PostbacksCommand) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    let stating = roles::stating(&process.settings);
    match command {
        PostbacksCommand::Show { id } => show(process, &stating, id).await,
        PostbacksCommand::State(args) => state(process, &stating, args).await,
        PostbacksCommand::Confirm { id, proposal, actor, reason } => {
            let by = by(process, actor, &reason, false).await?;
            stating.confirm(&process.store, id, proposal, by).await?;
            say(&format!("proposal {proposal} is confirmed: postback {id} waits in the inbox again"));
            Ok(EXIT_DONE)
        }
        PostbacksCommand::Decline { id, proposal, actor, reason } => {
            let by = by(process, actor, &reason, true).await?;
            stating::decline(&process.store, id, proposal, by).await?;
            say(&format!("proposal {proposal} is declined: postback {id} stays quarantined"));
            Ok(EXIT_DONE)
        }
        PostbacksCommand::SetAside(args) => {
            let (by, ids) = aside(process, args).await?;
            for id in ids {
                stating::set_aside(&process.store, id, by.clone()).await?;
                say(&format!("postback {id} is set aside"));
            }
            Ok(EXIT_DONE)
        }
        PostbacksCommand::TakeUp(args) => {
            let (by, ids) = aside(process, args).await?;
            for id in ids {
                stating::take_up(&process.store, id, by.clone()).await?;
                say(&format!("postback {id} is quarantined again"));
            }
            Ok(EXIT_DONE)
        }
    }
}

async fn aside(process: &Process, args: AsideArgs) -> anyhow::Result<(By, Vec<i64>)> {
    let AsideArgs { ids, actor, reason } = args;
    Ok((by(process, actor, &reason, true).await?, ids))
}

/// The person who acts. They must exist and have the role: with free names, one person could act as both of two.
async fn by(process: &Process, actor: String, reason: &str, required: bool) -> anyhow::Result<By> {
    let actor = acting::named(process, &actor, Role::may_review, "complete postbacks").await?;
    let reason = stating::reason(reason, required).context("`--reason`")?;
    Ok(By { actor, reason, now: process.clock.now() })
}

async fn state(process: &Process, stating: &Stating, args: StateArgs) -> anyhow::Result<u8> {
    let typed = [
        (Field::UserId, args.user.as_str()),
        (Field::TxId, args.tx.as_str()),
        (Field::Status, args.status.as_str()),
        (Field::Reward, args.reward.as_str()),
        (Field::Payout, args.payout.as_str()),
    ];
    let by = by(process, args.actor, &args.reason, true).await?;
    let look = stating.look(&process.store, args.id, &typed, by.now).await?;
    say(&look.outlook.sentence);
    if args.dry_run {
        let second = if look.needs_second { "; a second person would have to confirm it" } else { "" };
        say(&format!("dry run: nothing was changed{second}"));
        return Ok(EXIT_DONE);
    }
    let id = args.id;
    match stating.state(&process.store, id, &look, by).await? {
        Acted::Proposed(proposal) => say(&format!(
            "saved as proposal {proposal}; another person must confirm it: rewardgate postbacks confirm {id} {proposal} --as NAME"
        )),
        Acted::Confirmed => say(&format!("two people agree: postback {id} waits in the inbox again")),
        _ => say(&format!("postback {id} waits in the inbox again")),
    }
    Ok(EXIT_DONE)
}

async fn show(process: &Process, stating: &Stating, id: i64) -> anyhow::Result<u8> {
    let postback = process.store.postback(id).await?.with_context(|| format!("there is no postback {id}"))?;
    let received = TimestampMs(postback.received_at).rfc3339();
    say(&format!("postback {id} of {}, received {received}: {}", postback.source, postback.outcome));
    if let Some(reason) = &postback.reason {
        say(reason);
    }
    say(&masked(&postback.target));
    if let Some(left_out) = &postback.body_left_out {
        say(left_out);
    }
    if postback.outcome == "quarantined" {
        for gap in stating.gaps(&postback).into_iter().filter(|gap| gap.is_open) {
            say(&format!(
                "can be stated: {:<8} (`{}` was received as: {})",
                gap.name, gap.param, gap.received
            ));
        }
    }
    for act in process.store.quarantine_acts(&[id]).await? {
        let at = TimestampMs(act.acted_at).rfc3339();
        say(&format!("{at} [{}] {} {}: {}", act.id, act.actor, act_words(&act), act.reason));
    }
    Ok(EXIT_DONE)
}
