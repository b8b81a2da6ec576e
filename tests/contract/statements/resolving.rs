//! Differences are accepted with a reason, and what the network paid is booked.

use domain::money::{Micros, Positive};
use domain::report::amount::Amount;
use domain::statement::LineState;
use store::statements::{Accepted, Paid, Payment};

use super::{HEADER, OVERDUE, import, of, ten, totals, word};
use crate::support::database::Home;
use crate::support::postbacks::{SOURCE, TODAY};

contract! {
    both:
        every_difference_of_a_state_is_accepted_with_one_reason,
        a_difference_is_accepted_once_and_counted_apart,
        what_the_network_paid_is_booked_from_paid_to_network;
}

async fn every_difference_of_a_state_is_accepted_with_one_reason(home: &Home) {
    ten(home).await;
    let file = HEADER.to_owned() + &of(0, "approved", "1.50") + &of(1, "approved", "1.70");
    let id = import(home, "a.csv", &file).await;
    let accept = async |state| {
        home.store.accept_differences(id, OVERDUE.into(), state, word("a bonus")).await.expect("an answer")
    };
    assert_eq!(accept(LineState::AmountDiffers).await, 2);
    assert_eq!(accept(LineState::AmountDiffers).await, 0, "each once");
    assert_eq!(accept(LineState::Matched).await, 0, "what matches is no difference");
    let of_amounts = totals(home, id).await;
    assert_eq!((of_amounts.accepted, of_amounts.open_count), (Amount(1_200_000), 10));
    // Bookings that no line has, too: eight credits and two reversals.
    assert_eq!(accept(LineState::MissingThere).await, 10);
    let all = totals(home, id).await;
    assert_eq!((all.accepted, all.open, all.open_count), (Amount(-4_800_000), Amount(0), 0));
}

async fn a_difference_is_accepted_once_and_counted_apart(home: &Home) {
    ten(home).await;
    let file = HEADER.to_owned() + &of(0, "approved", "1.50") + &of(1, "approved", "1.00");
    let id = import(home, "a.csv", &file).await;
    let open = totals(home, id).await.open;
    let accept = async |subject: &str| {
        home.store.accept_difference(id, subject.into(), word("a bonus")).await.expect("an answer")
    };
    assert_eq!(accept("line 2").await, Accepted::Done);
    assert_eq!(accept("line 2").await, Accepted::Before);
    // Neither a matching line nor an unknown one is a difference.
    assert_eq!(accept("line 3").await, Accepted::Missing);
    assert_eq!(accept("line 99").await, Accepted::Missing);
    let totals = totals(home, id).await;
    assert_eq!((totals.accepted, totals.open), (Amount(500_000), open - Amount(500_000)));
    let row = &home
        .store
        .statement_breaks(id, OVERDUE, LineState::AmountDiffers, 0, 10)
        .await
        .expect("they are listed")[0];
    assert_eq!((row.accepted_by.as_deref(), row.accepted_reason.as_deref()), (Some("fay"), Some("a bonus")));
}

async fn what_the_network_paid_is_booked_from_paid_to_network(home: &Home) {
    ten(home).await;
    let id = import(home, "a.csv", &(HEADER.to_owned() + &of(0, "approved", "1.00"))).await;
    let amount = Positive::new(Micros(5_000_000)).expect("above zero");
    let pay = async |id| {
        let payment = Payment { amount, key: None, confirmed: true };
        home.store.pay_statement(id, payment, word("wire 17"), TODAY.into()).await.expect("an answer")
    };
    assert_eq!(pay(id).await, Paid::Booked);
    assert_eq!(pay(id + 1).await, Paid::Missing, "there is no such statement");
    assert_eq!(home.store.statement_paid(id).await.expect("it is summed"), Micros(5_000_000));
    let balances = home.balances(SOURCE).await;
    let of = |name: &str| balances.iter().find(|(found, _)| found == name).map(|(_, balance)| *balance);
    assert_eq!((of("paid"), of("network")), (Some(-5_000_000), Some(-3_000_000)));
    home.prove().await;
    let report = crate::reports::report(home, TODAY).await;
    assert!(report.ties_out, "{:?}", report.faults);
    let roll = &report.receivables[0];
    assert_eq!(
        (roll.settled, roll.closing, roll.settled_in_all),
        (Amount(5_000_000), Amount(3_000_000), Amount(5_000_000))
    );
}
