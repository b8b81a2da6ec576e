//! What a line of the audit can tell of: every act of a person, a service or a part of RewardGate that is noted.

/// Makes the enumeration, its list and its names from one table, so that none of the three can miss an act.
macro_rules! actions {
    ($($(#[$doc:meta])+ $action:ident = $name:literal,)+) => {
        /// What somebody did, or was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $($(#[$doc])+ $action,)+
        }

        impl Action {
            /// Every one.
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
    /// Somebody signed in.
    SignedIn = "signed_in",
    /// Somebody signed out.
    SignedOut = "signed_out",
    /// The sessions of a person were ended.
    SessionsEnded = "sessions_ended",
    /// A name or a password was wrong.
    SignInRefused = "sign_in_refused",
    /// Many sign-ins of one person were refused.
    ManySignInsRefused = "many_sign_ins_refused",
    /// A person has seen how many sign-ins were refused.
    SawRefusedSignIns = "saw_refused_sign_ins",
    /// Somebody asked for what their role may not.
    RightRefused = "right_refused",
    /// A token that is unknown, expired or revoked was tried.
    TokenRefused = "token_refused",
    /// A person may sign in from now on.
    PersonAdded = "person_added",
    /// A person may not sign in any more.
    PersonDisabled = "person_disabled",
    /// A person may sign in again.
    PersonEnabled = "person_enabled",
    /// A person has another role.
    RoleChanged = "role_changed",
    /// A person has another password.
    PasswordChanged = "password_changed",
    /// A token was made.
    TokenAdded = "token_added",
    /// A token counts no more.
    TokenRevoked = "token_revoked",
    /// Held rewards were credited.
    Released = "released",
    /// Held rewards were rejected.
    Rejected = "rejected",
    /// The first of two people decided; what they said is kept apart.
    OpinionGiven = "opinion_given",
    /// A decision was undone.
    Undone = "undone",
    /// The whole reward of a case was taken back.
    ReversalTakenBack = "reversal_taken_back",
    /// A part of the reward of a case was taken back.
    ReversalPartTakenBack = "reversal_part_taken_back",
    /// The reversal of a case was dismissed.
    ReversalDismissed = "reversal_dismissed",
    /// What a quarantined postback lacks was stated.
    PostbackStated = "postback_stated",
    /// What a quarantined postback lacks was stated, and a second person must confirm it.
    PostbackProposed = "postback_proposed",
    /// A second person confirmed what was proposed.
    PostbackConfirmed = "postback_confirmed",
    /// What was proposed was declined or taken back.
    PostbackDeclined = "postback_declined",
    /// Nobody needs to look at a quarantined postback any more.
    PostbackSetAside = "postback_set_aside",
    /// A postback that was set aside is quarantined again.
    PostbackTakenUp = "postback_taken_up",
    /// Quarantined postbacks were put back into the inbox, or ordered to be.
    PostbackReplayed = "postback_replayed",
    /// Refused calls that verify by now were put into the inbox, or ordered to be.
    RefusedCallReplayed = "refused_call_replayed",
    /// One delivery was sent again.
    DeliveryResent = "delivery_resent",
    /// All deliveries that a filter names were ordered to be sent again.
    DeliveriesResent = "deliveries_resent",
    /// A delivery is not sent any more.
    DeliveryGivenUp = "delivery_given_up",
    /// An app is called no more, because it says that it is gone.
    AppDisabled = "app_disabled",
    /// An app that was switched off is called again.
    AppEnabled = "app_enabled",
    /// A closed report was signed off.
    ReportSigned = "report_signed",
    /// A statement's file came in.
    StatementReceived = "statement_received",
    /// What was read of a statement was confirmed.
    StatementImported = "statement_imported",
    /// A statement was taken back.
    StatementDiscarded = "statement_discarded",
    /// A newer statement counts instead of another.
    StatementSuperseded = "statement_superseded",
    /// A superseded statement counts again.
    StatementRestored = "statement_restored",
    /// A worker gave a statement up.
    StatementFailed = "statement_failed",
    /// A difference between a statement and the books was accepted.
    DifferenceAccepted = "difference_accepted",
    /// A payment was booked.
    StatementPaid = "statement_paid",
    /// A payment was taken back.
    PaymentTakenBack = "payment_taken_back",
    /// Another policy than before decides from now on.
    PolicyChanged = "policy_changed",
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
