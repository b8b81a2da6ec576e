//! The books: what each step moves, and what that leaves on the accounts. Nothing else ever moves.

use domain::review::decision::Review;
use store::ledger::BalanceRow;
use store::review::decisions::Reviewed;

use crate::support::database::Home;
use crate::support::postbacks::{GEMS_SOURCE, NOW, PAYOUT, REWARD, TODAY, credit, reversal, suspicious};
use crate::support::processing::{CREDITED, HELD, plain};

contract! {
    both:
        a_credit_moves_granted_to_user_and_network_to_earned,
        a_hold_moves_granted_to_held_and_network_to_earned,
        a_release_moves_held_to_user,
        a_reject_moves_held_to_granted,
        an_overturn_moves_granted_to_user,
        a_reversal_of_a_credit_moves_user_to_granted_and_earned_to_network,
        a_reversal_of_a_hold_moves_held_to_granted_and_earned_to_network,
        a_reversal_of_a_rejected_reward_moves_only_earned_to_network,
        a_reversal_that_comes_first_moves_nothing,
        a_payout_that_is_not_sent_moves_nothing,
        many_rewards_add_up,
        a_user_has_one_balance_for_each_currency,
        a_user_nobody_knows_has_no_balance,
        an_id_of_a_user_is_never_taken_for_another,
        a_source_goes_on_beyond_what_one_whole_number_holds;
}

const CREDIT: [&str; 2] = ["1: granted → user u1, 500 coins", "1: network → earned, 1 USD"];
const HOLD: [&str; 2] = ["1: granted → held, 500 coins", "1: network → earned, 1 USD"];
const REJECTED: [(&str, i64); 2] = [("earned", PAYOUT), ("network", -PAYOUT)];

/// Asserts the transfers of each step of the reward `T1`, and the balances after them.
async fn assert_books(home: &Home, moved: &[&[&str]], left: &[(&str, i64)]) {
    let reward = home.reward("T1").await;
    assert_eq!(home.booked(reward.id).await, moved.concat());
    assert_eq!(plain(&home.balances("targo").await), left);
    home.prove().await;
}

async fn decide(home: &Home, decision: Review) {
    let id = home.reward("T1").await.id;
    assert_eq!(home.decide(id, decision).await.expect("it is decided"), Reviewed::Done);
}

async fn a_credit_moves_granted_to_user_and_network_to_earned(home: &Home) {
    home.process(&[credit("T1")]).await;
    assert_books(home, &[&CREDIT], &CREDITED).await;
    let id = home.reward("T1").await.id;
    for transfer in home.store.transfers(id).await.expect("transfers are read") {
        assert_eq!((transfer.booked_at, transfer.business_date.as_str()), (NOW.0, TODAY));
    }
}

async fn a_hold_moves_granted_to_held_and_network_to_earned(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    assert_books(home, &[&HOLD], &HELD).await;
}

async fn a_release_moves_held_to_user(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    decide(home, Review::Release).await;
    assert_books(home, &[&HOLD, &["2: held → user u1, 500 coins"]], &CREDITED).await;
}

async fn a_reject_moves_held_to_granted(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    decide(home, Review::Reject).await;
    assert_books(home, &[&HOLD, &["2: held → granted, 500 coins"]], &REJECTED).await;
}

async fn an_overturn_moves_granted_to_user(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    decide(home, Review::Reject).await;
    decide(home, Review::Release).await;
    let moved: [&[&str]; 3] =
        [&HOLD, &["2: held → granted, 500 coins"], &["3: granted → user u1, 500 coins"]];
    assert_books(home, &moved, &CREDITED).await;
}

async fn a_reversal_of_a_credit_moves_user_to_granted_and_earned_to_network(home: &Home) {
    home.process(&[credit("T1")]).await;
    home.process(&[reversal("T1"), reversal("T1")]).await;
    let back = ["2: user u1 → granted, 500 coins", "2: earned → network, 1 USD"];
    assert_books(home, &[&CREDIT, &back], &[]).await;
}

async fn a_reversal_of_a_hold_moves_held_to_granted_and_earned_to_network(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    home.process(&[reversal("T1"), reversal("T1")]).await;
    let back = ["2: held → granted, 500 coins", "2: earned → network, 1 USD"];
    assert_books(home, &[&HOLD, &back], &[]).await;
}

async fn a_reversal_of_a_rejected_reward_moves_only_earned_to_network(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    decide(home, Review::Reject).await;
    home.process(&[reversal("T1"), reversal("T1")]).await;
    let moved: [&[&str]; 3] = [&HOLD, &["2: held → granted, 500 coins"], &["3: earned → network, 1 USD"]];
    assert_books(home, &moved, &[]).await;
    assert_eq!(home.reward("T1").await.status, "reversed");
}

async fn a_reversal_that_comes_first_moves_nothing(home: &Home) {
    home.process(&[reversal("T1").with("reward", 500).with("payout", 1)]).await;
    home.process(&[credit("T1")]).await;
    assert_books(home, &[], &[]).await;
}

async fn a_payout_that_is_not_sent_moves_nothing(home: &Home) {
    home.process(&[credit("T1").without("payout")]).await;
    let status = home.reward("T1").await.status;
    let (moved, left) = match status.as_str() {
        "credited" => (CREDIT[0], [("granted", -REWARD), ("user u1", REWARD)]),
        _ => (HOLD[0], [("granted", -REWARD), ("held", REWARD)]),
    };
    assert_books(home, &[&[moved]], &left).await;
}

