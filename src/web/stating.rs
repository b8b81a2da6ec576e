//! Finishing quarantined postbacks, for pages, the API and the command line: preview, enter values, agree, set aside.
//! A refused action changes nothing, and its error says what to do.

use std::collections::BTreeMap;

use domain::batch::SourceTerms;
use domain::batch::outlook::Outlook;
use domain::policy::Policy;
use domain::postback::event::{Event, Params};
use domain::postback::gaps::{Gap, gaps};
use domain::postback::networks::Field;
use domain::postback::stated::{NotStated, Stated};
use domain::review::decision::MAX_NOTE_LEN;
use domain::review::queue::ReviewTerms;
use domain::time::TimestampMs;
use store::Store;
use store::postbacks::list::PostbackRow;
use store::postbacks::quarantine::{ActRow, Acted, By};

/// Settings that decide what a quarantined postback becomes.
#[derive(Debug)]
pub struct Stating {
    /// Parameters and terms of each source, by its name.
    pub sources: BTreeMap<String, Mapping>,
    /// The current policy.
    pub policy: Policy,
    /// Thresholds from which two people must agree.
    pub terms: ReviewTerms,
}

/// Settings of one source for mapping its postbacks.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// App and currency of its users.
    pub terms: SourceTerms,
    /// Names of its parameters.
    pub params: Params,
}

/// The preview of a postback with the entered values.
#[derive(Clone, Debug)]
pub struct Look {
    /// The entered values.
    pub stated: Stated,
    /// The event that results from them.
    pub event: Event,
    /// The effect on reward and ledger.
    pub outlook: Outlook,
    /// True if a second person must agree.
    pub needs_second: bool,
}

/// An action was refused; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No postback has this id.
    #[error("there is no postback {0}")]
    NotFound(i64),
    /// Its outcome does not allow the action.
    #[error("{}", elsewhere(*.id, .outcome))]
    Elsewhere {
        /// Id of the postback.
        id: i64,
        /// Its current outcome.
        outcome: String,
    },
    /// Its source is not in the settings.
    #[error("the source `{0}` is not in the settings: add it, then replay the postback")]
    UnknownSource(String),
    /// An entered value is invalid.
    #[error(transparent)]
    NotStated(#[from] NotStated),
    /// The proposal was already decided, or replaced by a newer one.
    #[error("proposal {proposal_id} on postback {id} is no longer open: load the postback and try again")]
    NoProposal {
        /// Id of the postback.
        id: i64,
        /// Id of the proposal.
        proposal_id: i64,
    },
    /// Nobody may agree to their own proposal.
    #[error("you proposed this yourself: another person must agree")]
    OwnProposal,
    /// A service's token belongs to nobody, so it cannot be one of the two people.
    #[error(
        "two people are required and this token belongs to a service: let two people enter and confirm the values, or give the token an owner"
    )]
    NotAPerson,
    /// An admin could otherwise add the second person.
    #[error(
        "two people are required, and one was added or enabled within the last 24 hours: let two others enter and confirm \
         the values, or propose them again later"
    )]
    TooNew,
    /// Another action changed it at the same time.
    #[error("someone else changed postback {0} at the same time: load it and try again")]
    Contended(i64),
    /// The database failed.
    #[error(transparent)]
    Store(store::Error),
}

fn elsewhere(id: i64, outcome: &str) -> String {
    match outcome {
        "received" => format!("postback {id} is waiting in the inbox: try again in a moment"),
        "set_aside" => format!("postback {id} is set aside: return it to quarantine first"),
        "quarantined" => format!("postback {id} is quarantined, not set aside"),
        other => format!("postback {id} is {other}, not quarantined: it has no missing values"),
    }
}

/// The reason without surrounding blanks; it may be empty unless it is `required`.
pub fn reason(text: &str, required: bool) -> Result<String, NotStated> {
    let is_too_long = text.chars().count() > MAX_NOTE_LEN;
    let text = text.trim();
    let is_bad = is_too_long || text.contains('\0') || (required && text.is_empty());
    if is_bad { Err(NotStated::Reason) } else { Ok(text.to_owned()) }
}

impl Stating {
    fn mapping(&self, postback: &PostbackRow) -> Result<&Mapping, Refused> {
        self.sources.get(&postback.source).ok_or_else(|| Refused::UnknownSource(postback.source.clone()))
    }

    /// The fields of `postback` that a person can fill in; empty if its source is not in the settings.
    pub fn gaps(&self, postback: &PostbackRow) -> Vec<Gap> {
        self.mapping(postback).map_or_else(
            |_| Vec::new(),
            |mapping| postback.kept().with("", |call| gaps(call, &mapping.params)),
        )
    }

    /// The preview of the quarantined postback `id` with the typed values; changes nothing.
    pub async fn look(
        &self,
        store: &Store,
        id: i64,
        typed: &[(Field, &str)],
        now: TimestampMs,
    ) -> Result<Look, Refused> {
        let postback = quarantined(store, id).await?;
        let stated = Stated::read(self.mapping(&postback)?.params.definition(), typed)?;
        self.look_ahead(store, &postback, stated, now).await
    }

