//! Wakes workers when something waits.
//!
//! A wake-up is only a hint: workers also poll, so a lost one only delays the work a little.

use std::time::Duration;

use sqlx::postgres::PgListener;

use crate::db::deadline::{READ, too_late};
use crate::db::line::SIGN_OF_LIFE;
use crate::{Database, Result, Store};

/// Postgres channel: the inbox has new postbacks.
const INBOX_CHANNEL: &str = "rewardgate_inbox";
/// Postgres channel: a delivery may be due.
const DELIVERIES_CHANNEL: &str = "rewardgate_deliveries";
/// How long the LISTEN connection may be silent before it is pinged.
const PING_EVERY: Duration = Duration::from_secs(5);

impl Store {
    /// Wakes a worker of this process.
    pub fn wake_workers(&self) {
        self.wake.notify_one();
    }

    /// Wakes the delivery workers of this process.
    pub fn wake_forwarders(&self) {
        self.wake_forwarders.send_replace(());
    }

    /// Signals that a delivery may be due.
    pub fn deliveries_changed(&self) -> tokio::sync::watch::Receiver<()> {
        self.wake_forwarders.subscribe()
    }

    /// Wakes the delivery workers of all processes. A failed notification is no error, because workers also poll.
    pub(crate) async fn wake_all_forwarders(&self) {
        self.wake_forwarders();
        let _ = self.notify(DELIVERIES_CHANNEL).await;
    }

    /// Wakes the postback workers of other processes, on Postgres. Sent outside the recording transaction, where it would
    /// make commits wait for each other.
    pub async fn wake_other_processes(&self) -> Result<()> {
        self.notify(INBOX_CHANNEL).await
    }

    async fn notify(&self, channel: &str) -> Result<()> {
        if let Database::Postgres(line) = &self.database {
            let sent =
                async { sqlx::query("SELECT pg_notify($1, '')").bind(channel).execute(&line.pool()).await };
            self.within(READ, sent).await?;
        }
        Ok(())
    }

    /// Waits for a wake-up of the postback workers of this process.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Wakes this process's workers on notifications from other processes, until the connection fails. Never ends on
    /// SQLite, which has no notifications.
    pub async fn pass_on_notices(&self) -> Result<()> {
        let Database::Postgres(line) = &self.database else { std::future::pending().await };
        let generation = line.generation();
        let begun = async {
            let mut listener = PgListener::connect_with(&line.pool()).await?;
            listener.listen_all([INBOX_CHANNEL, DELIVERIES_CHANNEL]).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        let mut listener = self.within(READ, begun).await?;
        loop {
            tokio::select! {
                notice = listener.recv() => match notice?.channel() {
                    DELIVERIES_CHANNEL => self.wake_forwarders(),
                    _ => self.wake_workers(),
                },
                () = line.renewed(generation) => return Err(too_late(SIGN_OF_LIFE).into()),
                // The connection is otherwise idle: only a ping shows that it is dead.
                () = tokio::time::sleep(PING_EVERY) => {
                    let ping = sqlx::query("SELECT 1").execute(&mut listener);
                    let Ok(answer) = tokio::time::timeout(SIGN_OF_LIFE, ping).await else {
                        line.renew(generation, "the LISTEN connection does not answer a ping");
                        return Err(too_late(SIGN_OF_LIFE).into());
                    };
                    answer?;
                }
            }
        }
    }
}
