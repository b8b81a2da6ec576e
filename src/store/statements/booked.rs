//! Which ids of a file are transactions that are booked, and when they were: tells which of its columns holds the
//! transaction, and in which zone its times are.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use domain::time::TimestampMs;

use super::rows::KeyRow;
use crate::db::deadline::READ;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::own_task;
use crate::{Result, Store};

static BOOKED: LazyStatement = LazyLock::new(|| {
    Statement::given::<KeyRow<'_>>(
        "SELECT given.event_key, rewards.received_at
         FROM {given} JOIN rewards ON rewards.event_key = given.event_key AND rewards.source = given.source",
    )
});

impl Store {
    /// When each of `ids` was booked; those that are no transaction of a booking of `source` are left out.
    pub async fn booked_ids(
        &self,
        source: String,
        ids: HashSet<String>,
    ) -> Result<HashMap<String, TimestampMs>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let store = self.clone();
        own_task(async move {
            let read = async {
                let keys: Vec<_> = ids.iter().map(|id| KeyRow { event_key: id, source: &source }).collect();
                let mut tx = store.begin_reading().await?;
                let found: Vec<(String, i64)> = tx.fetch(&BOOKED, &keys).await?;
                Ok(found.into_iter().map(|(id, at)| (id, TimestampMs(at))).collect())
            };
            store.within(READ, read).await
        })
        .await
    }
}
