//! What networks paid: each payment is booked once, more than is open is asked about, a mistake is taken back, and a new
//! version keeps what was paid and accepted before.

use domain::money::{Micros, Positive};
use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::life::State;
use store::statements::{Accepted, Discarded, Paid, Payment, TakenBack};

use crate::statements::{HEADER, OVERDUE, import, line, of, ten, totals, word};
use crate::support::database::Home;
use crate::support::postbacks::{NOW, SOURCE, TODAY};

contract! {
    both:
        a_payment_is_booked_once_for_each_key,
        more_than_is_open_is_asked_about_first,
        a_payment_is_taken_back_by_the_opposite_transfer,
        a_new_version_keeps_payments_and_acceptances,
        what_was_paid_is_taken_back_before_a_statement_is_discarded,
        the_proof_finds_a_payment_that_was_never_booked;
}

/// The statement of ten dollars that these tests pay.
async fn november(home: &Home) -> i64 {
    ten(home).await;
    let file = (0..10).fold(HEADER.to_owned(), |file, n| file + &of(n, "approved", "1.00"));
    import(home, "november.csv", &file).await
}

fn payment(micros: i64, key: Option<&str>) -> Payment {
    let amount = Positive::new(Micros(micros)).expect("above zero");
    Payment { amount, key: key.map(str::to_owned), confirmed: false }
}

async fn pay(home: &Home, id: i64, payment: Payment, note: &str) -> Paid {
    home.store.pay_statement(id, payment, word(note), TODAY.into()).await.expect("an answer")
}

async fn take_back(home: &Home, id: i64, payment: i64) -> TakenBack {
    home.store.take_payment_back(id, payment, word("a mistake"), TODAY.into()).await.expect("an answer")
}

async fn balance(home: &Home, name: &str) -> i64 {
    let balances = home.balances(SOURCE).await;
    balances.iter().find(|(found, _)| found == name).map_or(0, |(_, balance)| *balance)
}

async fn paid(home: &Home, id: i64) -> i64 {
    home.store.statement_paid(id).await.expect("it is summed").0
}

async fn a_payment_is_booked_once_for_each_key(home: &Home) {
    let id = november(home).await;
    assert_eq!(pay(home, id, payment(3_000_000, Some("a")), "wire 17").await, Paid::Booked);
    assert_eq!(pay(home, id, payment(3_000_000, Some("a")), "wire 17").await, Paid::Before);
    assert_eq!(
        pay(home, id, payment(4_000_000, Some("a")), "wire 17").await,
        Paid::OtherAmount(Micros(3_000_000))
    );
    assert_eq!(paid(home, id).await, 3_000_000);
    // Without a key, the same amount with the same words is the same payment.
    assert_eq!(pay(home, id, payment(2_000_000, None), "wire 18").await, Paid::Booked);
    assert_eq!(pay(home, id, payment(2_000_000, None), " wire 18 ").await, Paid::Before);
    assert_eq!(pay(home, id, payment(2_000_000, None), "wire 19").await, Paid::Booked);
    assert_eq!((paid(home, id).await, balance(home, "paid").await), (7_000_000, -7_000_000));
    // The same key of two callers at once is one payment.
    let both = tokio::join!(
        pay(home, id, payment(1_000_000, Some("b")), "wire 20"),
        pay(home, id, payment(1_000_000, Some("b")), "wire 20")
    );
    assert!(both == (Paid::Booked, Paid::Before) || both == (Paid::Before, Paid::Booked), "{both:?}");
    assert_eq!(paid(home, id).await, 8_000_000);
    home.prove().await;
}

async fn more_than_is_open_is_asked_about_first(home: &Home) {
    let id = november(home).await;
    assert_eq!(pay(home, id, payment(10_000_001, None), "too much").await, Paid::Asks(Amount(10_000_000)));
    assert_eq!(pay(home, id, payment(8_000_000, None), "most").await, Paid::Booked);
    assert_eq!(pay(home, id, payment(8_000_000, Some("again")), "most").await, Paid::Asks(Amount(2_000_000)));
    assert_eq!(paid(home, id).await, 8_000_000, "nothing is booked by asking");
    let meant = Payment { confirmed: true, ..payment(8_000_000, Some("again")) };
    assert_eq!(pay(home, id, meant.clone(), "a bonus").await, Paid::Booked);
    assert_eq!(pay(home, id, meant, "a bonus").await, Paid::Before);
    assert_eq!(pay(home, id, payment(1, None), "more").await, Paid::Asks(Amount(-6_000_000)));
    home.prove().await;
}