async fn many_rewards_add_up(home: &Home) {
    let calls: Vec<_> = (1..=20)
        .map(|number| credit(&format!("T{number}")).by(if number % 2 == 0 { "even" } else { "odd" }))
        .collect();
    home.process(&calls[..7]).await;
    home.process(&calls[7..]).await;
    home.process(&[reversal("T2").by("even"), reversal("T4").by("even"), reversal("T1").by("odd")]).await;
    let left = [
        ("earned", 17 * PAYOUT),
        ("granted", -17 * REWARD),
        ("network", -17 * PAYOUT),
        ("user even", 8 * REWARD),
        ("user odd", 9 * REWARD),
    ];
    assert_eq!(plain(&home.balances("targo").await), left);
    home.prove().await;
}

async fn a_user_has_one_balance_for_each_currency(home: &Home) {
    home.process(&[credit("T1"), credit("T1").of_source(GEMS_SOURCE).with("reward", 7)]).await;
    let balance = |currency: &str, balance_micros| BalanceRow { currency: currency.into(), balance_micros };
    let balances = home.store.balances("main", "u1").await.expect("balances are read");
    assert_eq!(balances, [balance("coins", REWARD), balance("gems", 7_000_000)]);

    home.process(&[reversal("T1")]).await;
    let balances = home.store.balances("main", "u1").await.expect("balances are read");
    assert_eq!(balances, [balance("coins", 0), balance("gems", 7_000_000)]);
    home.prove().await;
}

async fn a_user_nobody_knows_has_no_balance(home: &Home) {
    home.process(&[credit("T1"), suspicious("T2").by("u2")]).await;
    for (app, user_id) in [("main", "u9"), ("other", "u1"), ("main", "u2"), ("main", "U1"), ("main", "")] {
        assert_eq!(
            home.store.balances(app, user_id).await.expect("balances are read"),
            [],
            "{app}/{user_id}"
        );
    }
}

async fn an_id_of_a_user_is_never_taken_for_another(home: &Home) {
    // Encoded for the query: all that stands in the names of accounts, and what differs only a little.
    let ids =
        [("u1", "u1"), ("U1", "U1"), ("u1%2F", "u1/"), ("%2Fu1", "/u1"), ("u%3A1", "u:1"), ("%C3%BC", "ü")];
    let calls: Vec<_> = ids
        .iter()
        .zip(1..)
        .map(|((sent, _), amount)| credit(&format!("T{amount}")).by(sent).with("reward", amount))
        .collect();
    home.process(&calls).await;
    for ((_, id), amount) in ids.iter().zip(1..) {
        let balances = home.store.balances("main", id).await.expect("balances are read");
        assert_eq!(
            balances,
            [BalanceRow { currency: "coins".into(), balance_micros: amount * PAYOUT }],
            "{id}"
        );
    }
    home.prove().await;
}

/// Books so many times 10^18 micros of granted coins long ago, a transfer each, to a user of their own.
async fn grant_long_ago(home: &Home, user: &str, times: i64) {
    let account =
        |name: &str| format!("(SELECT id FROM accounts WHERE name = '{name}' AND currency = 'coins')");
    let (from, to) = (account("granted:targo"), account(&format!("user:main/{user}")));
    let accounts = format!(
        "INSERT INTO accounts (name, currency, balance_micros)
         VALUES ('granted:targo', 'coins', 0), ('user:main/{user}', 'coins', 0) ON CONFLICT DO NOTHING;
         UPDATE accounts SET balance_micros = balance_micros + {times} * 1000000000000000000 WHERE id = {to};
         UPDATE accounts SET balance_micros = balance_micros - {times} * 1000000000000000000 WHERE id = {from};"
    );
    let transfer = format!(
        "INSERT INTO transfers (debit_id, credit_id, amount_micros, currency, booked_at, business_date)
         VALUES ({from}, {to}, 1000000000000000000, 'coins', 0, '2026-11-01');"
    );
    let sql = std::iter::once(accounts).chain((0..times).map(|_| transfer.clone())).collect::<Vec<_>>();
    home.raw().await.execute(&sql.concat()).await;
}

async fn a_source_goes_on_beyond_what_one_whole_number_holds(home: &Home) {
    // Up to the bound that a single number has in the table, as an older version left it.
    grant_long_ago(home, "early", 9).await;
    home.process(&[
        credit("T1"),
        credit("T2").by("u2").with("reward", "1000000000"),
        suspicious("T3").by("u3"),
    ])
    .await;
    assert_eq!(home.reward("T1").await.status, "credited");
    home.prove().await;
    let report = crate::reports::report(home, TODAY).await;
    assert!(report.ties_out, "{:?}", report.faults);
    // Once it carries, there is room again: to the bound, over it, and back.
    for (round, user) in ["second", "third", "fourth"].into_iter().enumerate() {
        grant_long_ago(home, user, 4).await;
        let tx = format!("R{round}");
        home.process(&[credit(&tx).by("u5")]).await;
        home.process(&[reversal(&tx).by("u5")]).await;
        assert_eq!(home.reward(&tx).await.status, "reversed");
        home.prove().await;
    }
    let carries = "SELECT carries FROM accounts WHERE name = 'granted:targo'";
    assert_eq!(home.raw().await.number(carries).await, -4, "21 * 10^18 is more than four times 2^62");
    // Tampering with carried balances is found too.
    let tamper = "UPDATE accounts SET carries = carries + 1 WHERE name = 'granted:targo'";
    home.raw().await.execute(tamper).await;
    assert!(!home.store.prove().await.expect("the books are read").is_proven());
}
