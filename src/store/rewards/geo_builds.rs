//! Which geo databases verdicts rest on: kept once, because they are the same for all rewards between two updates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use domain::batch::Judgement;
use domain::location::DatabaseBuild;

use crate::db::remembered::Remembered;
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::{Error, Result};

static LOAD: LazyStatement = LazyLock::new(|| {
    Statement::given::<BuildsRow>(
        "SELECT geo_builds.id, geo_builds.databases FROM {given}
         JOIN geo_builds ON geo_builds.databases = given.databases",
    )
});

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<BuildsRow>(
        "INSERT INTO geo_builds ({columns}) SELECT {columns} FROM {given} WHERE true ORDER BY databases
         ON CONFLICT DO NOTHING",
    )
});

given_row! {
    struct BuildsRow {
        databases: String,
    }
}

/// The ids that this process knows to be committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct GeoBuilds(Remembered<i64>);

impl GeoBuilds {
    /// The id for each of `judgements`, in their order; new ones are inserted.
    pub(super) async fn ids(&self, tx: &mut Tx, judgements: &[&Judgement]) -> Result<Vec<i64>> {
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
        let wanted: BTreeSet<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        let ids = self.known_or_new(tx, &wanted).await?;
        let id_of = |place: &usize| {
            texts
                .get(*place)
                .and_then(|(_, text)| ids.get(text))
                .copied()
                .ok_or_else(|| Error::Aborted("geo builds that were inserted cannot be read".into()))
        };
        places.iter().map(id_of).collect()
    }

    async fn known_or_new(&self, tx: &mut Tx, wanted: &BTreeSet<&str>) -> Result<BTreeMap<String, i64>> {
        let known = |text: &&str| Some(((*text).to_owned(), self.0.get(text)?));
        let mut ids: BTreeMap<String, i64> = wanted.iter().filter_map(known).collect();
        let mut missing = rows(wanted, &ids);
        if missing.is_empty() {
            return Ok(ids);
        }
        let committed = tx.fetch::<(i64, String)>(&LOAD, &missing).await?;
        for (id, databases) in &committed {
            self.0.insert(databases.clone(), *id);
        }
        ids.extend(committed.into_iter().map(|(id, databases)| (databases, id)));
        missing = rows(wanted, &ids);
        if !missing.is_empty() {
            tx.execute(&INSERT, &missing).await?;
            // Not remembered: this transaction may yet be rolled back.
            let inserted = tx.fetch::<(i64, String)>(&LOAD, &missing).await?;
            ids.extend(inserted.into_iter().map(|(id, databases)| (databases, id)));
        }
        Ok(ids)
    }
}

fn rows(wanted: &BTreeSet<&str>, found: &BTreeMap<String, i64>) -> Vec<BuildsRow> {
    let missing = wanted.iter().filter(|text| !found.contains_key(**text));
    missing.map(|text| BuildsRow { databases: (*text).to_owned() }).collect()
}

fn text_of(databases: &[DatabaseBuild]) -> String {
    // Plain data with text keys: writing it as JSON cannot fail.
    serde_json::to_string(databases).unwrap_or_default()
}
