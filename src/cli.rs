//! The subcommands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::access::Role;

use crate::commands::sandbox::SandboxArgs;

/// What `staff` was called before: a user is whom an app rewards.
const FORMER_STAFF: &str = "user";

/// A notice for whoever calls a command by a former name, which keeps working.
pub(crate) fn notice_of_former_name() -> Option<String> {
    let called = std::env::args().skip(1).find(|word| word == FORMER_STAFF || word == "staff")?;
    (called == FORMER_STAFF).then(|| {
        format!("`rewardgate {FORMER_STAFF}` is called `rewardgate staff` now; the former name keeps working")
    })
}

/// Checks, records and books the rewards that offerwall networks report to a publisher.
#[derive(Debug, Parser)]
#[command(name = "rewardgate", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// The settings file; without it rewardgate.toml in the working directory, or none.
    #[arg(long, global = true, env = "REWARDGATE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What to do; `up` if nothing is said.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Listens and works in one process.
    Up,
    /// Listens: postbacks in, API.
    Web,
    /// Works: judges and books what was recorded.
    Worker,
    /// Shows it all at once: a temporary database, a network that sends, and what becomes of it.
    Demo(DemoArgs),
    /// Looks at settings, database, geo files, clock and public URL, and prints what to paste into the network's
    /// dashboard. Changes nothing. Exit 1 if something has to be mended.
    Check(CheckArgs),
    /// Brings the database's schema up to date.
    Migrate,
    /// Asks the process that these settings start whether it is ready. Exit 1 if it is not, with the reasons.
    Healthcheck(HealthcheckArgs),
    /// Proves the ledger, the chain of reports and the chain of the audit. Exit 1 if anything differs.
    Verify,
    /// Who did what, by what means and from where.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Makes the reconciliation of a business day, or shows the closed one. Exit 1 if it does not tie out.
    Report(ReportArgs),
    /// The network's own statements: importing, looking at differences, accepting, paying.
    #[command(subcommand)]
    Statement(StatementCommand),
    /// Takes once more what was put aside: refused calls that verify by now, or quarantined postbacks.
    Replay(ReplayArgs),
    /// What is quarantined: looking at it, stating what is missing, setting aside what is worth nothing.
    #[command(subcommand)]
    Postbacks(PostbacksCommand),
    /// Says why a signature does not match, and what to change. Exit 1 unless it verifies as the settings are.
    Diagnose(DiagnoseArgs),
    /// What apps are told: looking at it, sending again what failed, giving one up, switching an app on
    /// again.
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// Bearer tokens of the API.
    #[command(subcommand)]
    Token(TokenCommand),
    /// People who sign in to the pages.
    #[command(subcommand, alias = FORMER_STAFF)]
    Staff(StaffCommand),
    /// Plays the network: signs and sends postbacks, and checks that each had exactly one effect.
    Sandbox(Box<SandboxArgs>),
}

/// What is looked at.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The URL as it stands in the network's dashboard, with its macros: says what is missing or named otherwise.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The source that URL is for; needed only if there are several.
    #[arg(long, value_name = "NAME", requires = "url")]
    pub(crate) source: Option<String>,
    /// Call neither the public URL nor apps.
    #[arg(long)]
    pub(crate) offline: bool,
}

/// Which report, and what becomes of it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ReportArgs {
    /// The business day, e.g. 2026-11-23.
    #[arg(required = true)]
    pub(crate) date: Option<String>,
    /// Writes every table of it to this CSV file.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Writes every table of it to this XLSX file, a sheet each.
    #[arg(long, value_name = "FILE")]
    pub(crate) xlsx: Option<PathBuf>,
    /// Prints it as JSON instead of a summary.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<ReportCommand>,
}

/// What else is done with reports.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Vouches for the closed report of a day; once.
    SignOff {
        /// The business day.
        date: String,
        /// Who signs.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// With which words.
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

/// The audit.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Prints the audit, the oldest line first, with the hashes of its chain.
    Export {
        /// Only what happened at or after this time: RFC 3339, or a date in the settings' zone.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Only what happened before this time.
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        /// As CSV; the default.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        /// As JSON, an object a line.
        #[arg(long)]
        json: bool,
    },
}

