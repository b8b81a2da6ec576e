//! The acts of people, services and RewardGate itself that the audit records.

/// Makes the enumeration, its list and its names from one table, so that none of the three can miss an act.
macro_rules! actions {
    ($($(#[$doc:meta])+ $action:ident = $name:literal,)+) => {
        /// What somebody did, or was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $($(#[$doc])+ $action,)+
        }

        impl Action {
            /// In the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$action,)+];

            /// The name in the audit, which stays what it is: lines are never changed.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)+
                }
            }
        }
    };
}

actions! {
    /// A person signed in on a page.
    SignedIn = "signed_in",
    /// A person ended their own session.
    SignedOut = "signed_out",
    /// The sessions of a person were ended.
    SessionsEnded = "sessions_ended",
    /// A name or a password was wrong.
    SignInRefused = "sign_in_refused",
    /// Many sign-ins of one person were refused.
    ManySignInsRefused = "many_sign_ins_refused",
    /// A person acknowledged the notice of refused sign-ins.
    SawRefusedSignIns = "saw_refused_sign_ins",
    /// A request was refused for lack of rights.
    RightRefused = "right_refused",
    /// A token that is unknown, expired or revoked was tried.
    TokenRefused = "token_refused",
    /// A staff account was added.
    PersonAdded = "person_added",
    /// A staff account was disabled.
    PersonDisabled = "person_disabled",
    /// A staff account was enabled again.
    PersonEnabled = "person_enabled",
    /// The role of a staff account was changed.
    RoleChanged = "role_changed",
    /// The password of a staff account was changed.
    PasswordChanged = "password_changed",
    /// An API token was created.
    TokenAdded = "token_added",
    /// An API token was revoked.
    TokenRevoked = "token_revoked",
    /// Holds were released.
    Released = "released",
    /// Holds were rejected.
    Rejected = "rejected",
    /// The first of two people decided; their decision is stored apart.
    OpinionGiven = "opinion_given",
    /// A decision was undone within its grace.
    Undone = "undone",
    /// The whole reward of a case was taken back.
    ReversalTakenBack = "reversal_taken_back",
    /// A part of the reward of a case was taken back.
    ReversalPartTakenBack = "reversal_part_taken_back",
    /// The reversal of a case was dismissed.
    ReversalDismissed = "reversal_dismissed",
    /// Missing values of a quarantined postback were stated.
    PostbackStated = "postback_stated",
    /// Missing values were stated, and a second person must confirm them.
    PostbackProposed = "postback_proposed",
    /// A second person confirmed the proposed values.
    PostbackConfirmed = "postback_confirmed",
    /// The proposed values were declined or withdrawn.
    PostbackDeclined = "postback_declined",
    /// A quarantined postback was set aside.
    PostbackSetAside = "postback_set_aside",
    /// A postback that was set aside is quarantined again.
    PostbackTakenUp = "postback_taken_up",
    /// Quarantined postbacks were put back into the inbox, or queued for it.
    PostbackReplayed = "postback_replayed",
    /// Refused calls that now verify were put into the inbox, or queued for it.
    RefusedCallReplayed = "refused_call_replayed",
    /// One delivery was sent again.
    DeliveryResent = "delivery_resent",
    /// All deliveries that match a filter were queued to be sent again.
    DeliveriesResent = "deliveries_resent",
    /// A delivery was given up.
    DeliveryGivenUp = "delivery_given_up",
    /// Deliveries to an app were disabled because it answered 410.
    AppDisabled = "app_disabled",
    /// Deliveries to an app were enabled again.
    AppEnabled = "app_enabled",
    /// A closed report was signed off.
    ReportSigned = "report_signed",
    /// The file of a statement was received.
    StatementReceived = "statement_received",
    /// A person started the import of a statement.
    StatementImported = "statement_imported",
    /// A statement was discarded.
    StatementDiscarded = "statement_discarded",
    /// A statement was superseded by a newer one.
    StatementSuperseded = "statement_superseded",
    /// A superseded statement counts again.
    StatementRestored = "statement_restored",
    /// The import of a statement failed.
    StatementFailed = "statement_failed",
    /// A difference between a statement and the books was accepted.
    DifferenceAccepted = "difference_accepted",
    /// A payment for a statement was booked.
    StatementPaid = "statement_paid",
    /// A payment was taken back.
    PaymentTakenBack = "payment_taken_back",
    /// Calls of the past were imported as settled history.
    HistoryImported = "history_imported",
    /// Opening balances were booked.
    BalancesOpened = "balances_opened",
    /// A new version of the policy took effect.
    PolicyChanged = "policy_changed",
    /// An entry was added to a list, or replaced another one.
    ListEntryAdded = "list_entry_added",
    /// An entry of a list was removed.
    ListEntryRemoved = "list_entry_removed",
    /// The entries of a file were added to the lists.
    ListImported = "list_imported",
    /// The audit was written to a file.
    AuditExported = "audit_exported",
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Action;

    #[test]
    fn no_two_acts_share_a_name() {
        let names: HashSet<_> = Action::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(names.len(), Action::ALL.len());
    }
}
