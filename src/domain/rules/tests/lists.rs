//! What people listed: L1 to L3.

use super::case::Case;
use super::check;
use crate::lists::hit::Hit;
use crate::lists::{Effect, Kind};
use crate::location::NetworkTrait;
use crate::verdict::Decision;

fn hit(effect: Effect) -> Hit {
    Hit {
        id: 7,
        kind: Kind::User,
        effect,
        value: "u1".into(),
        until: None,
        by: "anna".into(),
        why: "abuse".into(),
    }
}

#[test]
fn a_block_holds_and_a_watch_adds_points() {
    let mut case = Case::honest();
    case.listed = vec![hit(Effect::Block)];
    check(&case, Decision::Hold, 0, &["L1"]);
    assert_eq!(case.verdict().sentence(), "The user u1 is blocked by anna: abuse (entry 7).");
    case.listed = vec![hit(Effect::Watch)];
    check(&case, Decision::Credit, 25, &["L2"]);
}

#[test]
fn trust_outweighs_suspicion_and_never_a_hard_rule() {
    let mut case = Case::honest();
    case.listed = vec![hit(Effect::Trust)];
    check(&case, Decision::Credit, 0, &["L3"]);
    case.location.network = vec![NetworkTrait::Tor];
    check(&case, Decision::Credit, 0, &["N1", "L3"]);
    case.same_task = Some(1);
    check(&case, Decision::Hold, 0, &["N1", "V3", "L3"]);
    case.same_task = Some(0);
    case.listed.push(hit(Effect::Block));
    check(&case, Decision::Hold, 0, &["N1", "L1", "L3"]);
    // The policy decides how much trust is worth.
    case.listed = vec![hit(Effect::Trust)];
    case.policy = "[rules.L3]\npoints = -5";
    check(&case, Decision::Hold, 55, &["N1", "L3"]);
}
