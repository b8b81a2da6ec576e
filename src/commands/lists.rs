//! `rewardgate lists`: users, networks, sub ids and offers to block, watch or trust.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::access::Role;
use domain::actor::Actor;
use domain::lists::entry::{Draft, Key, Known, NewEntry};
use domain::lists::file::{self, MAX_FILE_BYTES};
use domain::lists::{Effect, Kind, imported, too_many};
use domain::text::{count, sha256};
use domain::time::TimestampMs;
use store::lists::ListRow;
use store::lists::change::{ListAdded, ListRemoved};
use store::lists::rows::{ListFilter, ListState};

use super::acting::{self, command_line};
use super::{bad_usage, say, say_raw};
use crate::process::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Changing and showing the lists.
#[derive(Debug, Subcommand)]
pub(crate) enum ListsCommand {
    /// Add an entry. One of the same kind, value, source and app is replaced.
    Add(AddArgs),
    /// Remove an entry: it no longer decides, and stays visible as removed.
    Remove {
        /// Number of the entry, as `lists show` prints it.
        id: i64,
        /// Person who removes it; requires the role risk or admin. Default: the command line.
        #[arg(long = "as", value_name = "NAME")]
        actor: Option<String>,
    },
    /// Add the entries of a CSV file, all or none. Its heading names the columns: kind, value, effect, reason, and if
    /// wanted source, app, expires.
    Import {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// Only check the file; nothing is changed.
        #[arg(long)]
        dry_run: bool,
        /// Person who imports it; requires the role risk or admin. Default: the command line.
        #[arg(long = "as", value_name = "NAME")]
        actor: Option<String>,
    },
    /// Show entries, newest first.
    Show(ShowArgs),
}

/// An entry to add.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Kind: user, address (also a network such as 203.0.113.0/24), asn, `sub_id` or offer.
    kind: String,
    /// The user's ID, the address or network, the number of the network, the sub ID or the offer's ID.
    value: String,
    /// Effect: block (hold every reward), watch (add points) or trust (take points off).
    #[arg(long)]
    effect: String,
    /// Reason, shown with every verdict that the entry takes part in.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Source of a sub ID or an offer.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    source: String,
    /// Only rewards of this app. Default: of every app.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    app: String,
    /// End: a number of days such as 30d, a date or an RFC 3339 time. Default: none.
    #[arg(long, value_name = "WHEN", default_value = "", hide_default_value = true)]
    expires: String,
    /// Person who adds it; requires the role risk or admin. Default: the command line.
    #[arg(long = "as", value_name = "NAME")]
    actor: Option<String>,
}

/// Which entries to show.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Only this kind.
    #[arg(long)]
    kind: Option<String>,
    /// Only this effect.
    #[arg(long)]
    effect: Option<String>,
    /// Only this value; an address in any form.
    #[arg(long)]
    value: Option<String>,
    /// Only entries for this app alone.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// State: `in_force`, ended (removed, replaced or expired) or all.
    #[arg(long, default_value = "in_force")]
    state: String,
    /// Maximum number of entries.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    limit: i64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Entries that are read from the database at once.
const PAGE_ROWS: i64 = 500;

/// Runs `command`.
pub(crate) async fn lists(process: &Process, command: ListsCommand) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    match command {
        ListsCommand::Add(args) => add(process, &args).await,
        ListsCommand::Remove { id, actor } => remove(process, id, actor.as_deref()).await,
        ListsCommand::Import { file, dry_run, actor } => {
            import(process, &file, dry_run, actor.as_deref()).await
        }
        ListsCommand::Show(args) => show(process, &args).await,
    }
}

fn known(process: &Process) -> Known {
    let settings = &process.settings;
    Known {
        sources: settings.sources.iter().map(|source| source.name.clone()).collect(),
        apps: settings.apps.iter().cloned().collect(),
        zone: settings.timezone,
    }
}

async fn actor(process: &Process, name: Option<&str>) -> anyhow::Result<Actor> {
    match name {
        Some(name) => acting::named(process, name, Role::may_review, "change lists").await,
        None => Ok(command_line()),
    }
}

async fn add(process: &Process, args: &AddArgs) -> anyhow::Result<u8> {
    let draft = Draft {
        kind: &args.kind,
        value: &args.value,
        effect: &args.effect,
        reason: &args.reason,
        source: &args.source,
        app: &args.app,
        expires: &args.expires,
    };
    let now = process.clock.now();
    let entry = NewEntry::read(&draft, &known(process), now).map_err(|bad| bad_usage(bad.to_string()))?;
    let actor = actor(process, args.actor.as_deref()).await?;
    let shown = format!("{} is {}", entry.key, entry.effect.participle());
    match process.store.add_list_entry(entry, actor, now).await? {
        ListAdded::Done { ids, replaced } => {
            let id = ids.first().copied().unwrap_or_default();
            let instead = if replaced > 0 { "; it replaces the entry before" } else { "" };
            say(&format!("entry {id}: {shown} within two seconds{instead}"));
            Ok(EXIT_DONE)
        }
        ListAdded::TooMany { in_force } => Err(anyhow::anyhow!(too_many(in_force))),
    }
}

