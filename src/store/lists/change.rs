//! Adding and removing entries. An entry never changes: a new one of the same key ends the one before, and both stay.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::lists::entry::{Key, NewEntry};
use domain::lists::{Kind, MAX_ENTRIES};
use domain::text::count;
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::{Result, Store};

/// What became of entries to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListAdded {
    /// All are in force.
    Done {
        /// Their ids, in the order given.
        ids: Vec<i64>,
        /// How many of them ended another entry of the same key.
        replaced: usize,
    },
    /// Nothing was added: more than [`MAX_ENTRIES`] would be in force.
    TooMany {
        /// How many are in force now.
        in_force: i64,
    },
}

/// What became of an entry to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListRemoved {
    /// It no longer decides.
    Done,
    /// It was removed before, or replaced by a newer one.
    Already,
    /// There is none with this id.
    NotFound,
}

/// Raises the version, and keeps every other change of the lists out until the transaction ends.
static RAISE: LazyStatement =
    LazyLock::new(|| Statement::new("UPDATE list_version SET version = version + 1", &[]));

static COUNT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT COUNT(*) FROM list_entries WHERE removed_at IS NULL AND (expires_at IS NULL OR expires_at > $1)",
        &[],
    )
});

/// The entries that have the keys given, and are not removed.
static OF_KEYS: LazyStatement = LazyLock::new(|| {
    Statement::given::<KeyRow<'_>>(
        "SELECT list_entries.id, kind, source, value, app, effect, expires_at FROM {given}
         JOIN list_entries ON kind = given.sought_kind AND source = given.its_source AND value = given.named_value
                          AND app = given.app_or_all
         WHERE removed_at IS NULL",
    )
});

static END: LazyStatement = LazyLock::new(|| {
    Statement::given::<EndRow<'_>>(
        "UPDATE list_entries SET removed_at = given.at, removed_by = given.by_whom FROM {given}
         WHERE list_entries.id = given.ended_id AND list_entries.removed_at IS NULL",
    )
});

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<EntryRow<'_>>(
        "INSERT INTO list_entries (kind, source, value, app, effect, author, reason, created_at, expires_at)
         SELECT {columns} FROM {given} WHERE true",
    )
});

static ONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT kind, source, value, app, effect, removed_at FROM list_entries WHERE id = $1 {for_update}",
        &[],
    )
});

given_row! {
    struct KeyRow<'a> {
        sought_kind: &'a str,
        its_source: &'a str,
        named_value: &'a str,
        app_or_all: &'a str,
    }
}

given_row! {
    struct EndRow<'a> {
        ended_id: i64,
        at: i64,
        by_whom: &'a str,
    }
}

given_row! {
    struct EntryRow<'a> {
        kind: &'a str,
        source: &'a str,
        value: &'a str,
        app: &'a str,
        effect: &'a str,
        author: &'a str,
        reason: &'a str,
        created_at: i64,
        expires_at: Option<i64>,
    }
}

/// An entry that is not removed, as far as a change needs it.
#[derive(sqlx::FromRow)]
struct Standing {
    id: i64,
    kind: String,
    source: String,
    value: String,
    app: String,
    effect: String,
    expires_at: Option<i64>,
}

impl Store {
    /// Adds one entry; the one of the same key, if there is one, ends.
    pub async fn add_list_entry(&self, entry: NewEntry, actor: Actor, now: TimestampMs) -> Result<ListAdded> {
        self.write(move |tx| {
            Box::pin(async move {
                let (added, ended) = add(tx, std::slice::from_ref(&entry), &actor, now).await?;
                if let ListAdded::Done { ids, .. } = &added {
                    let id = ids.first().copied().unwrap_or_default();
                    let instead = ended
                        .first()
                        .map(|(id, effect)| format!(", instead of entry {id} ({effect})"))
                        .unwrap_or_default();
                    let until =
                        entry.expires_at.map(|at| format!(" until {}", at.rfc3339())).unwrap_or_default();
                    let detail =
                        format!("{} {}{until}{instead}: {}", entry.effect.name(), entry.key, entry.reason);
                    let line = Line::new(&actor, Action::ListEntryAdded, format!("list entry {id}"), detail);
                    audit::note(tx, &line, now);
                }
                Ok(added)
            })
        })
        .await
    }

    /// Adds the entries of a file whose SHA-256 is `digest`, all or none, with one line in the audit.
    pub async fn import_list_entries(
        &self,
        entries: Vec<NewEntry>,
        digest: String,
        actor: Actor,
        now: TimestampMs,
    ) -> Result<ListAdded> {
        self.write(move |tx| {
            Box::pin(async move {
                let (added, _) = add(tx, &entries, &actor, now).await?;
                if let ListAdded::Done { ids, replaced } = &added {
                    let number = u64::try_from(ids.len()).unwrap_or(u64::MAX);
                    let (first, last) = (ids.iter().min(), ids.iter().max());
                    let span = first.zip(last).map(|(first, last)| format!(", {first} to {last}"));
                    let detail = format!(
                        "{} of a file with the SHA-256 {digest}, {replaced} instead of another",
                        count(number, "entry")
                    );
                    let subject = format!("list entries{}", span.unwrap_or_default());
                    audit::note(tx, &Line::new(&actor, Action::ListImported, subject, detail), now);
                }
                Ok(added)
            })
        })
        .await
    }