    /// The preview of a quarantined postback with the values of a proposal.
    pub async fn look_at(&self, store: &Store, proposal: &ActRow, now: TimestampMs) -> Result<Look, Refused> {
        let postback = quarantined(store, proposal.postback_id).await?;
        let stated = proposal.stated().map_err(Refused::Store)?;
        self.look_ahead(store, &postback, stated, now).await
    }

    async fn look_ahead(
        &self,
        store: &Store,
        postback: &PostbackRow,
        stated: Stated,
        now: TimestampMs,
    ) -> Result<Look, Refused> {
        let mapping = self.mapping(postback)?;
        let event = postback.kept().with("", |call| stated.event(call, &mapping.params))?;
        let known = store.known_under(postback.source.clone(), event.key().to_owned()).await;
        let known = known.map_err(Refused::Store)?;
        let outlook = Outlook::of(event.clone(), &mapping.terms, known, &self.policy, now);
        let needs_second = outlook.needs_second(&self.terms);
        Ok(Look { stated, event, outlook, needs_second })
    }

    /// Enters the values of the preview `look`.
    pub async fn state(&self, store: &Store, id: i64, look: &Look, by: By) -> Result<Acted, Refused> {
        let acted = store.state(id, look.stated.clone(), look.needs_second, look.outlook.stake(), by).await;
        done(store, id, 0, acted).await
    }

    /// Agrees to the proposal of another person, if its values are still valid.
    pub async fn confirm(&self, store: &Store, id: i64, proposal_id: i64, by: By) -> Result<Acted, Refused> {
        let proposal = proposal(store, id).await?.filter(|act| act.id == proposal_id);
        let proposal = proposal.ok_or(Refused::NoProposal { id, proposal_id })?;
        self.look_at(store, &proposal, by.now).await?;
        done(store, id, proposal_id, store.confirm_stated(id, proposal_id, by).await).await
    }
}

/// Declines a proposal.
pub async fn decline(store: &Store, id: i64, proposal_id: i64, by: By) -> Result<Acted, Refused> {
    done(store, id, proposal_id, store.decline_stated(id, proposal_id, by).await).await
}

/// Sets a quarantined postback aside.
pub async fn set_aside(store: &Store, id: i64, by: By) -> Result<Acted, Refused> {
    done(store, id, 0, store.set_aside(id, by).await).await
}

/// Returns a postback that was set aside to quarantine.
pub async fn take_up(store: &Store, id: i64, by: By) -> Result<Acted, Refused> {
    done(store, id, 0, store.take_up(id, by).await).await
}

/// The proposal on the postback `id` that waits for a second person.
pub async fn proposal(store: &Store, id: i64) -> Result<Option<ActRow>, Refused> {
    let acts = store.quarantine_acts(&[id]).await.map_err(Refused::Store)?;
    Ok(acts.into_iter().next_back().filter(ActRow::is_proposal))
}

async fn quarantined(store: &Store, id: i64) -> Result<PostbackRow, Refused> {
    let postback = store.postback(id).await.map_err(Refused::Store)?.ok_or(Refused::NotFound(id))?;
    if postback.outcome == "quarantined" {
        Ok(postback)
    } else {
        Err(Refused::Elsewhere { id, outcome: postback.outcome })
    }
}

/// Wakes the workers if the postback is back in the inbox; turns a refusal into an error.
async fn done(
    store: &Store,
    id: i64,
    proposal_id: i64,
    acted: store::Result<Acted>,
) -> Result<Acted, Refused> {
    match acted {
        Ok(acted @ (Acted::Stated | Acted::Confirmed)) => {
            store.wake_workers();
            // Workers of other processes look by themselves every second.
            let _ = store.wake_other_processes().await;
            Ok(acted)
        }
        Ok(acted @ (Acted::Proposed(_) | Acted::Declined | Acted::Moved)) => Ok(acted),
        Ok(Acted::NotFound) => Err(Refused::NotFound(id)),
        Ok(Acted::Elsewhere(outcome)) => Err(Refused::Elsewhere { id, outcome }),
        Ok(Acted::NoProposal) => Err(Refused::NoProposal { id, proposal_id }),
        Ok(Acted::OwnProposal) => Err(Refused::OwnProposal),
        Ok(Acted::NotAPerson) => Err(Refused::NotAPerson),
        Ok(Acted::TooNew) => Err(Refused::TooNew),
        Err(store::Error::Contended(_)) => Err(Refused::Contended(id)),
        Err(error) => Err(Refused::Store(error)),
    }
}

/// One action as text, e.g. `stated reward 500`.
pub fn act_words(act: &ActRow) -> String {
    let stated = act.stated().map(|stated| stated.to_string()).unwrap_or_default();
    match act.act.as_str() {
        "stated" => format!("stated {stated}"),
        "proposed" => format!("proposed {stated}; another person must agree"),
        "confirmed" => format!("agreed to {stated}"),
        "declined" => "declined the proposal".into(),
        "set_aside" => "set it aside".into(),
        _ => "returned it to quarantine".into(),
    }
}
