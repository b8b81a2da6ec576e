//! Telling workers that something waits.
//!
//! Only ever a hint: a worker also looks by itself from time to time, so a lost hint costs a moment and nothing else.

use std::time::Duration;

use sqlx::postgres::PgListener;

use crate::db::deadline::{READ, too_late};
use crate::db::line::SIGN_OF_LIFE;
use crate::{Database, Result, Store};

/// The Postgres channel that says "the inbox has something".
const INBOX_CHANNEL: &str = "rewardgate_inbox";
/// The Postgres channel that says "a delivery may be due".
const DELIVERIES_CHANNEL: &str = "rewardgate_deliveries";
/// How long the connection that listens may say nothing before it is asked for a sign of life.
const ASK_EVERY: Duration = Duration::from_secs(5);

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
        if let Database::Postgres(line) = &self.database {
            let told =
                async { sqlx::query("SELECT pg_notify($1, '')").bind(channel).execute(&line.pool()).await };
            self.within(READ, told).await?;
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
                // Nothing else is ever said on this connection: without a question, nobody would see that it is dark.
                () = tokio::time::sleep(ASK_EVERY) => {
                    let asked = sqlx::query("SELECT 1").execute(&mut listener);
                    let Ok(answer) = tokio::time::timeout(SIGN_OF_LIFE, asked).await else {
                        line.renew(generation, "the connection that listens gives no sign of life");
                        return Err(too_late(SIGN_OF_LIFE).into());
                    };
                    answer?;
                }
            }
        }
    }
}
