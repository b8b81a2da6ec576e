use super::*;

const NOW: TimestampMs = TimestampMs(1_000_000);
const GRACE_MS: i64 = 10_000;
const EVERYTHING: Wanted = Wanted { held: true, rejected: true };

fn planned(known: &[PriorDelivery], steps: &[(i64, Step)], wanted: Wanted) -> Plan {
    plan(known, steps, wanted, GRACE_MS, NOW)
}

/// Events in order; cancelled ones in brackets.
fn events_of(plan: &Plan) -> Vec<String> {
    let name = |new_delivery: &NewDelivery| {
        let name = new_delivery.event.name();
        if new_delivery.cancelled { format!("({name})") } else { name.to_owned() }
    };
    plan.new_deliveries.iter().map(name).collect()
}

fn credit(status: Status, lease_count: i64) -> PriorDelivery {
    PriorDelivery { id: 7, seq: 1, event: Event::Credited, status, lease_count }
}

#[test]
fn each_step_sends_what_the_contract_says() {
    let delivered = [credit(Status::Delivered, 1)];
    for (step, events, least) in [
        (Step::Credit, vec!["credited"], vec!["credited"]),
        (Step::Release, vec!["credited"], vec!["credited"]),
        (Step::Overturn, vec!["credited"], vec!["credited"]),
        (Step::Hold, vec!["held"], vec![]),
        (Step::Reject, vec!["rejected"], vec![]),
        (Step::ReverseCredited, vec!["reversed"], vec!["reversed"]),
        (Step::ReverseHeld, vec!["rejected"], vec![]),
        (Step::ReverseRejected, vec![], vec![]),
        (Step::ReverseUnseen, vec![], vec![]),
        (Step::UndoRelease, vec![], vec![]),
        (Step::UndoReject, vec![], vec![]),
        (Step::UndoOverturn, vec![], vec![]),
    ] {
        assert_eq!(events_of(&planned(&delivered, &[(2, step)], EVERYTHING)), events, "{step:?}");
        assert_eq!(events_of(&planned(&delivered, &[(2, step)], Wanted::default())), least, "{step:?}");
    }
}

#[test]
fn decisions_of_people_wait_for_the_grace_and_those_of_rules_do_not() {
    for (step, delay_ms) in [(Step::Credit, 0), (Step::Release, GRACE_MS), (Step::Reject, GRACE_MS)] {
        let new_deliveries = planned(&[], &[(1, step)], EVERYTHING).new_deliveries;
        assert_eq!(new_deliveries[0].due_at.0 - NOW.0, delay_ms, "{step:?}");
    }
}

#[test]
fn a_reversal_follows_its_credit_ends_with_it_or_is_not_sent() {
    let steps = [(2, Step::ReverseCredited)];
    for (known, cancel, events) in [
        // The app knows, may know, or will be notified by a person.
        (vec![credit(Status::Delivered, 1)], vec![], vec!["reversed"]),
        (vec![credit(Status::Waiting, 1)], vec![], vec!["reversed"]),
        (vec![credit(Status::Failed, 6)], vec![], vec!["reversed"]),
        // It was never sent: both are cancelled.
        (vec![credit(Status::Waiting, 0)], vec![7], vec!["(reversed)"]),
        (vec![credit(Status::Blocked, 0)], vec![7], vec!["(reversed)"]),
        // There is no credit to reverse.
        (vec![], vec![], vec![]),
        (vec![credit(Status::Cancelled, 0)], vec![], vec![]),
    ] {
        let plan = planned(&known, &steps, EVERYTHING);
        assert_eq!(
            (plan.cancel.clone(), events_of(&plan)),
            (cancel, events.iter().map(ToString::to_string).collect()),
            "{known:?}"
        );
    }
}

#[test]
fn a_credit_and_its_reversal_in_one_batch_end_as_one() {
    let plan = planned(&[], &[(1, Step::Credit), (2, Step::ReverseCredited)], Wanted::default());
    assert_eq!(events_of(&plan), ["(credited)", "(reversed)"]);
    assert!(plan.cancel.is_empty());
}

#[test]
fn an_undone_decision_is_cancelled_and_earlier_deliveries_stay() {
    let held = PriorDelivery { id: 6, seq: 1, event: Event::Held, status: Status::Delivered, lease_count: 1 };
    let released =
        PriorDelivery { id: 8, seq: 2, event: Event::Credited, status: Status::Waiting, lease_count: 0 };
    let plan = planned(&[held, released], &[(3, Step::UndoRelease)], EVERYTHING);
    assert_eq!((plan.cancel, plan.new_deliveries), (vec![8], vec![]));
    // The next release is a delivery of its own; a later reversal belongs to that one.
    let withdrawn = PriorDelivery { status: Status::Cancelled, ..released };
    let again =
        PriorDelivery { id: 9, seq: 4, event: Event::Credited, status: Status::Delivered, lease_count: 2 };
    let plan = planned(&[held, withdrawn, again], &[(5, Step::ReverseCredited)], EVERYTHING);
    assert_eq!((plan.cancel.as_slice(), events_of(&plan)), (&[][..], vec!["reversed".to_owned()]));
}

#[test]
fn names_read_back() {
    for event in Event::ALL {
        assert_eq!(Event::parse(event.name()), Some(event));
    }
    for status in Status::ALL {
        assert_eq!(Status::parse(status.name()), Some(status));
    }
    for reason in Reason::ALL {
        assert_eq!(Reason::parse(reason.name()), Some(reason));
    }
}