    /// Ends an entry. It stays, with who removed it and when.
    pub async fn remove_list_entry(&self, id: i64, actor: Actor, now: TimestampMs) -> Result<ListRemoved> {
        self.write(move |tx| Box::pin(async move { remove(tx, id, &actor, now).await })).await
    }
}

/// Adds `entries`, whose keys all differ; also returns id and effect of those that end by it.
async fn add(
    tx: &mut Tx,
    entries: &[NewEntry],
    actor: &Actor,
    now: TimestampMs,
) -> Result<(ListAdded, Vec<(i64, String)>)> {
    with_statement!(tx, RAISE, |sql, connection| {
        sqlx::query(sql).execute(connection).await?;
    });
    let keys: Vec<_> = entries.iter().map(|entry| key_row(&entry.key)).collect();
    let standing: Vec<Standing> = tx.fetch(&OF_KEYS, &keys).await?;
    let in_force: i64 = with_statement!(tx, COUNT, |sql, connection| {
        sqlx::query_scalar(sql).bind(now.0).fetch_one(connection).await?
    });
    let ends_now = |it: &&Standing| it.expires_at.is_none_or(|at| at > now.0);
    let replaced = standing.iter().filter(ends_now).count();
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    if in_force - number(replaced) + number(entries.len()) > MAX_ENTRIES {
        return Ok((ListAdded::TooMany { in_force }, Vec::new()));
    }
    if !standing.is_empty() {
        let ends: Vec<_> =
            standing.iter().map(|it| EndRow { ended_id: it.id, at: now.0, by_whom: actor.name() }).collect();
        tx.execute(&END, &ends).await?;
    }
    let rows: Vec<_> = entries.iter().map(|entry| entry_row(entry, actor, now)).collect();
    tx.execute(&INSERT, &rows).await?;
    let added: Vec<Standing> = tx.fetch(&OF_KEYS, &keys).await?;
    let by_key: HashMap<_, _> = added
        .iter()
        .map(|it| ((it.kind.as_str(), it.source.as_str(), it.value.as_str(), it.app.as_str()), it.id))
        .collect();
    let id = |row: &KeyRow<'_>| {
        by_key.get(&(row.sought_kind, row.its_source, row.named_value, row.app_or_all)).copied()
    };
    let ids = keys.iter().filter_map(id).collect();
    let ended = standing.into_iter().map(|it| (it.id, it.effect)).collect();
    Ok((ListAdded::Done { ids, replaced }, ended))
}

async fn remove(tx: &mut Tx, id: i64, actor: &Actor, now: TimestampMs) -> Result<ListRemoved> {
    type Found = (String, String, String, String, String, Option<i64>);
    with_statement!(tx, RAISE, |sql, connection| {
        sqlx::query(sql).execute(connection).await?;
    });
    let found: Option<Found> = with_statement!(tx, ONE, |sql, connection| {
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
    });
    let Some((kind, source, value, app, effect, removed_at)) = found else {
        return Ok(ListRemoved::NotFound);
    };
    if removed_at.is_some() {
        return Ok(ListRemoved::Already);
    }
    tx.execute(&END, &[EndRow { ended_id: id, at: now.0, by_whom: actor.name() }]).await?;
    // Names of a newer version are shown as they are stored.
    let key = match Kind::parse(&kind) {
        Some(kind) => Key { kind, source, value, app: Some(app).filter(|app| !app.is_empty()) }.to_string(),
        None => format!("{kind} {value}"),
    };
    let line =
        Line::new(actor, Action::ListEntryRemoved, format!("list entry {id}"), format!("{effect} {key}"));
    audit::note(tx, &line, now);
    Ok(ListRemoved::Done)
}

fn key_row(key: &Key) -> KeyRow<'_> {
    KeyRow {
        sought_kind: key.kind.name(),
        its_source: &key.source,
        named_value: &key.value,
        app_or_all: key.app.as_deref().unwrap_or_default(),
    }
}

fn entry_row<'a>(entry: &'a NewEntry, actor: &'a Actor, now: TimestampMs) -> EntryRow<'a> {
    let KeyRow { sought_kind: kind, its_source: source, named_value: value, app_or_all: app } =
        key_row(&entry.key);
    EntryRow {
        kind,
        source,
        value,
        app,
        effect: entry.effect.name(),
        author: actor.name(),
        reason: &entry.reason,
        created_at: now.0,
        expires_at: entry.expires_at.map(|at| at.0),
    }
}