async fn remove(process: &Process, id: i64, name: Option<&str>) -> anyhow::Result<u8> {
    let actor = actor(process, name).await?;
    match process.store.remove_list_entry(id, actor, process.clock.now()).await? {
        ListRemoved::Done => {
            say(&format!("entry {id} is removed"));
            Ok(EXIT_DONE)
        }
        ListRemoved::Already => anyhow::bail!("entry {id} was removed or replaced before"),
        ListRemoved::NotFound => {
            anyhow::bail!("there is no entry {id}; `rewardgate lists show` lists those in force")
        }
    }
}

async fn import(process: &Process, path: &Path, dry_run: bool, name: Option<&str>) -> anyhow::Result<u8> {
    let bytes = read(path)?;
    let now = process.clock.now();
    let entries = match file::read(&bytes, &known(process), now) {
        Ok(entries) => entries,
        Err(faults) => {
            for fault in faults {
                eprintln!("{}: {}", path.display(), domain::text::visible(&fault));
            }
            eprintln!("nothing was imported");
            return Ok(EXIT_FAILED);
        }
    };
    let number = entries.len();
    if dry_run {
        let number = count(u64::try_from(number).unwrap_or(u64::MAX), "entry");
        say(&format!("{number} can be imported; nothing was changed"));
        return Ok(EXIT_DONE);
    }
    let actor = actor(process, name).await?;
    match process.store.import_list_entries(entries, sha256(&bytes), actor, now).await? {
        ListAdded::Done { replaced, .. } => {
            say(&imported(number, replaced));
            Ok(EXIT_DONE)
        }
        ListAdded::TooMany { in_force } => Err(anyhow::anyhow!(too_many(in_force))),
    }
}

/// The file, up to one byte more than is read: a longer one is refused by its length.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let what = || format!("{} cannot be read", path.display());
    if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).with_context(what)?;
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(most).read_to_end(&mut bytes))
            .with_context(what)?;
    }
    Ok(bytes)
}

fn filter(process: &Process, args: &ShowArgs) -> anyhow::Result<ListFilter> {
    let wrong = |key: &str, names: &str| bad_usage(format!("`--{key}` must be {names}"));
    let kind = args
        .kind
        .as_deref()
        .map(|name| Kind::parse(name).ok_or_else(|| wrong("kind", "user, address, asn, sub_id or offer")));
    let effect = args.effect.as_deref();
    let effect =
        effect.map(|name| Effect::parse(name).ok_or_else(|| wrong("effect", "block, watch or trust")));
    let state = ListState::parse(&args.state).ok_or_else(|| wrong("state", "in_force, ended or all"))?;
    if let Some(app) = args.app.as_ref().filter(|app| !process.settings.apps.contains(*app)) {
        return Err(bad_usage(format!("`--app`: there is no app `{app}` in the settings")));
    }
    let kind = kind.transpose()?;
    let value = args.value.as_deref().map(|value| Key::searched(kind, value));
    Ok(ListFilter { kind, effect: effect.transpose()?, value, app: args.app.clone(), state, before: None })
}

async fn show(process: &Process, args: &ShowArgs) -> anyhow::Result<u8> {
    let mut filter = filter(process, args)?;
    let now = process.clock.now();
    let (mut left, mut shown) = (args.limit, 0);
    while left > 0 {
        let wanted = left.min(PAGE_ROWS);
        let page = process.store.list_entries(&filter, now, wanted).await?;
        let Some(last) = page.last() else { break };
        filter.before = Some(last.id);
        left -= wanted;
        shown += page.len();
        for row in &page {
            if args.json {
                say_raw(&as_json(row, now).to_string());
            } else {
                say(&line(row, now));
            }
        }
    }
    if shown == 0 && !args.json {
        say("no entries match; `rewardgate lists add --help` shows how to add one");
    }
    Ok(EXIT_DONE)
}

fn line(row: &ListRow, now: TimestampMs) -> String {
    let of = if row.source.is_empty() { String::new() } else { format!(" of {}", row.source) };
    let app = if row.app.is_empty() { String::new() } else { format!(" (app {})", row.app) };
    format!(
        "{:>8}  {:<5}  {:<7} {}{of}{app}  {}  by {}: {}",
        row.id,
        row.effect,
        row.kind,
        row.value,
        state(row, now),
        row.author,
        row.reason
    )
}

fn state(row: &ListRow, now: TimestampMs) -> String {
    let at = |at: i64| TimestampMs(at).rfc3339();
    match (row.removed_at, row.expires_at) {
        (Some(removed_at), _) => {
            format!("removed {} by {}", at(removed_at), row.removed_by.as_deref().unwrap_or_default())
        }
        (None, Some(expires_at)) if expires_at <= now.0 => format!("expired {}", at(expires_at)),
        (None, Some(expires_at)) => format!("until {}", at(expires_at)),
        (None, None) => "without end".to_owned(),
    }
}

fn as_json(row: &ListRow, now: TimestampMs) -> serde_json::Value {
    let at = |at: Option<i64>| at.map(|at| TimestampMs(at).rfc3339());
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    serde_json::json!({
        "id": row.id,
        "kind": row.kind,
        "source": filled(&row.source),
        "value": row.value,
        "app": filled(&row.app),
        "effect": row.effect,
        "author": row.author,
        "reason": row.reason,
        "created_at": at(Some(row.created_at)),
        "expires_at": at(row.expires_at),
        "removed_at": at(row.removed_at),
        "removed_by": row.removed_by,
        "in_force": row.is_in_force(now),
    })
}
