//! Calls of the past: recorded in the transaction that processes them, so that no worker ever finds them waiting.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::postbacks::bodies::{self, Recorded};
use crate::postbacks::inbox::{NewPostback, WaitingPostback};
use crate::{Error, Result};

/// Calls of the past that are taken in one transaction.
#[derive(Clone, Debug)]
pub struct PastCalls {
    /// In the order of their time. Their request ids are unique.
    pub postbacks: Vec<NewPostback>,
    /// True: a call whose request id was taken before is left out.
    pub once: bool,
}

static REMEMBER: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow<'_>>(
        "INSERT INTO imported_calls (id) SELECT id FROM {given} WHERE true ORDER BY id
         ON CONFLICT (id) DO NOTHING RETURNING id",
    )
});

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<Recorded<'_>>(
        "INSERT INTO postbacks ({columns}) SELECT {columns} FROM {given} RETURNING id, request_id",
    )
});

given_row! {
    struct IdRow<'a> {
        id: &'a str,
    }
}

#[derive(sqlx::FromRow)]
struct Inserted {
    id: i64,
    request_id: String,
}

/// Records `calls` as postbacks that only this transaction can process, in their order.
pub(crate) async fn record(
    tx: &mut Tx,
    calls: PastCalls,
    bytes_per_hour: i64,
) -> Result<Vec<WaitingPostback>> {
    let PastCalls { mut postbacks, once } = calls;
    if once {
        let rows: Vec<_> = postbacks.iter().map(|postback| IdRow { id: &postback.request_id }).collect();
        let new: Vec<(String,)> = tx.fetch(&REMEMBER, &rows).await?;
        let new: BTreeSet<String> = new.into_iter().map(|(id,)| id).collect();
        postbacks.retain(|postback| new.contains(&postback.request_id));
    }
    if postbacks.is_empty() {
        return Ok(Vec::new());
    }
    let rows = match bodies::unbounded(&postbacks) {
        Some(rows) => rows,
        None => bodies::bounded(tx, &postbacks, bytes_per_hour).await?,
    };
    let inserted: Vec<Inserted> = tx.fetch(&INSERT, &rows).await?;
    let ids: HashMap<String, i64> = inserted.into_iter().map(|row| (row.request_id, row.id)).collect();
    let waiting = postbacks.into_iter().map(|postback| {
        let id = ids.get(&postback.request_id).copied();
        let id =
            id.ok_or_else(|| Error::Aborted(format!("call {} was not returned", postback.request_id)))?;
        Ok(WaitingPostback {
            id,
            source: postback.source,
            received_at: postback.received_at.0,
            method: postback.method,
            target: postback.target,
            body: postback.body.filter(|_| postback.body_counts),
            headers: postback.headers,
            remote_ip: postback.remote_ip,
            request_id: Some(postback.request_id),
            stated_id: None,
            stated: None,
        })
    });
    waiting.collect()
}
