//! The proof: books that were tampered with are found out, and the tables that must not change cannot be changed.

use domain::money::Micros;
use domain::proof::{DifferingAccount, DifferingReward, Proof};
use domain::review::decision::Review;

use crate::support::database::Home;
use crate::support::postbacks::{PAYOUT, REWARD, credit, reversal, suspicious};

contract! {
    both:
        empty_books_are_proven,
        books_are_proven_after_every_step_and_counted,
        a_tampered_balance_is_found,
        a_balance_that_nothing_was_ever_moved_to_is_found,
        a_tampered_status_is_found,
        a_tampered_amount_is_found,
        a_transfer_that_is_added_by_hand_is_found,
        a_transfer_of_an_account_or_a_reward_that_does_not_exist_is_found,
        transfers_and_steps_are_neither_changed_nor_deleted,
        a_verdict_is_never_changed,
        books_are_proven_on_one_snapshot_while_others_write;
}

async fn proof(home: &Home) -> Proof {
    home.store.prove().await.expect("the books are read")
}

/// One reward of each status: T1 credited, T2 held, T3 rejected, T4 reversed.
async fn one_of_each(home: &Home) {
    home.process(&[credit("T1"), suspicious("T2"), suspicious("T3"), credit("T4"), reversal("T4")]).await;
    let id = home.reward("T3").await.id;
    home.decide(id, Review::Reject).await.expect("it is decided");
    home.prove().await;
}

async fn empty_books_are_proven(home: &Home) {
    let proof = proof(home).await;
    assert_eq!(proof, Proof::default());
    assert!(proof.is_proven());
}

async fn books_are_proven_after_every_step_and_counted(home: &Home) {
    one_of_each(home).await;
    let proof = proof(home).await;
    // user, held, granted, network, earned; two transfers for each of four, two for the reversal, one for the reject.
    assert_eq!((proof.accounts, proof.transfers, proof.rewards), (5, 11, 4));
}

async fn a_tampered_balance_is_found(home: &Home) {
    one_of_each(home).await;
    home.raw()
        .await
        .execute("UPDATE accounts SET balance_micros = balance_micros + 1 WHERE name = 'user:main/u1'")
        .await;
    let proof = proof(home).await;
    let differing = DifferingAccount {
        account: "user:main/u1".into(),
        currency: "coins".into(),
        kept: Micros(REWARD + 1),
        computed: Micros(REWARD),
    };
    assert_eq!((proof.is_proven(), proof.differing_accounts), (false, vec![differing]));
    assert_eq!(proof.differing_rewards, []);
}

async fn a_balance_that_nothing_was_ever_moved_to_is_found(home: &Home) {
    home.raw()
        .await
        .execute(
            "INSERT INTO accounts (name, currency, balance_micros)
             VALUES ('user:main/u9', 'coins', 5), ('user:main/u8', 'coins', 0)",
        )
        .await;
    let differing = proof(home).await.differing_accounts;
    assert_eq!(differing.len(), 1);
    assert_eq!(
        (differing[0].account.as_str(), differing[0].kept, differing[0].computed),
        ("user:main/u9", Micros(5), Micros(0))
    );
}

async fn a_tampered_status_is_found(home: &Home) {
    one_of_each(home).await;
    let rewards =
        [("T1", REWARD, 0, PAYOUT), ("T2", 0, REWARD, PAYOUT), ("T3", 0, 0, PAYOUT), ("T4", 0, 0, 0)];
    for (tx, user, held, earned) in rewards {
        let reward = home.reward(tx).await;
        for status in ["credited", "held", "rejected", "reversed"] {
            let set =
                |status: &str| format!("UPDATE rewards SET status = '{status}' WHERE id = {}", reward.id);
            home.raw().await.execute(&set(status)).await;
            let proof = proof(home).await;
            let differing = DifferingReward {
                reward_id: reward.id,
                status: status.into(),
                user: Micros(user),
                held: Micros(held),
                earned: Micros(earned),
            };
            let expected = if status == reward.status { vec![] } else { vec![differing] };
            assert_eq!(proof.differing_rewards, expected, "{tx} as {status}");
            assert_eq!(proof.differing_accounts, [], "{tx} as {status}");
            home.raw().await.execute(&set(&reward.status)).await;
        }
    }
}

