//! Which ids of a file are transactions that are booked: tells which of its columns holds the transaction.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::rows::KeyRow;
use crate::db::deadline::READ;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::own_task;
use crate::{Result, Store};

static BOOKED: LazyStatement = LazyLock::new(|| {
    Statement::given::<KeyRow<'_>>(
        "SELECT DISTINCT given.event_key
         FROM {given} JOIN rewards ON rewards.event_key = given.event_key AND rewards.source = given.source",
    )
});

impl Store {
    /// Those of `ids` that are transactions of a booking of `source`.
    pub async fn booked_ids(&self, source: String, ids: HashSet<String>) -> Result<HashSet<String>> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let store = self.clone();
        own_task(async move {
            let read = async {
                let keys: Vec<_> = ids.iter().map(|id| KeyRow { event_key: id, source: &source }).collect();
                let mut tx = store.begin_reading().await?;
                let found: Vec<(String,)> = tx.fetch(&BOOKED, &keys).await?;
                Ok(found.into_iter().map(|(id,)| id).collect())
            };
            store.within(READ, read).await
        })
        .await
    }
}
