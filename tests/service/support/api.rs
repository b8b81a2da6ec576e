//! The API as a program of the publisher uses it.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::http::{Answer, Request, call};
use crate::support::wait::until;

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

impl Api {
    /// The same person at another address.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self { address, token: self.token.clone() }
    }

    /// Asks for `path`, which stands under `/api/v1/`.
    pub(crate) fn ask(&self, path: &str) -> Answer {
        call(self.address, &self.authorized(Request::get(format!("/api/v1/{path}"))))
    }

    /// Asks for `path` and demands an answer.
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.ask(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        json_of(&answer)
    }

    /// Decides on a reward, with a note.
    pub(crate) fn decide(&self, id: i64, decision: &str, note: &str) -> Answer {
        self.post(&format!("rewards/{id}/{decision}"), &json!({ "note": note }).to_string())
    }

    /// Posts `body`.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.post_bytes(path, body.as_bytes())
    }

    /// Sends bytes that need not be text.
    pub(crate) fn post_bytes(&self, path: &str, body: &[u8]) -> Answer {
        let request =
            Request::new("POST", format!("/api/v1/{path}")).header("Content-Type", "application/json");
        call(self.address, &self.authorized(request).body(body))
    }

    /// Everything in a list, page by page.
    pub(crate) fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        let separator = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self.get(&format!("{path}{separator}limit={limit}&cursor={cursor}"));
            let found = page["items"].as_array().expect("items");
            assert!(found.len() <= limit, "more than a page holds");
            items.extend_from_slice(found);
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return items,
            }
        }
    }

    /// Waits until nothing recorded is left to process.
    pub(crate) fn await_processing(&self) {
        until("an empty inbox", || {
            self.get("postbacks?outcome=received&limit=1")["items"].get(0).is_none().then_some(())
        });
    }

    /// How many postbacks wait to be processed.
    pub(crate) fn waiting(&self) -> usize {
        self.get("postbacks?outcome=received&limit=1000")["items"].as_array().expect("a list").len()
    }

    /// Waits until everything is processed, then hands back the reward of this transaction with all that belongs to it.
    pub(crate) fn reward(&self, tx: &str) -> Value {
        self.await_processing();
        let list = self.get(&format!("rewards?tx_id={tx}"));
        assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "one reward of {tx}: {list}");
        self.get(&format!("rewards/{}", list["items"][0]["id"]))
    }

    /// What a user has; `0` if they never had anything.
    pub(crate) fn balance(&self, user: &str) -> String {
        let answer = self.get(&format!("users/{user}/balance"));
        match answer["balances"].as_array().expect("balances").as_slice() {
            [] => "0".into(),
            [balance] => balance["balance"].as_str().expect("a balance").into(),
            more => panic!("one currency, not {more:?}"),
        }
    }

    /// Everything that the process measures.
    pub(crate) fn metrics(&self) -> String {
        call(self.address, &self.authorized(Request::get("/metrics"))).body
    }

    fn authorized(&self, request: Request) -> Request {
        request.header("Authorization", &format!("Bearer {}", self.token))
    }
}

/// The JSON in an answer.
pub(crate) fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

/// One field of each item.
pub(crate) fn field(items: &Value, name: &str) -> Vec<Value> {
    items.as_array().expect("a list").iter().map(|item| item[name].clone()).collect()
}
