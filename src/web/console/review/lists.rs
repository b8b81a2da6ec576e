//! `/lists`: what people block, watch or trust; adding an entry there, beside a reward, or for a whole cluster.

use askama::Template;
use domain::lists::entry::{Draft, Key, NewEntry};
use domain::lists::file;
use domain::lists::{Effect, Kind, MAX_ENTRIES, imported, too_many};
use domain::review::queue::{Grouping, address_group};
use domain::text::sha256;
use domain::time::TimestampMs;
use store::lists::ListRow;
use store::lists::change::{ListAdded, ListRemoved};
use store::lists::rows::{ListFilter, ListState};
use store::review::holds::ClusterKey;
use store::rewards::list::RewardRow;

use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, page as render};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::request::Request;
use crate::console::shell::said::{message, with, with_message};
use crate::console::shell::session::{Viewer, next_page};
use crate::console::shell::show::{Moment, moment, number, short};
use crate::console::shell::visible::filters;
use crate::listing;

const PAGE: i64 = 50;
/// How long an entry lasts that is made beside a reward: long enough to stop an attack, and no address stays with one
/// household for ever.
const DEFAULT_DAYS: &str = "30d";

/// What an entry beside a reward or a cluster can name.
pub(crate) struct Target {
    /// Kind, value, source and app, as a form.
    pub(crate) fields: String,
    /// For the choice: `address 203.0.113.7`.
    pub(crate) words: String,
}

impl Target {
    fn new(kind: Kind, value: &str, source: &str, app: &str) -> Self {
        let fields = [("kind", kind.name()), ("value", value), ("source", source), ("app", app)];
        Self {
            fields: serde_urlencoded::to_string(fields).unwrap_or_default(),
            words: format!("{} {}", kind.words(), short(value)),
        }
    }

    /// What a reward names: its address first, because it changes hands least among people who cheat.
    pub(crate) fn of_reward(row: &RewardRow) -> Vec<Self> {
        let address = row.ip.as_deref().and_then(address_group);
        let asn = row.location.as_ref().and_then(|location| location.asn).map(|asn| asn.to_string());
        let of_app = |kind, value: Option<&str>| value.map(|value| Self::new(kind, value, "", &row.app));
        let of_source = |kind, value: Option<&str>| {
            let value = value.filter(|value| !value.is_empty());
            value.map(|value| Self::new(kind, value, &row.source, ""))
        };
        [
            address.map(|address| Self::new(Kind::Address, &address, "", "")),
            of_app(Kind::User, Some(&row.user_id)),
            asn.map(|asn| Self::new(Kind::Asn, &asn, "", "")),
            of_source(Kind::SubId, row.sub1.as_deref()),
            of_source(Kind::Offer, row.offer_id.as_deref()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// A sub id of a source.
    pub(crate) fn of_sub_id(sub_id: &str, source: &str) -> Self {
        Self::new(Kind::SubId, sub_id, source, "")
    }

    /// What the rewards of a cluster have in common, if an entry can name it.
    pub(crate) fn of_cluster(key: &ClusterKey) -> Vec<Self> {
        let (first, second) = (key.first.as_str(), key.second.as_str());
        let target = match key.grouping {
            _ if first.is_empty() => None,
            Grouping::Address => Some(Self::new(Kind::Address, first, "", "")),
            Grouping::User => Some(Self::new(Kind::User, first, "", second)),
            Grouping::Sub1 => Some(Self::new(Kind::SubId, first, second, "")),
            Grouping::Rule => None,
        };
        target.into_iter().collect()
    }
}

struct Row {
    id: i64,
    effect: String,
    kind: &'static str,
    value: String,
    /// The source or the app that it is limited to; may be empty.
    of: String,
    reason: String,
    author: String,
    created: Moment,
    expires: Option<Moment>,
    removed: Option<Moment>,
    removed_by: String,
    in_force: bool,
}

#[derive(Template)]
#[template(path = "lists.html")]
struct ListsPage {
    frame: Frame,
    rows: Vec<Row>,
    count: String,
    /// Name, label, whether it is chosen.
    kinds: Vec<(&'static str, &'static str, bool)>,
    effects: Vec<(&'static str, &'static str, bool)>,
    states: Vec<(&'static str, &'static str, bool)>,
    value: String,
    is_set: bool,
    next: String,
    said: Vec<String>,
    fault: String,
    may_review: bool,
    sources: Vec<String>,
    apps: Vec<String>,
    written: Written,
}

/// A form that was not taken, to be corrected.
#[derive(Default)]
struct Written {
    kind: String,
    value: String,
    effect: String,
    reason: String,
    source: String,
    app: String,
    expires: String,
    /// A file that was pasted.
    csv: String,
}

/// `GET /lists`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    show(console, viewer, request, Written { expires: DEFAULT_DAYS.into(), ..Written::default() }, "").await
}

async fn show(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    written: Written,
    fault: &str,
) -> Answered {
    let now = console.clock.now();
    let kind = request.query("kind").and_then(Kind::parse);
    let effect = request.query("effect").and_then(Effect::parse);
    let state = request.query("state").and_then(ListState::parse).unwrap_or_default();
    let value = request.query("value").unwrap_or_default().to_owned();
    let filter = ListFilter {
        kind,
        effect,
        value: Some(value.as_str()).filter(|value| !value.is_empty()).map(|value| Key::searched(kind, value)),
        app: None,
        state,
        before: request.query("after").and_then(|after| after.parse().ok()),
    };
    let (rows, count) =
        tokio::try_join!(console.store.list_entries(&filter, now, PAGE), console.store.list_count(now))?;
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
    let next = rows
        .last()
        .filter(|_| full && !request.is_post())
        .map_or_else(String::new, |last| with(&request.target, &[("after", last.id.to_string())]));
    let known = listing::known(&console.stating, &console.apps, console.timezone);
    let page = ListsPage {
        frame: Frame::load(console, viewer, "/lists").await?,
        rows: rows.into_iter().map(|row| view(row, now)).collect(),
        count: format!("{} of {} entries in force", number(count), number(MAX_ENTRIES)),
        kinds: Kind::ALL.map(|it| (it.name(), label(it), kind == Some(it))).into(),
        effects: Effect::ALL.map(|it| (it.name(), it.participle(), effect == Some(it))).into(),
        states: [(ListState::InForce, "in force"), (ListState::Ended, "ended"), (ListState::All, "all")]
            .map(|(it, words)| (it.name(), words, it == state))
            .into(),
        is_set: kind.is_some() || effect.is_some() || state != ListState::InForce || !value.is_empty(),
        value,
        next,
        said: message(viewer, request),
        fault: fault.to_owned(),
        may_review: viewer.may_review(),
        sources: known.sources,
        apps: known.apps,
        written,
    };
    render(&page)
}

/// A kind for a person who chooses.
fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "user",
        Kind::Address => "address or network",
        Kind::Asn => "autonomous system (ASN)",
        Kind::SubId => "sub ID of a source",
        Kind::Offer => "offer of a source",
    }
}

