//! The API of the gateway: rewards, quarantined postbacks, balances, the ledger proof.

use domain::postback::macros::encoded;
use domain::reward::Status;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::CheckError;
use crate::http::{Http, Request};

/// Maximum page size of the API.
const PAGE_ITEMS: u32 = 1_000;

/// Far above a page of rewards with all their signals.
const MAX_BODY_BYTES: usize = 64 * 1_024 * 1_024;

/// The fields of a reward that are compared.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RewardRow {
    pub(super) id: Value,
    pub(super) tx_id: String,
    pub(super) user_id: String,
    pub(super) status: Status,
    pub(super) currency: String,
    pub(super) reward: Option<String>,
    pub(super) payout: Option<String>,
    pub(super) repeats: i64,
    pub(super) conflict: bool,
}

#[derive(Deserialize)]
struct PostbackRow {
    target: String,
    /// Why it could not be mapped.
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Balances {
    balances: Vec<BalanceRow>,
}

/// Balance of a user in one currency.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct BalanceRow {
    pub(super) currency: String,
    pub(super) balance: String,
}

#[derive(Deserialize)]
struct Proof {
    proven: bool,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<Value>,
}

/// The API of one gateway.
#[derive(Clone)]
pub(super) struct Api<H> {
    pub(super) http: H,
    /// Without a slash at the end.
    pub(super) base: String,
    pub(super) token: String,
}

impl<H: Http> Api<H> {
    /// Hands every reward of `source` to `each`.
    pub(super) async fn rewards(&self, source: &str, each: impl FnMut(RewardRow)) -> Result<(), CheckError> {
        self.walk(&format!("/api/v1/rewards?source={}", encoded(source)), each).await
    }

    /// Hands target and reason of every quarantined postback of `source` to `each`.
    pub(super) async fn quarantined(
        &self,
        source: &str,
        mut each: impl FnMut(&str, &str),
    ) -> Result<(), CheckError> {
        let path = format!("/api/v1/postbacks?outcome=quarantined&source={}", encoded(source));
        self.walk(&path, |row: PostbackRow| each(&row.target, row.reason.as_deref().unwrap_or("no reason")))
            .await
    }

    /// The balances of a user, one per currency.
    pub(super) async fn balances(
        &self,
        user_id: &str,
        app: Option<&str>,
    ) -> Result<Vec<BalanceRow>, CheckError> {
        let app = app.map(|app| format!("?app={}", encoded(app))).unwrap_or_default();
        let balances: Balances =
            self.get(&format!("/api/v1/users/{}/balance{app}", encoded(user_id))).await?;
        Ok(balances.balances)
    }

    /// True if the ledger is proven.
    pub(super) async fn is_proven(&self) -> Result<bool, CheckError> {
        let proof: Proof = self.get("/api/v1/ledger/proof").await?;
        Ok(proof.proven)
    }

    async fn walk<T: DeserializeOwned>(&self, path: &str, mut each: impl FnMut(T)) -> Result<(), CheckError> {
        let mut cursor: Option<String> = None;
        loop {
            let from =
                cursor.as_deref().map(|cursor| format!("&cursor={}", encoded(cursor))).unwrap_or_default();
            let page: Page<T> = self.get(&format!("{path}&limit={PAGE_ITEMS}{from}")).await?;
            page.items.into_iter().for_each(&mut each);
            let next = match page.next {
                None | Some(Value::Null) => return Ok(()),
                Some(Value::String(next)) => next,
                Some(next) => next.to_string(),
            };
            if cursor.as_deref() == Some(next.as_str()) {
                return Err(CheckError::Endless(path.into()));
            }
            cursor = Some(next);
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CheckError> {
        let url = format!("{}{path}", self.base);
        let request = Request::get(&url, Some(&self.token), MAX_BODY_BYTES);
        let path = || path.to_owned();
        let reply = self.http.send(request).await;
        let reply = reply.map_err(|error| CheckError::NoAnswer(path(), error.reason))?;
        if reply.status != 200 {
            let body = String::from_utf8_lossy(&reply.body).chars().take(200).collect();
            return Err(CheckError::Status(path(), reply.status, body));
        }
        serde_json::from_slice(&reply.body).map_err(|error| CheckError::Malformed(path(), error.to_string()))
    }
}