/// The network's own statements.
#[derive(Debug, Subcommand)]
pub(crate) enum StatementCommand {
    /// Reads a CSV file and matches it with what was booked. May be ended and run again at any time. Exit 1 if
    /// anything differs.
    Import {
        /// The file.
        file: PathBuf,
        /// The source whose network wrote it.
        #[arg(long, value_name = "NAME")]
        source: String,
        /// Its first business day. Without it, that of its lines, unless some of them lie far off.
        #[arg(long, value_name = "DATE", requires = "to")]
        from: Option<String>,
        /// Its last business day.
        #[arg(long, value_name = "DATE", requires = "from")]
        to: Option<String>,
        /// What it counts instead of: numbers of statements with commas between them, or `none`. Without it, an earlier
        /// version of the same days.
        #[arg(long, value_name = "ID|none")]
        supersedes: Option<String>,
        /// Only show what would be read of its beginning.
        #[arg(long)]
        preview: bool,
    },
    /// Shows what was found, state by state. Exit 1 if anything differs.
    Show {
        /// The statement.
        id: i64,
        /// The lines in this state, e.g. `missing_here`.
        #[arg(long)]
        state: Option<String>,
    },
    /// Writes the transactions that the network counts and that never came here, for its account manager.
    Missing {
        /// The statement.
        id: i64,
        /// As text for a letter instead of CSV.
        #[arg(long)]
        text: bool,
    },
    /// Accepts a difference.
    Accept {
        /// The statement.
        id: i64,
        /// Which one, as `show --state` names it, e.g. "line 17".
        subject: String,
        /// Who accepts.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Books what the network paid for it.
    Paid {
        /// The statement.
        id: i64,
        /// How much, in USD.
        amount: String,
        /// Who books it.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// With which words, e.g. the reference of the payment.
        #[arg(long, value_name = "TEXT")]
        note: String,
        /// What makes it one and the same payment when the command is run twice; amount and note, unless given.
        #[arg(long, value_name = "TEXT")]
        key: Option<String>,
        /// Book it although it is more than is open.
        #[arg(long)]
        yes: bool,
    },
    /// Takes a payment back, by the opposite transfer.
    TakeBack {
        /// The statement.
        id: i64,
        /// The payment, as `show` numbers it.
        payment: i64,
        /// Who takes it back.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Takes a statement back: nothing of it counts, what it superseded counts again, and its file may come again.
    Discard {
        /// The statement.
        id: i64,
        /// Who discards it.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
    },
    /// Lets a superseded statement count again, beside the newer one; what both have counts once.
    Restore {
        /// The superseded statement.
        id: i64,
        /// Who says so.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
    },
}

/// What is taken once more.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Refused calls whose signature verifies as the settings are now, and only those.
    #[arg(long, required_unless_present = "quarantined", conflicts_with_all = ["quarantined", "id", "reason", "from", "to"])]
    pub(crate) refused: bool,
    /// Quarantined postbacks, to be mapped as the settings are now.
    #[arg(long)]
    pub(crate) quarantined: bool,
    /// Only of this source.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Only this postback.
    #[arg(long)]
    pub(crate) id: Option<i64>,
    /// Only those whose reason contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Only those received at or after this time: RFC 3339, or a date in the settings' zone.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only those received before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Say what would be taken, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What is quarantined.
#[derive(Debug, Subcommand)]
pub(crate) enum PostbacksCommand {
    /// Shows a postback: as received, what can be stated of it, and what people did about it.
    Show {
        /// The postback.
        id: i64,
    },
    /// States what is missing or unreadable in a quarantined postback, which is then processed again. Above the limits
    /// of `[review]` it is kept as a proposal, until another person confirms it.
    State(StateArgs),
    /// Agrees to what another person proposed.
    Confirm {
        /// The postback.
        id: i64,
        /// The proposal, as `show` and `state` number it.
        proposal: i64,
        /// Who agrees: a person with the role risk or admin.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// A note.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Declines what was proposed, or takes it back.
    Decline {
        /// The postback.
        id: i64,
        /// The proposal, as `show` and `state` number it.
        proposal: i64,
        /// Who declines: a person with the role risk or admin.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Sets quarantined postbacks aside: nobody needs to look at them any more.
    SetAside(AsideArgs),
    /// Takes postbacks up again that were set aside: they are quarantined as before.
    TakeUp(AsideArgs),
}

/// What is stated.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The postback.
    pub(crate) id: i64,
    /// The user, as the app knows them.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) user: String,
    /// The network's id of the reward.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) tx: String,
    /// credit or reversal.
    #[arg(long, value_name = "STATUS", default_value = "", hide_default_value = true)]
    pub(crate) status: String,
    /// In the user's currency, e.g. 1234.50.
    #[arg(long, value_name = "AMOUNT", default_value = "", hide_default_value = true)]
    pub(crate) reward: String,
    /// In USD, e.g. 1.50.
    #[arg(long, value_name = "AMOUNT", default_value = "", hide_default_value = true)]
    pub(crate) payout: String,
    /// Who states it: a person with the role risk or admin.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) actor: String,
    /// How it is known.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Say what would happen, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Which postbacks, and why.
#[derive(Debug, Args)]
pub(crate) struct AsideArgs {
    /// The postbacks.
    #[arg(required = true)]
    pub(crate) ids: Vec<i64>,
    /// Who says so: a person with the role risk or admin.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) actor: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// What apps are told.
#[derive(Debug, Subcommand)]
pub(crate) enum DeliveriesCommand {
    /// Lists deliveries, newest first.
    List {
        #[command(flatten)]
        filter: DeliveryArgs,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
        limit: i64,
    },
    /// Sends again what failed: one delivery, or all that the filter names. May be ended and run again at any time.
    Resend {
        /// One delivery.
        #[arg(required_unless_present = "DeliveryArgs", conflicts_with = "DeliveryArgs")]
        id: Option<i64>,
        #[command(flatten)]
        filter: DeliveryArgs,
    },
    /// Gives one delivery up: it is not sent any more, and what waits behind it is sent next.
    GiveUp {
        /// The delivery.
        id: i64,
        /// Who gives it up.
        #[arg(long = "as", value_name = "NAME")]
        actor: String,
        /// Why; it stands in the audit.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Calls an app again that was switched off because it answered 410 for several users in a row.
    Enable {
        /// The app.
        app: String,
    },
}

/// Which deliveries.
#[derive(Debug, Args)]
pub(crate) struct DeliveryArgs {
    /// Only of this app.
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    /// Only of this status: waiting, behind, delivered, failed, `given_up`, withdrawn. Only failed and delivered are sent again.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only those caused at or after this time: RFC 3339, or a date in the settings' zone.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only those caused before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Only those that had ended by this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) ended_by: Option<String>,
}

/// What is looked at.
#[derive(Debug, Args)]
pub(crate) struct DiagnoseArgs {
    /// A captured URL, whole or from the path on.
    #[arg(required_unless_present = "last_refused", conflicts_with = "last_refused")]
    pub(crate) url: Option<String>,
    /// The last call that was refused.
    #[arg(long)]
    pub(crate) last_refused: bool,
    /// The URL as it stands in the network's dashboard: its host is tried, too.
    #[arg(long, value_name = "URL")]
    pub(crate) dashboard: Option<String>,
    /// The source; without it the one that the URL names.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
}

/// Which process is asked.
#[derive(Debug, Args)]
pub(crate) struct HealthcheckArgs {
    /// The one that only works, at `worker_listen`; without it the one that listens.
    #[arg(long)]
    pub(crate) worker: bool,
}

/// People who sign in to the pages.
#[derive(Debug, Subcommand)]
pub(crate) enum StaffCommand {
    /// Adds somebody. The password is the first line of standard input; without one, a new one is made and printed.
    Add {
        /// What decisions are signed with: letters, digits, dots, dashes, underscores.
        name: String,
        /// What they may do: risk decides on holds, finance signs off, admin does both and manages people.
        #[arg(long)]
        role: RoleArg,
    },
    /// Lists everybody.
    List,
    /// Ends somebody's sessions, and lets them begin no other.
    Disable {
        /// Who.
        name: String,
    },
    /// Lets somebody sign in again who was disabled.
    Enable {
        /// Who.
        name: String,
    },
    /// Gives somebody a new password, as `add` does, and ends their sessions.
    Passwd {
        /// Whose.
        name: String,
    },
    /// Gives somebody another role, and ends their sessions.
    Role {
        /// Who.
        name: String,
        /// What they may do from now on.
        #[arg(long)]
        role: RoleArg,
    },
    /// Lists somebody's sessions, or ends them.
    Sessions {
        /// Whose.
        name: String,
        /// Ends all of them.
        #[arg(long)]
        end: bool,
    },
}

/// Bearer tokens of the API.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token and prints it; it is shown only once.
    Add {
        /// Its name: letters, digits, dots, dashes, underscores. What a service does is signed with it.
        name: String,
        /// What it may do: finance reads, risk also decides, admin both.
        #[arg(long)]
        role: RoleArg,
        /// The person it belongs to: where two people must agree, both count as one. Without it the token is a service's,
        /// unless a person has its name.
        #[arg(long, value_name = "PERSON")]
        owner: Option<String>,
        /// How long it is in force, e.g. 90d or 12h; without it 365d.
        #[arg(long, value_name = "TERM")]
        expires: Option<String>,
    },
    /// Lists every token: whose it is, until when, and when it was last used.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Refuses a token from now on.
    Revoke {
        /// Its name.
        name: String,
    },
}

/// What a token may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RoleArg {
    /// Reads everything and decides on held rewards.
    Risk,
    /// Reads everything.
    Finance,
    /// Both.
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Risk => Self::Risk,
            RoleArg::Finance => Self::Finance,
            RoleArg::Admin => Self::Admin,
        }
    }
}

/// How the demo runs.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Postbacks a second.
    #[arg(long, default_value_t = 3)]
    pub(crate) rate: u32,
    /// End after this many seconds; without it at Ctrl-C.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<u64>,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    pub(crate) listen: String,
}
