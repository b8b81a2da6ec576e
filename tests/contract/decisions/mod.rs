//! One click that decides on many rewards.

mod clicks;
mod two_people;

use domain::review::decision::Review;
use domain::review::queue::{ReviewTerms, SecondPerson};
use store::Store;
use store::review::decisions::{BulkDecision, BulkDecisionResult, Reviewer, Wanted};
use store::review::holds::HoldFilter;

use crate::support::database::Home;
use crate::support::postbacks::{NOW, TODAY, suspicious};

fn by(person: &str) -> Reviewer {
    Reviewer { actor: person.into(), note: Some("why".into()), now: NOW, business_date: TODAY.into() }
}

async fn queue(home: &Home) -> Vec<Wanted> {
    let ids = home.store.hold_ids(&HoldFilter::default(), 10_000).await.expect("listed");
    ids.into_iter().map(|(reward_id, steps)| Wanted { reward_id, steps }).collect()
}

async fn decide(store: &Store, wanted: &[Wanted], decision: Review, person: &str) -> BulkDecisionResult {
    let decide = BulkDecision { wanted: wanted.to_vec(), decision, overturn: false, reviewer: by(person) };
    store.decide(decide).await.expect("decided")
}

async fn hold(home: &Home, count: usize) -> Vec<Wanted> {
    let calls: Vec<_> =
        (0..count).map(|number| suspicious(&format!("T{number}")).by(&format!("u{}", number % 97))).collect();
    home.process(&calls).await;
    queue(home).await
}

fn needing(second: SecondPerson) -> ReviewTerms {
    ReviewTerms { second, ..ReviewTerms::default() }
}
