//! Any interleaving of postbacks and reviews against a model that is too simple to be wrong.

use proptest::prelude::*;

use super::*;

/// One thing that happens to one of a few rewards.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Credit,
    Suspicious,
    Reversal,
    Review(Review),
    /// Ends the batch; what follows is processed in the next one.
    Flush,
}

/// The naive model: a map from key to status, changed by the obvious rule.
fn model(statuses: &mut BTreeMap<String, Status>, key: &str, happening: Happening) {
    let status = statuses.get(key).copied();
    let next = match (happening, status) {
        (Happening::Suspicious, None) => Some(Status::Held),
        (Happening::Reversal, _) => Some(Status::Reversed),
        (Happening::Credit, None)
        | (Happening::Review(Review::Release), Some(Status::Held | Status::Rejected)) => {
            Some(Status::Credited)
        }
        (Happening::Review(Review::Reject), Some(Status::Held)) => Some(Status::Rejected),
        _ => None,
    };
    if let Some(next) = next {
        statuses.insert(key.into(), next);
    }
}

proptest! {
    #[test]
    fn any_interleaving_keeps_the_books_balanced_and_equals_the_naive_model(
        happenings in prop::collection::vec((0..4_usize, prop_oneof![
            3 => Just(Happening::Credit),
            2 => Just(Happening::Suspicious),
            2 => Just(Happening::Reversal),
            1 => Just(Happening::Review(Review::Release)),
            1 => Just(Happening::Review(Review::Reject)),
            2 => Just(Happening::Flush),
        ]), 0..60)
    ) {
        let keys = ["T1", "T2", "T3", "T4"];
        let (mut books, mut batch, mut statuses) = (Books::default(), Vec::new(), BTreeMap::new());
        for (key, happening) in happenings {
            let key = keys[key];
            match happening {
                Happening::Credit => batch.push(credit(key)),
                Happening::Suspicious => batch.push(suspicious(key)),
                Happening::Reversal => batch.push(reversal(key)),
                Happening::Review(_) | Happening::Flush => {
                    books.process(&std::mem::take(&mut batch));
                    if let Happening::Review(review) = happening {
                        books.review(key, review);
                    }
                }
            }
            model(&mut statuses, key, happening);
        }
        books.process(&batch);

        let count = |wanted| i64::try_from(statuses.values().filter(|status| **status == wanted).count());
        let (credited, held, rejected) =
            (count(Status::Credited)?, count(Status::Held)?, count(Status::Rejected)?);
        let mut expected = BTreeMap::from([
            ("user:main/u1".to_owned(), credited * 500),
            ("held:targo".into(), held * 500),
            ("granted:targo".into(), -(credited + held) * 500),
            ("earned:targo".into(), credited + held + rejected),
            ("network:targo".into(), -(credited + held + rejected)),
        ]);
        expected.retain(|_, balance| *balance != 0);
        prop_assert_eq!(books.balances(), expected);
        for key in keys {
            prop_assert_eq!(books.status(key), statuses.get(key).copied());
        }
    }
}
