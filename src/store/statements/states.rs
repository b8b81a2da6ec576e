//! Lists of line states as SQL.

/// States of lines that match one of our bookings, named by `reward_id`.
macro_rules! with_booking {
    () => {
        "('matched', 'matched_in_tolerance', 'amount_differs', 'currency_differs')"
    };
}
pub(super) use with_booking;

/// States of lines that nobody has to accept: there is no difference, or the line is not matched yet.
macro_rules! without_difference {
    () => {
        "('matched', 'matched_in_tolerance', 'counted_elsewhere', 'open')"
    };
}
pub(super) use without_difference;

/// The current state of a booking without a line, from `statement_missing AS missing`. $2 is the first business date whose
/// bookings are only pending.
macro_rules! state_of_missing {
    () => {
        "CASE WHEN counted_in IS NOT NULL THEN 'counted_elsewhere'
              WHEN missing.state = 'missing_there' AND booked_on >= $2 THEN 'pending_there'
              ELSE missing.state END"
    };
}
pub(super) use state_of_missing;
