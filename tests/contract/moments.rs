//! An answer made of several queries is of one moment, and dropping it leaves nothing behind.

use std::time::Duration;

use domain::review::decision::Review;
use store::rewards::list::RewardFilter;

use crate::support::database::Home;
use crate::support::postbacks::{credit, reversal, suspicious};
use crate::support::processing::{ALL, ann};

contract! {
    both:
        what_is_committed_between_two_readings_is_seen_by_neither,
        a_moment_of_a_moment_is_the_same_one,
        what_is_written_at_a_moment_is_kept,
        moments_that_are_dropped_while_they_read_leave_every_connection_usable;
}

async fn what_is_committed_between_two_readings_is_seen_by_neither(home: &Home) {
    home.process(&[credit("T1")]).await;
    let id = home.reward("T1").await.id;
    let then = home.store.at_one_moment().await.expect("a moment");
    let before = then.reward(id).await.expect("it is read").expect("it is there");
    home.process(&[reversal("T1"), credit("T2")]).await;
    assert_eq!(then.reward(id).await.expect("it is read"), Some(before));
    assert_eq!(then.steps(id).await.expect("they are read").len(), 1);
    assert_eq!(then.rewards(&RewardFilter::default(), ALL).await.expect("they are read").len(), 1);
    assert_eq!(home.store.steps(id).await.expect("they are read").len(), 2);
    drop(then);
    let now = home.store.at_one_moment().await.expect("a moment");
    assert_eq!(now.rewards(&RewardFilter::default(), ALL).await.expect("they are read").len(), 2);
}

async fn a_moment_of_a_moment_is_the_same_one(home: &Home) {
    let then = home.store.at_one_moment().await.expect("a moment");
    assert_eq!(then.rewards(&RewardFilter::default(), ALL).await.expect("they are read").len(), 0);
    home.process(&[credit("T1")]).await;
    let again = then.at_one_moment().await.expect("a moment");
    assert_eq!(again.rewards(&RewardFilter::default(), ALL).await.expect("they are read").len(), 0);
}

async fn what_is_written_at_a_moment_is_kept(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    let id = home.reward("T1").await.id;
    let then = home.store.at_one_moment().await.expect("a moment");
    assert_eq!(then.steps(id).await.expect("they are read").len(), 1);
    then.review(id, Review::Release, ann()).await.expect("it is decided");
    assert_eq!(then.steps(id).await.expect("they are read").len(), 1, "still the same moment");
    assert_eq!(home.store.steps(id).await.expect("they are read").len(), 2);
}

async fn moments_that_are_dropped_while_they_read_leave_every_connection_usable(home: &Home) {
    home.process(&[credit("T1")]).await;
    let id = home.reward("T1").await.id;
    for microseconds in (0..400).map(|step| step * 10) {
        let reading = async {
            let then = home.store.at_one_moment().await?;
            tokio::try_join!(then.reward(id), then.steps(id), then.transfers(id))
        };
        if let Ok(read) = tokio::time::timeout(Duration::from_micros(microseconds), reading).await {
            assert_eq!(read.expect("it is read").1.len(), 1);
        }
    }
    home.process(&[reversal("T1")]).await;
    // Whichever connection answers: none of them is still at an old moment.
    for _ in 0..40 {
        let steps = home.store.steps(id).await.expect("they are read");
        assert_eq!(steps.len(), 2);
    }
}
