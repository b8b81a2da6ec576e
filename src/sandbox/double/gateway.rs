//! A gateway in memory with the real signature, mapping, rules and books, and optionally one flaw.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::batch::{BatchOutcome, ExistingRewards, Incoming, Reward, SourceTerms, Task};
use domain::ledger::Transfer;
use domain::location::{Location, compare};
use domain::money::Micros;
use domain::policy::Policy;
use domain::postback::event::Params;
use domain::postback::mapping::map;
use domain::postback::networks::coverage::Unsigned;
use domain::postback::signature::{SignatureForm, verify};
use domain::report::day::Tz;
use domain::reward::Status;
use domain::time::TimestampMs;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::addresses::{FAMOUS, HOMES};
use super::super::clock_ms;
use super::{PUBLIC_URL, secret, serve, target};

pub(crate) const TOKEN: &str = "a-token";

/// Small, so that every test reads many pages.
const PAGE_ITEMS: usize = 7;

/// What it does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flaw {
    #[default]
    None,
    /// Every n-th call: 503, and nothing recorded.
    BusyBefore(usize),
    /// Every n-th call: recorded, and then 503.
    BusyAfter(usize),
    /// Every n-th call: acknowledged, and lost.
    Loses(usize),
    /// Every n-th call is booked twice.
    BooksTwice(usize),
    /// Forged calls are acknowledged.
    AcceptsForged,
    /// Reversals are acknowledged and ignored.
    IgnoresReversals,
    /// Credits everything.
    NeverHolds,
    /// Calls that cannot be mapped are discarded.
    DropsBroken,
    /// Rewards are rounded to tens.
    Rounds,
    /// The API shows nothing for this time after the start.
    Late(Duration),
    /// The books do not balance.
    Unproven,
}

pub(crate) struct Gateway {
    flaw: Flaw,
    started: Instant,
    terms: SourceTerms,
    params: Params,
    policy: Policy,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    calls: usize,
    rewards: Vec<Reward>,
    tasks: Vec<(Task, String)>,
    quarantined: Vec<String>,
    balances: HashMap<(String, String), i64>,
}

impl Gateway {
    pub(crate) async fn start(flaw: Flaw) -> SocketAddr {
        let renames = [("user_id", "uid"), ("tx_id", "tx")].map(|(name, param)| (name.into(), param.into()));
        let policy = match flaw {
            Flaw::NeverHolds => "hold_at = 1000\n[rules.T1]\nhard = false\n[rules.V3]\nhard = false",
            _ => "[rules.Q3]\nratio = \"500\"",
        };
        let gateway = Arc::new(Self {
            flaw,
            started: Instant::now(),
            terms: SourceTerms {
                name: "targo-main".into(),
                app: "main".into(),
                currency: "coins".into(),
                retry_horizon_ms: 30 * 3_600_000,
                unsigned: Unsigned::default(),
            },
            params: Params::shipped("targo").expect("it ships").renamed(&renames.into()).expect("good names"),
            policy: Policy::parse(policy).expect("a good policy"),
            books: Mutex::default(),
        });
        serve(move |head| {
            let gateway = Arc::clone(&gateway);
            async move {
                if target(&head).starts_with("/pb/") {
                    return gateway.postback(target(&head));
                }
                if !head.contains(&format!("authorization: Bearer {TOKEN}\r\n")) {
                    return (401, "no".into());
                }
                (200, gateway.api(target(&head)).to_string())
            }
        })
        .await
    }

    fn postback(&self, target: &str) -> (u16, String) {
        let mut books = self.books.lock().expect("no panic");
        books.calls += 1;
        let falls_on = |every: usize| books.calls.is_multiple_of(every);
        let signed = verify(PUBLIC_URL, target, SignatureForm::Empty, &[secret()]).is_ok();
        match self.flaw {
            Flaw::BusyBefore(every) if falls_on(every) => return (503, "busy".into()),
            Flaw::BusyAfter(every) if falls_on(every) && signed => {
                self.settle(target, &mut books);
                return (503, "busy".into());
            }
            Flaw::Loses(every) if falls_on(every) && signed => return (200, "OK".into()),
            Flaw::AcceptsForged => {}
            _ if !signed => return (403, "bad signature".into()),
            _ => {}
        }
        self.settle(target, &mut books);
        (200, "OK".into())
    }

