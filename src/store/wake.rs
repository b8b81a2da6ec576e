//! Telling workers that something waits.
//!
//! Only ever a hint: a worker also looks by itself from time to time, so a lost hint costs a moment and nothing else.

use sqlx::postgres::PgListener;

use crate::{Database, Result, Store};

/// The Postgres channel that says "the inbox has something".
const INBOX_CHANNEL: &str = "rewardgate_inbox";
/// The Postgres channel that says "a delivery may be due".
const DELIVERIES_CHANNEL: &str = "rewardgate_deliveries";

impl Store {
    /// Wakes a worker of this process.
    pub fn wake_workers(&self) {
        self.wake.notify_one();
    }

    /// Wakes whoever sends deliveries in this process.
    pub fn wake_forwarders(&self) {
        self.wake_forwarders.send_replace(());
    }

    /// Changes whenever a delivery may be due.
    pub fn deliveries_changed(&self) -> tokio::sync::watch::Receiver<()> {
        self.wake_forwarders.subscribe()
    }

    /// Wakes whoever sends deliveries, in any process. A hint that cannot be sent is no fault: everyone looks from time
    /// to time.
    pub(crate) async fn wake_all_forwarders(&self) {
        self.wake_forwarders();
        let _ = self.notify(DELIVERIES_CHANNEL).await;
    }

    /// Wakes workers of other processes, where the database can tell them. Sent outside the recording transaction:
    /// inside it, the notice would make commits wait for each other.
    pub async fn wake_other_processes(&self) -> Result<()> {
        self.notify(INBOX_CHANNEL).await
    }

    async fn notify(&self, channel: &str) -> Result<()> {
        if let Database::Postgres(pool) = &self.database {
            sqlx::query("SELECT pg_notify($1, '')").bind(channel).execute(pool).await?;
        }
        Ok(())
    }

    /// Waits until a worker of this process is woken.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Passes notices of other processes on to the workers of this one, until the connection fails. Never ends on
    /// SQLite, which has none.
    pub async fn pass_on_notices(&self) -> Result<()> {
        let Database::Postgres(pool) = &self.database else { std::future::pending().await };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen_all([INBOX_CHANNEL, DELIVERIES_CHANNEL]).await?;
        loop {
            match listener.recv().await?.channel() {
                DELIVERIES_CHANNEL => self.wake_forwarders(),
                _ => self.wake_workers(),
            }
        }
    }
}