fn view(row: ListRow, now: TimestampMs) -> Row {
    let of: Vec<_> = [("source", &row.source), ("app", &row.app)]
        .into_iter()
        .filter(|(_, name)| !name.is_empty())
        .map(|(what, name)| format!("{what} {name}"))
        .collect();
    let kind = Kind::parse(&row.kind);
    Row {
        in_force: row.is_in_force(now),
        of: of.join(", "),
        kind: kind.map_or("unknown", Kind::words),
        value: if kind == Some(Kind::Asn) { format!("AS{}", row.value) } else { row.value },
        created: moment(row.created_at, now),
        expires: row.expires_at.map(|at| moment(at, now)),
        removed: row.removed_at.map(|at| moment(at, now)),
        removed_by: row.removed_by.unwrap_or_default(),
        id: row.id,
        effect: row.effect,
        reason: row.reason,
        author: row.author,
    }
}

/// `POST /lists`: adds an entry, and goes back to where the form was.
pub(crate) async fn add(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let back = request.field("back").map(|back| next_page(Some(back)));
    let named: Vec<(String, String)> =
        serde_urlencoded::from_str(request.field("target").unwrap_or_default()).unwrap_or_default();
    let text = |name: &str| {
        let of_target = named.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        of_target.unwrap_or_else(|| request.field(name).unwrap_or_default().to_owned())
    };
    let written = Written {
        kind: text("kind"),
        value: text("value"),
        effect: text("effect"),
        reason: text("reason"),
        source: text("source"),
        app: text("app"),
        expires: text("expires"),
        csv: String::new(),
    };
    let draft = Draft {
        kind: &written.kind,
        value: &written.value,
        effect: &written.effect,
        reason: &written.reason,
        source: &written.source,
        app: &written.app,
        expires: &written.expires,
    };
    let now = console.clock.now();
    let known = listing::known(&console.stating, &console.apps, console.timezone);
    let entry = match NewEntry::read(&draft, &known, now) {
        Ok(entry) => entry,
        Err(bad) => {
            let fault = format!("Nothing was added: {bad}.");
            return refuse(console, viewer, request, back.as_deref(), written, fault).await;
        }
    };
    let shown = format!("The {} is {}", entry.key, entry.effect.participle());
    match console.store.add_list_entry(entry, viewer.actor(), now).await? {
        ListAdded::Done { replaced, .. } => {
            let instead = if replaced > 0 { " It replaces the entry before." } else { "" };
            let said = format!("{shown} from now on.{instead}");
            Ok(Answer::To(with_message(viewer, back.as_deref().unwrap_or("/lists"), &[said])))
        }
        ListAdded::TooMany { in_force } => {
            let why = too_many(in_force);
            let fault = format!("N{}.", why.get(1..).unwrap_or_default());
            refuse(console, viewer, request, back.as_deref(), written, fault).await
        }
    }
}