    fn settle(&self, target: &str, books: &mut Books) {
        let Ok(mut event) = map(target, &self.params) else {
            if self.flaw != Flaw::DropsBroken {
                books.quarantined.push(target.into());
            }
            return;
        };
        if self.flaw == Flaw::IgnoresReversals && event.kind == domain::postback::event::Kind::Reversal {
            return;
        }
        if self.flaw == Flaw::Rounds {
            event.reward = event.reward.map(|reward| Micros(reward.0 / 10_000_000 * 10_000_000));
        }
        let location = locate(event.ip.as_deref());
        let geo = compare(event.ip.as_deref(), &location, event.country_code.as_deref());
        let now = TimestampMs(clock_ms());
        let task = Task::of(&self.terms.name, &event).expect("an offer");
        let key = event.tx_id.clone();
        let known = ExistingRewards {
            cases: Vec::new(),
            rewards: books.rewards.iter().filter(|reward| reward.key == key).cloned().collect(),
            tasks: books.tasks.iter().filter(|(known, _)| *known == task).cloned().collect(),
            ..ExistingRewards::default()
        };
        let incoming = Incoming {
            postback_id: 0,
            source: self.terms.clone(),
            received_at: now,
            event,
            location,
            geo,
            caller_listed: None,
            normal: None,
            listed: Vec::new(),
        };
        let outcome = BatchOutcome::of(vec![incoming], known, &self.policy, Tz::UTC, now);
        for settled in outcome.rewards {
            for posting in settled.steps.iter().flat_map(|step| &step.transfers).map(Transfer::posting) {
                let times = match self.flaw {
                    Flaw::BooksTwice(every) if books.calls.is_multiple_of(every) => 2,
                    _ => 1,
                };
                *books.balances.entry((posting.debit, posting.currency.clone())).or_default() -=
                    times * posting.amount.0;
                *books.balances.entry((posting.credit, posting.currency)).or_default() +=
                    times * posting.amount.0;
            }
            match books.rewards.iter_mut().find(|known| known.key == settled.reward.key) {
                Some(known) => *known = settled.reward,
                None => books.rewards.push(settled.reward),
            }
        }
        if !books.tasks.contains(&(task.clone(), key.clone())) {
            books.tasks.push((task, key));
        }
    }

    fn reason(&self, target: &str) -> String {
        map(target, &self.params).expect_err("it cannot be mapped").reason
    }

    fn api(&self, target: &str) -> Value {
        let books = self.books.lock().expect("no panic");
        let (path, _) = target.split_once('?').unwrap_or((target, ""));
        let is_blind = matches!(self.flaw, Flaw::Late(late) if self.started.elapsed() < late);
        let items: Vec<_> = match path {
            "/api/v1/ledger/proof" => return json!({ "proven": self.flaw != Flaw::Unproven }),
            "/api/v1/rewards" => books.rewards.iter().map(row).collect(),
            "/api/v1/postbacks" => {
                let row =
                    |target: &String| json!({ "id": 1, "target": target, "reason": self.reason(target) });
                books.quarantined.iter().map(row).collect()
            }
            _ => {
                let user_id = path.split('/').nth(4).expect("a user");
                let account = (format!("user:main/{user_id}"), "coins".to_owned());
                let balance = books.balances.get(&account).map(|micros| Micros(*micros).to_string());
                let rows: Vec<_> = balance
                    .map(|balance| json!({ "currency": "coins", "balance": balance }))
                    .into_iter()
                    .collect();
                return json!({ "app": "main", "user_id": user_id, "balances": rows });
            }
        };
        let url = reqwest::Url::parse(&format!("{PUBLIC_URL}{target}")).expect("a URL");
        let given = |name: &str| {
            let mut pairs = url.query_pairs();
            pairs.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
        };
        assert_eq!(given("source").as_deref(), Some("targo-main"));
        let from: usize = given("cursor").map_or(0, |cursor| cursor.parse().expect("ours"));
        let items: Vec<_> = if is_blind { Vec::new() } else { items };
        let page: Vec<_> = items.iter().skip(from).take(PAGE_ITEMS).collect();
        let next = (from + PAGE_ITEMS < items.len()).then(|| (from + PAGE_ITEMS).to_string());
        json!({ "items": page, "next": next })
    }
}

fn row(reward: &Reward) -> Value {
    let decimal = |amount: Option<Micros>| amount.map(|amount| amount.to_string());
    json!({
        "id": reward.key, "source": reward.source, "tx_id": reward.key, "user_id": reward.user_id,
        "status": Status::name(reward.status), "currency": reward.currency, "reward": decimal(reward.reward),
        "payout": decimal(reward.payout), "repeats": reward.repeats, "conflict": reward.conflict, "offer_name": null,
    })
}

/// As registry data would.
fn locate(ip: Option<&str>) -> Location {
    let address: Option<IpAddr> = ip.and_then(|ip| ip.parse().ok());
    let country = address.and_then(|address| {
        let famous = FAMOUS.iter().find(|(known, _)| *known == address).map(|(_, country)| *country);
        famous.or_else(|| HOMES.iter().find(|block| block.contains(address)).map(|block| block.country))
    });
    Location { country: country.map(str::to_owned), registry_only: true, ..Location::default() }
}
