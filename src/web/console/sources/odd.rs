//! Sub ids whose completions differ from the rest of their network, as the newest baseline has them.

use std::sync::Arc;

use domain::baseline::Baseline;
use domain::baseline::shares::OddShare;
use tokio::sync::Mutex;
use tracing::warn;

use crate::console::Console;
use crate::console::review::lists::Target;
use crate::console::shell::answer::PageError;
use crate::console::shell::show::number;

/// Sub ids that are listed for a source, those with the most completions.
const LISTED: usize = 20;

/// The odd sub ids of the newest baseline with its version: a baseline is read once, not for every viewer.
#[derive(Debug, Default)]
pub struct OddSubIds(Mutex<(String, Arc<Vec<OddShare>>)>);

/// A sub id as it is shown.
pub(super) struct Row {
    pub(super) sub_id: String,
    pub(super) offer_id: String,
    pub(super) completions: String,
    /// What is odd about it.
    pub(super) sentences: Vec<String>,
}

impl OddSubIds {
    /// Those of the newest baseline, by source, sub id and offer; none if there is no baseline.
    pub(in crate::console) async fn newest(
        &self,
        console: &Console,
    ) -> Result<Arc<Vec<OddShare>>, PageError> {
        let mut kept = self.0.lock().await;
        if let Some(newer) = console.store.newest_baseline(&kept.0).await? {
            let odd = match Baseline::parse(&newer.content) {
                Ok(baseline) => baseline.odd_shares().to_vec(),
                Err(error) => {
                    warn!(version = newer.version, %error, "the newest baseline cannot be read");
                    Vec::new()
                }
            };
            *kept = (newer.version, Arc::new(odd));
        }
        Ok(kept.1.clone())
    }
}

/// Those of one source, the largest first.
fn largest<'a>(odd: &'a [OddShare], source: &str) -> Vec<&'a OddShare> {
    let mut of_source: Vec<_> = odd.iter().filter(|share| share.source == source).collect();
    of_source.sort_by_key(|share| std::cmp::Reverse(share.oddity.n));
    of_source.truncate(LISTED);
    of_source
}

/// The rows of a source.
pub(super) fn rows(odd: &[OddShare], source: &str) -> Vec<Row> {
    let row = |share: &OddShare| Row {
        sub_id: share.sub_id.clone(),
        offer_id: share.offer_id.clone(),
        completions: number(share.oddity.n),
        sentences: share.oddity.sentences(),
    };
    largest(odd, source).into_iter().map(row).collect()
}

/// What an entry of a list can name of them: each sub id once.
pub(super) fn targets(odd: &[OddShare], source: &str) -> Vec<Target> {
    let mut sub_ids: Vec<&str> = Vec::new();
    for share in largest(odd, source) {
        if !share.sub_id.is_empty() && !sub_ids.contains(&share.sub_id.as_str()) {
            sub_ids.push(&share.sub_id);
        }
    }
    sub_ids.into_iter().map(|sub_id| Target::of_sub_id(sub_id, source)).collect()
}

#[cfg(test)]
mod tests {
    use domain::baseline::shares::Oddity;

    use super::*;

    fn share(source: &str, sub_id: &str, offer_id: &str, n: i64) -> OddShare {
        let oddity = Oddity { n, fast: Some((182, 4)), slow: None, reversed: Some((90, 20)) };
        OddShare { source: source.into(), sub_id: sub_id.into(), offer_id: offer_id.into(), oddity }
    }

    #[test]
    fn the_largest_come_first_and_each_sub_id_can_be_listed_once() {
        let odd = [
            share("one", "a", "7", 30),
            share("one", "a", "8", 1_500),
            share("one", "b", "7", 40),
            share("one", "", "9", 50),
            share("two", "c", "7", 9_000),
        ];
        let shown = rows(&odd, "one");
        assert_eq!(
            shown.iter().map(|row| row.completions.as_str()).collect::<Vec<_>>(),
            ["1,500", "50", "40", "30"]
        );
        assert_eq!(
            shown[0].sentences,
            ["18.2 % under 10 s, 0.4 % elsewhere", "9.0 % taken back, 2.0 % elsewhere"]
        );
        let listed: Vec<_> = targets(&odd, "one").into_iter().map(|target| target.fields).collect();
        assert_eq!(listed, ["kind=sub_id&value=a&source=one&app=", "kind=sub_id&value=b&source=one&app="]);
        let many: Vec<_> = (0..50).map(|number| share("one", &number.to_string(), "7", number)).collect();
        assert_eq!(rows(&many, "one").len(), LISTED);
    }
}
