//! States of lines as SQL, each list once.

/// The states of lines that belong to a booking of ours: their reward is found by `reward_id`.
macro_rules! with_booking {
    () => {
        "('matched', 'matched_in_tolerance', 'amount_differs', 'currency_differs')"
    };
}
pub(super) use with_booking;

/// The states of lines that nobody has to accept: nothing differs, or the line is not judged yet.
macro_rules! without_difference {
    () => {
        "('matched', 'matched_in_tolerance', 'counted_elsewhere', 'open')"
    };
}
pub(super) use without_difference;

/// The state of a booking that no line has, as it stands today: `statement_missing AS missing`, and $2, the first business
/// date whose bookings are only pending.
macro_rules! state_of_missing {
    () => {
        "CASE WHEN counted_in IS NOT NULL THEN 'counted_elsewhere'
              WHEN missing.state = 'missing_there' AND booked_on >= $2 THEN 'pending_there'
              ELSE missing.state END"
    };
}
pub(super) use state_of_missing;
