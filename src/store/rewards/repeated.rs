//! Texts that the verdicts of many rewards share, kept once each: the version of the policy, and the geo databases that
//! were asked. A verdict holds their ids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use domain::batch::Judgement;
use domain::location::DatabaseBuild;

use crate::db::remembered::Remembered;
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::{Error, Result};

given_row! {
    struct TextRow {
        text: String,
    }
}

static LOAD_BUILDS: LazyStatement = LazyLock::new(|| load("geo_builds", "databases"));
static INSERT_BUILDS: LazyStatement = LazyLock::new(|| insert("geo_builds", "databases"));
static LOAD_POLICIES: LazyStatement = LazyLock::new(|| load("policy_versions", "version"));
static INSERT_POLICIES: LazyStatement = LazyLock::new(|| insert("policy_versions", "version"));

/// The ids of texts in `column` of `table`.
fn load(table: &str, column: &str) -> Statement {
    Statement::given::<TextRow>(&format!(
        "SELECT {table}.id, {table}.{column} FROM {{given}} JOIN {table} ON {table}.{column} = given.text"
    ))
}

/// Adds texts to `column` of `table`; those that are there stay.
fn insert(table: &str, column: &str) -> Statement {
    Statement::given::<TextRow>(&format!(
        "INSERT INTO {table} ({column}) SELECT text FROM {{given}} WHERE true ORDER BY text
         ON CONFLICT DO NOTHING"
    ))
}

/// The ids that this process knows to be committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeated {
    builds: Remembered<i64>,
    policies: Remembered<i64>,
}

/// What a verdict rests on, by id.
#[derive(Clone, Copy, Debug)]
pub(super) struct RestsOn {
    pub(super) policy: i64,
    pub(super) geo_builds: i64,
}

impl Repeated {
    /// The ids for each of `judgements`, in their order; new texts are inserted.
    pub(super) async fn ids(&self, tx: &mut Tx, judgements: &[&Judgement]) -> Result<Vec<RestsOn>> {
        // Neighbours mostly rest on the same databases, so few of them are written as text.
        let mut texts: Vec<(&[DatabaseBuild], String)> = Vec::new();
        let places: Vec<usize> = judgements
            .iter()
            .map(|judgement| {
                let databases = judgement.location.databases.as_slice();
                texts.iter().position(|(known, _)| *known == databases).unwrap_or_else(|| {
                    texts.push((databases, text_of(databases)));
                    texts.len() - 1
                })
            })
            .collect();
        let builds = texts.iter().map(|(_, text)| text.as_str()).collect();
        let builds = known_or_new(tx, &self.builds, &builds, (&LOAD_BUILDS, &INSERT_BUILDS)).await?;
        let policies = judgements.iter().map(|judgement| judgement.verdict.policy.as_str()).collect();
        let policies =
            known_or_new(tx, &self.policies, &policies, (&LOAD_POLICIES, &INSERT_POLICIES)).await?;
        judgements
            .iter()
            .zip(places)
            .map(|(judgement, place)| {
                let builds = texts.get(place).and_then(|(_, text)| builds.get(text));
                let policy = policies.get(&judgement.verdict.policy);
                let ids = builds
                    .zip(policy)
                    .map(|(builds, policy)| RestsOn { policy: *policy, geo_builds: *builds });
                ids.ok_or_else(|| Error::Aborted("texts that were inserted cannot be read".into()))
            })
            .collect()
    }
}

async fn known_or_new(
    tx: &mut Tx,
    remembered: &Remembered<i64>,
    wanted: &BTreeSet<&str>,
    (load, insert): (&'static LazyStatement, &'static LazyStatement),
) -> Result<BTreeMap<String, i64>> {
    let known = |text: &&str| Some(((*text).to_owned(), remembered.get(text)?));
    let mut ids: BTreeMap<String, i64> = wanted.iter().filter_map(known).collect();
    let mut missing = rows(wanted, &ids);
    if missing.is_empty() {
        return Ok(ids);
    }
    let committed = tx.fetch::<(i64, String)>(load, &missing).await?;
    for (id, text) in &committed {
        remembered.insert(text.clone(), *id);
    }
    ids.extend(committed.into_iter().map(|(id, text)| (text, id)));
    missing = rows(wanted, &ids);
    if !missing.is_empty() {
        tx.execute(insert, &missing).await?;
        // Not remembered: this transaction may yet be rolled back.
        let inserted = tx.fetch::<(i64, String)>(load, &missing).await?;
        ids.extend(inserted.into_iter().map(|(id, text)| (text, id)));
    }
    Ok(ids)
}

fn rows(wanted: &BTreeSet<&str>, found: &BTreeMap<String, i64>) -> Vec<TextRow> {
    let missing = wanted.iter().filter(|text| !found.contains_key(**text));
    missing.map(|text| TextRow { text: (*text).to_owned() }).collect()
}

fn text_of(databases: &[DatabaseBuild]) -> String {
    // Plain data with text keys: writing it as JSON cannot fail.
    serde_json::to_string(databases).unwrap_or_default()
}