/// Beside a reward the fault is a message; on the page of lists the form is shown again as it was written.
async fn refuse(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    back: Option<&str>,
    written: Written,
    fault: String,
) -> Answered {
    match back {
        Some(back) => Ok(Answer::To(with_message(viewer, back, &[fault]))),
        None => show(console, viewer, request, written, &fault).await,
    }
}

/// `POST /lists/import`: the entries of a pasted CSV file, all or none.
pub(crate) async fn import(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let csv = request.field("csv").unwrap_or_default().to_owned();
    let now = console.clock.now();
    let known = listing::known(&console.stating, &console.apps, console.timezone);
    let taken = match file::read(csv.as_bytes(), &known, now) {
        Ok(entries) => {
            let number = entries.len();
            let digest = sha256(csv.as_bytes());
            match console.store.import_list_entries(entries, digest, viewer.actor(), now).await? {
                ListAdded::Done { replaced, .. } => Ok(format!("{}.", imported(number, replaced))),
                ListAdded::TooMany { in_force } => Err(vec![too_many(in_force)]),
            }
        }
        Err(faults) => Err(std::iter::once("Nothing was added.".to_owned()).chain(faults).collect()),
    };
    match taken {
        Ok(said) => Ok(Answer::To(with_message(viewer, "/lists", &[said]))),
        Err(faults) => {
            let written = Written { csv, expires: DEFAULT_DAYS.into(), ..Written::default() };
            show(console, viewer, request, written, &faults.join("\n")).await
        }
    }
}

/// `POST /lists/{id}/remove`
pub(crate) async fn remove(console: &Console, viewer: &Viewer, request: &Request, id: &str) -> Answered {
    if !viewer.may_review() {
        return Ok(not_yours(viewer));
    }
    let Ok(id) = id.parse::<i64>() else { return Ok(Answer::To("/lists".into())) };
    let said = match console.store.remove_list_entry(id, viewer.actor(), console.clock.now()).await? {
        ListRemoved::Done => format!("Entry {id} is removed."),
        ListRemoved::Already => {
            format!("Nothing was changed: entry {id} was removed or replaced before.")
        }
        ListRemoved::NotFound => format!("Nothing was changed: entry {id} does not exist."),
    };
    let back = request.came_from.as_deref().filter(|from| from.starts_with("/lists")).unwrap_or("/lists");
    Ok(Answer::To(with_message(viewer, back, &[said])))
}

fn not_yours(viewer: &Viewer) -> Answer {
    refusal(
        viewer,
        403,
        "Risk role required",
        "Nothing was changed: changing lists requires the role risk or admin.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_offers_what_its_rewards_have_in_common() {
        let of = |grouping, first: &str, second: &str| {
            let key = ClusterKey { grouping, first: first.into(), second: second.into() };
            Target::of_cluster(&key).into_iter().map(|target| target.fields).collect::<Vec<_>>()
        };
        assert_eq!(of(Grouping::Address, "203.0.113.7", ""), ["kind=address&value=203.0.113.7&source=&app="]);
        assert_eq!(of(Grouping::User, "u&1", "main"), ["kind=user&value=u%261&source=&app=main"]);
        assert_eq!(of(Grouping::Sub1, "site", "targo"), ["kind=sub_id&value=site&source=targo&app="]);
        assert!(of(Grouping::Address, "", "").is_empty());
        assert!(of(Grouping::Rule, "T1", "7").is_empty());
    }
}
