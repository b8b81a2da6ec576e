//! `rewardgate postbacks`: finishes what is quarantined, as the pages do it.

use anyhow::Context as _;
use domain::access::Role;
use domain::masked::masked;
use domain::postback::network::Field;
use domain::time::TimestampMs;
use store::postbacks::quarantine::{Acted, By};
use web::stating::{self, Stating, act_words};

use super::{acting, say};
use crate::EXIT_DONE;
use crate::cli::{AsideArgs, PostbacksCommand, StateArgs};
use crate::roles::{self, Process};

/// Does what `command` says.
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

/// Who acts: somebody who could do the same on the pages, or one person could be both of four eyes under a name that nobody
/// has.
async fn by(process: &Process, actor: String, reason: &str, required: bool) -> anyhow::Result<By> {
    let actor = acting::named(process, &actor, Role::may_review, "state what is missing").await?;
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
        let second = if look.needs_second { " after a second person agrees" } else { "" };
        say(&format!("nothing was changed; this would happen{second}"));
        return Ok(EXIT_DONE);
    }
    let id = args.id;
    match stating.state(&process.store, id, &look, by).await? {
        Acted::Proposed(proposal) => say(&format!(
            "kept as proposal {proposal}: another person must agree: rewardgate postbacks confirm {id} {proposal} --as NAME"
        )),
        Acted::Confirmed => say(&format!("both agree: postback {id} waits in the inbox again")),
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
