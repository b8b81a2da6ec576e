//! Calls whose signature did not verify: kept apart from the postbacks, and bounded, because anyone can send them.

use std::sync::LazyLock;

use serde::Serialize;

use crate::inbox::NewPostback;
use crate::statement::{Column, LazyStatement, Statement};
use crate::unit::{Tx, own_task, with_statement};
use crate::{Result, Store};

/// How many refused calls are kept; older ones make room.
pub const MAX_REFUSED: i64 = 10_000;

/// A refused call and why.
#[derive(Clone, Debug, Serialize)]
pub struct NewRefused {
    /// The call as it came off the socket.
    #[serde(flatten)]
    pub call: NewPostback,
    /// What was wrong with its signature.
    pub reason: String,
}

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO refused (source, received_at, method, target, body, remote_ip, request_id, reason)
         SELECT source, received_at, method, target, body, remote_ip, request_id, reason FROM {given}",
        &[
            Column::Text("source"),
            Column::Int("received_at"),
            Column::Text("method"),
            Column::Text("target"),
            Column::Text("body"),
            Column::Text("remote_ip"),
            Column::Text("request_id"),
            Column::Text("reason"),
        ],
    )
});

static TRIM: LazyStatement = LazyLock::new(|| {
    Statement::new("DELETE FROM refused WHERE id <= (SELECT MAX(id) FROM refused) - $1", &[])
});

impl Store {
    /// Keeps `refused`, and drops the oldest beyond [`MAX_REFUSED`].
    pub async fn keep_refused(&self, refused: Vec<NewRefused>) -> Result<()> {
        let store = self.clone();
        own_task(async move {
            let mut tx = store.begin().await?;
            let kept = keep(&mut tx, &refused).await;
            tx.end(kept).await
        })
        .await
    }
}

async fn keep(tx: &mut Tx, refused: &[NewRefused]) -> Result<()> {
    tx.execute(&INSERT, &refused).await?;
    with_statement!(tx, TRIM, |sql, connection| {
        sqlx::query(sql).bind(MAX_REFUSED).execute(connection).await?;
    });
    Ok(())
}