async fn a_tampered_amount_is_found(home: &Home) {
    one_of_each(home).await;
    for (tx, column) in [
        ("T1", "reward_micros"),
        ("T1", "payout_micros"),
        ("T2", "reward_micros"),
        ("T2", "payout_micros"),
        ("T3", "payout_micros"),
    ] {
        let id = home.reward(tx).await.id;
        let add = |micros: i64| format!("UPDATE rewards SET {column} = {column} + {micros} WHERE id = {id}");
        home.raw().await.execute(&add(1)).await;
        let found: Vec<_> =
            proof(home).await.differing_rewards.iter().map(|reward| reward.reward_id).collect();
        assert_eq!(found, [id], "{column} of {tx}");
        home.raw().await.execute(&add(-1)).await;
    }
    home.prove().await;
}

async fn a_transfer_that_is_added_by_hand_is_found(home: &Home) {
    one_of_each(home).await;
    home.raw()
        .await
        .execute(
            "INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at,
                                    business_date)
             SELECT reward_id, step_seq, debit_id, credit_id, 1, currency, booked_at, business_date FROM transfers
             WHERE currency = 'coins' ORDER BY id LIMIT 1",
        )
        .await;
    let proof = proof(home).await;
    let accounts: Vec<_> = proof.differing_accounts.iter().map(|account| account.account.as_str()).collect();
    assert_eq!(accounts, ["granted:targo", "user:main/u1"]);
    assert_eq!(proof.differing_rewards.len(), 1);
}

async fn transfers_and_steps_are_neither_changed_nor_deleted(home: &Home) {
    one_of_each(home).await;
    let mut raw = home.raw().await;
    let before = raw.census().await;
    for (sql, says) in [
        ("UPDATE transfers SET amount_micros = amount_micros + 1", "a transfer never changes"),
        ("UPDATE transfers SET business_date = '2020-01-01'", "a transfer never changes"),
        ("DELETE FROM transfers", "a transfer is never deleted"),
        ("UPDATE steps SET actor = 'nobody'", "a step never changes"),
        ("UPDATE steps SET note = NULL", "a step never changes"),
        ("DELETE FROM steps", "a step is never deleted"),
    ] {
        let refused = raw.attempt(sql).await.expect_err(sql);
        assert!(refused.to_string().contains(says), "{sql}: {refused}");
    }
    assert_eq!(raw.census().await, before);
    home.prove().await;
}

async fn a_verdict_is_never_changed(home: &Home) {
    one_of_each(home).await;
    let mut raw = home.raw().await;
    for sql in ["UPDATE verdicts SET score = 0", "UPDATE verdicts SET facts = '{}' WHERE hard = 1"] {
        let refused = raw.attempt(sql).await.expect_err(sql);
        assert!(refused.to_string().contains("a verdict never changes"), "{sql}: {refused}");
    }
    let refused = raw.attempt("DELETE FROM verdicts").await.expect_err("it stays");
    assert!(refused.to_string().contains("a verdict is never deleted"), "{refused}");
    let id = home.reward("T2").await.id;
    assert!(home.reward("T2").await.verdict.is_some_and(|verdict| verdict.signals.len() > 2), "reward {id}");
}

async fn books_are_proven_on_one_snapshot_while_others_write(home: &Home) {
    let calls: Vec<_> = (0..120).map(|number| credit(&format!("T{number}"))).collect();
    home.record(&calls).await;
    let writing = async { while !home.process_waiting(3).await.postbacks.is_empty() {} };
    let proving = async {
        while proof(home).await.rewards < 120 {
            home.prove().await;
        }
    };
    tokio::join!(writing, proving);
    home.prove().await;
}

/// There are no foreign keys: the proof is what finds it.
async fn a_transfer_of_an_account_or_a_reward_that_does_not_exist_is_found(home: &Home) {
    one_of_each(home).await;
    let transfer = |reward_id: i64, debit_id: i64, credit_id: i64| {
        format!(
            "INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at,
                                    business_date)
             VALUES ({reward_id}, 1, {debit_id}, {credit_id}, 7, 'coins', 0, '2026-11-23')"
        )
    };
    let mut raw = home.raw().await;
    let account = raw.number("SELECT id FROM accounts WHERE name = 'granted:targo'").await;
    // There and back: every balance and every sum stays as it was.
    for (debit_id, credit_id) in [(account, 999), (999, account)] {
        raw.execute(&transfer(888, debit_id, credit_id)).await;
    }
    let proof = proof(home).await;
    let accounts: Vec<_> = proof.differing_accounts.iter().map(|account| account.account.as_str()).collect();
    assert_eq!(accounts, ["an account that does not exist"]);
    let rewards: Vec<_> =
        proof.differing_rewards.iter().map(|reward| (reward.reward_id, reward.status.as_str())).collect();
    assert_eq!(rewards, [(888, "missing")]);
}
