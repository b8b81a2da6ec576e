//! `rewardgate baseline`: what is normal for each offer.

use clap::{Args, Subcommand};
use domain::baseline::shares::OddShare;
use domain::baseline::{Baseline, Figures, LEAST_SETTLED, LOCATED_DAYS, OfferNormal, SourceNormal};
use domain::money::Micros;
use domain::text::{count, duration};
use domain::time::TimestampMs;
use jobs::baselines::make;

use super::progress::Progress;
use super::{say, say_raw};
use crate::process::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// What to do with baselines.
#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Draw what is normal from the completions of the last 60 days. Done every night by itself.
    Make,
    /// Print what is normal, as of the newest baseline. Exit code 1 if nothing is known.
    Show(ShowArgs),
}

/// Which offers to show.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Only this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only this offer.
    #[arg(long, value_name = "ID")]
    offer: Option<String>,
    /// Only this event.
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// Print JSON, one object per line.
    #[arg(long)]
    json: bool,
}

/// Makes a baseline or prints the newest.
pub(crate) async fn baseline(process: &Process, command: BaselineCommand) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    match command {
        BaselineCommand::Make => make_now(process).await,
        BaselineCommand::Show(args) => show(process, &args).await,
    }
}

async fn make_now(process: &Process) -> anyhow::Result<u8> {
    let progress = Progress::of("reading completions", None);
    let terms = process.settings.policy.baseline;
    let on_read = |more| progress.advance(more);
    let made = make(&process.store, terms, process.clock.now(), &process.stop, on_read).await?;
    drop(progress);
    let Some(made) = made else { return Ok(EXIT_FAILED) };
    let offers = made.baseline.offers();
    let enough = offers.iter().filter(|offer| offer.n >= LEAST_SETTLED).count();
    let news = if made.is_new { "" } else { ", the same as before" };
    say(&format!(
        "baseline {}{news}: {} of {}, {} with {LEAST_SETTLED} or more; workers use it within a minute",
        made.baseline.version(),
        count(made.completions, "completion"),
        count(as_u64(offers.len()), "offer"),
        enough,
    ));
    Ok(EXIT_DONE)
}

async fn show(process: &Process, args: &ShowArgs) -> anyhow::Result<u8> {
    let Some(row) = process.store.newest_baseline("").await? else {
        say("there is no baseline yet: make one with `rewardgate baseline make`");
        return Ok(EXIT_FAILED);
    };
    let baseline = Baseline::parse(&row.content)?;
    let is_wanted = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|it| it == found);
    let offers: Vec<&OfferNormal> = baseline
        .offers()
        .iter()
        .filter(|offer| is_wanted(&args.source, &offer.source))
        .filter(|offer| is_wanted(&args.offer, &offer.offer_id) && is_wanted(&args.event, &offer.event_id))
        .collect();
    let is_of_one_offer = args.offer.is_some() || args.event.is_some();
    let sources = baseline.sources().iter();
    let sources: Vec<&SourceNormal> =
        sources.filter(|it| !is_of_one_offer && is_wanted(&args.source, &it.source)).collect();
    let odd: Vec<&OddShare> = baseline
        .odd_shares()
        .iter()
        .filter(|share| is_wanted(&args.source, &share.source) && is_wanted(&args.offer, &share.offer_id))
        .filter(|_| args.event.is_none())
        .collect();
    if args.json {
        for source in &sources {
            say_raw(&serde_json::to_string(source)?);
        }
        for offer in &offers {
            say_raw(&serde_json::to_string(offer)?);
        }
        for share in &odd {
            say_raw(&serde_json::to_string(share)?);
        }
    } else {
        say(&format!("baseline {}, made {}", baseline.version(), TimestampMs(row.made_at).rfc3339()));
        for source in &sources {
            say(&source_line(source));
        }
        for offer in &offers {
            say(&offer_line(offer));
        }
        for share in &odd {
            say(&odd_line(share));
        }
    }
    if offers.is_empty() && sources.is_empty() {
        if !args.json {
            say("nothing is known of that: it has no completions that count");
        }
        return Ok(EXIT_FAILED);
    }
    Ok(EXIT_DONE)
}

fn source_line(source: &SourceNormal) -> String {
    let located = match source.located {
        0 => "no countries to compare".to_owned(),
        located => format!(
            "{} of {located} addresses in another country than reported (last {LOCATED_DAYS} days)",
            source.mismatched
        ),
    };
    let SourceNormal { source, n, provisional, times, .. } = source;
    format!("{source}, all offers: {}; {located}", known(*n, *provisional, times.as_ref()))
}

fn offer_line(offer: &OfferNormal) -> String {
    let event = match (offer.any_event, offer.event_id.as_str()) {
        (true, _) => " all events".to_owned(),
        (false, "") => String::new(),
        (false, event_id) => format!(" event {event_id}"),
    };
    let known = known(offer.n, offer.provisional, offer.times.as_ref());
    let ratio = offer.ratio.map_or_else(String::new, |ratio| {
        let share = ratio.near_permille / 10;
        format!("; {} per USD ({share} % within 5 %)", Micros(ratio.micros))
    });
    let gap = offer.gap.map_or_else(String::new, |gap| {
        format!("; 1 % of {} steps come within {} of the step before", gap.n, duration(gap.shortest_ms))
    });
    format!("{} offer {}{event}: {known}{ratio}{gap}", offer.source, offer.offer_id)
}

fn odd_line(share: &OddShare) -> String {
    let OddShare { source, sub_id, offer_id, oddity } = share;
    let named = |what: &str, id: &str| if id.is_empty() { String::new() } else { format!(" {what} {id}") };
    let of = format!("{source}{}{}", named("sub id", sub_id), named("offer", offer_id));
    format!(
        "{of} stands out: {}; {}",
        count(oddity.n.unsigned_abs(), "completion"),
        oddity.sentences().join("; ")
    )
}

/// The number of completions and their times.
fn known(n: i64, is_provisional: bool, times: Option<&Figures>) -> String {
    let which = if is_provisional { "completions (provisional)" } else { "settled completions" };
    let Some(times) = times.filter(|_| n >= LEAST_SETTLED) else {
        return format!("insufficient data: {n} of {LEAST_SETTLED} {which}");
    };
    let [one, five, _, half, _, most] = times.took_ms.map(duration);
    format!(
        "{n} {which}; half took {half} or less, 5 % {five}, 1 % {one}, 95 % {most}; deviation {} (faster half {})",
        nats(times.spread_millinats),
        nats(times.lower_millinats)
    )
}

/// Milli-nats with two decimals.
fn nats(millinats: i64) -> String {
    format!("{}.{:02}", millinats / 1_000, millinats % 1_000 / 10)
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