async fn a_payment_is_taken_back_by_the_opposite_transfer(home: &Home) {
    let id = november(home).await;
    let network = balance(home, "network").await;
    assert_eq!(pay(home, id, payment(3_000_000, None), "wire 17").await, Paid::Booked);
    let booked = home.store.statement_payments(id).await.expect("listed")[0].id;
    assert_eq!(take_back(home, id, booked + 1).await, TakenBack::Missing);
    assert_eq!(take_back(home, id, booked).await, TakenBack::Done);
    assert_eq!(take_back(home, id, booked).await, TakenBack::Before);
    assert_eq!((paid(home, id).await, balance(home, "paid").await), (0, 0));
    assert_eq!(balance(home, "network").await, network);
    let rows = home.store.statement_payments(id).await.expect("listed");
    let rows: Vec<_> = rows.iter().map(|row| (row.signed(), row.takes_back, row.taken_back_by)).collect();
    assert_eq!(rows, [(3_000_000, None, Some(booked + 1)), (-3_000_000, Some(booked), None)]);
    assert_eq!(
        take_back(home, id, booked + 1).await,
        TakenBack::Missing,
        "what takes back is not taken back"
    );
    // The same command again would be taken for the first payment: it needs another key.
    assert_eq!(pay(home, id, payment(3_000_000, None), "wire 17").await, Paid::TakenBack);
    assert_eq!(pay(home, id, payment(3_000_000, Some("again")), "wire 17").await, Paid::Booked);
    home.prove().await;
    let report = crate::reports::report(home, TODAY).await;
    assert!(report.ties_out, "{:?}", report.faults);
    assert_eq!(report.receivables[0].settled, Amount(3_000_000));
}

async fn a_new_version_keeps_payments_and_acceptances(home: &Home) {
    ten(home).await;
    let lines = (1..6).fold(String::new(), |file, n| file + &of(n, "approved", "1.00"));
    let bonus = of(0, "approved", "1.50");
    let orphan = line("NEVER", "approved", "x", "y", "2.00");
    let old = import(home, "a.csv", &(HEADER.to_owned() + &bonus + &orphan + &lines)).await;
    let accept = async |id: i64, subject: &str| {
        home.store.accept_difference(id, subject.into(), word("a bonus")).await.expect("an answer")
    };
    assert_eq!(accept(old, "line 2").await, Accepted::Done);
    assert_eq!(accept(old, "line 3").await, Accepted::Done);
    let missing =
        home.store.statement_breaks(old, OVERDUE, LineState::MissingThere, 0, 10).await.expect("listed");
    assert_eq!(accept(old, &missing[1].subject).await, Accepted::Done);
    assert_eq!(pay(home, old, payment(3_000_000, Some("a")), "wire 17").await, Paid::Booked);
    let accepted = totals(home, old).await.accepted;
    // The same lines in another order, another amount for one that was accepted, and one line more.
    let changed = line("NEVER", "approved", "x", "y", "2.50");
    let file = HEADER.to_owned() + &lines + &changed + &bonus + &of(6, "approved", "1.00");
    let newer = import(home, "b.csv", &file).await;
    let row = home.store.statement(old).await.expect("it is read").expect("a statement");
    assert_eq!((row.stands().expect("a state"), row.superseded_by), (State::Superseded, Some(newer)));
    let totals = totals(home, newer).await;
    assert_eq!(totals.accepted, accepted - Amount(2_000_000), "what has changed is looked at again");
    let bonus =
        home.store.statement_breaks(newer, OVERDUE, LineState::AmountDiffers, 0, 10).await.expect("listed");
    assert_eq!(
        (bonus[0].accepted_by.as_deref(), bonus[0].accepted_reason.as_deref()),
        (Some("fay"), Some("a bonus"))
    );
    assert_eq!(paid(home, newer).await, 3_000_000);
    // Nothing more is booked for the old one, and the same payment not again for the new one.
    assert_eq!(pay(home, old, payment(1_000_000, None), "x").await, Paid::NotNow(State::Superseded));
    assert_eq!(pay(home, newer, payment(3_000_000, Some("a")), "wire 17").await, Paid::Before);
    let open = totals.theirs - Amount(3_000_000);
    assert_eq!(pay(home, newer, payment(open.0 + 1, None), "rest").await, Paid::Asks(open));
    home.prove().await;
}

async fn what_was_paid_is_taken_back_before_a_statement_is_discarded(home: &Home) {
    let id = november(home).await;
    assert_eq!(pay(home, id, payment(3_000_000, None), "wire 17").await, Paid::Booked);
    let discard = async || home.store.discard_statement(id, "fay".into(), NOW).await.expect("an answer");
    assert_eq!(discard().await, Discarded::Paid(Micros(3_000_000)));
    let booked = home.store.statement_payments(id).await.expect("listed")[0].id;
    assert_eq!(take_back(home, id, booked).await, TakenBack::Done);
    assert_eq!(discard().await, Discarded::Done);
    assert_eq!(pay(home, id, payment(1, None), "x").await, Paid::Missing);
    home.prove().await;
    let report = crate::reports::report(home, TODAY).await;
    assert!(report.ties_out, "{:?}", report.faults);
}

async fn the_proof_finds_a_payment_that_was_never_booked(home: &Home) {
    let id = november(home).await;
    assert_eq!(pay(home, id, payment(3_000_000, None), "wire 17").await, Paid::Booked);
    home.prove().await;
    let insert = format!(
        "INSERT INTO statement_payments (statement_id, amount_micros, actor, note, paid_at)
         VALUES ({id}, 1000000, 'x', 'x', 0)"
    );
    home.raw().await.execute(&insert).await;
    let proof = home.store.prove().await.expect("it is read");
    assert!(!proof.is_proven());
    let differing = &proof.differing_accounts[0];
    assert_eq!(differing.account, format!("payments noted for {SOURCE}"));
    assert_eq!((differing.kept, differing.computed), (Micros(3_000_000), Micros(4_000_000)));
}
