//! Finishing what is quarantined, for pages, the API and the command line alike: looking ahead, stating, agreeing,
//! setting aside. Whatever is refused says why and what to do, and changes nothing.

use std::collections::BTreeMap;

use domain::batch::SourceTerms;
use domain::batch::outlook::Outlook;
use domain::policy::Policy;
use domain::postback::event::{Event, Params};
use domain::postback::gaps::{Gap, gaps};
use domain::postback::network::Field;
use domain::postback::stated::{NotStated, Stated};
use domain::review::decision::MAX_NOTE_LEN;
use domain::review::queue::ReviewTerms;
use domain::time::TimestampMs;
use store::Store;
use store::postbacks::list::PostbackRow;
use store::postbacks::quarantine::{ActRow, Acted, By};

/// Everything that looking ahead needs besides the database.
#[derive(Debug)]
pub struct Stating {
    /// How each source names its fields, and whose users it has.
    pub sources: BTreeMap<String, Mapping>,
    /// The rules in force.
    pub policy: Policy,
    /// From when on two persons must agree.
    pub terms: ReviewTerms,
}

/// A source as far as mapping needs it.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Whose users, in which currency.
    pub terms: SourceTerms,
    /// How its parameters are named.
    pub params: Params,
}

/// What a postback would become.
#[derive(Clone, Debug)]
pub struct Look {
    /// What is stated.
    pub stated: Stated,
    /// What it says with it.
    pub event: Event,
    /// What would happen.
    pub outlook: Outlook,
    /// True if another person must agree.
    pub needs_second: bool,
}

/// Why something was refused; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No such postback.
    #[error("there is no postback {0}")]
    NotFound(i64),
    /// It does not stand where this is possible.
    #[error("{}", elsewhere(*.id, .outcome))]
    Elsewhere {
        /// The postback.
        id: i64,
        /// Where it stands.
        outcome: String,
    },
    /// The settings do not say how to read it.
    #[error("the source `{0}` is not in the settings: add it, then replay the postback")]
    UnknownSource(String),
    /// What was typed cannot be stated.
    #[error(transparent)]
    NotStated(#[from] NotStated),
    /// The proposal was decided on, or replaced by another one.
    #[error(
        "proposal {proposal_id} on postback {id} does not wait for a second person: look at the postback again"
    )]
    NoProposal {
        /// The postback.
        id: i64,
        /// The proposal.
        proposal_id: i64,
    },
    /// Four eyes are two persons.
    #[error("you proposed this yourself: another person must agree")]
    OwnProposal,
    /// Nobody stands behind a service.
    #[error(
        "a service's token is neither of two people: let two people state and confirm it, or give the token an owner"
    )]
    NotAPerson,
    /// Whoever may add people could be both of two.
    #[error(
        "somebody who was added or enabled again within 24 hours is neither of two people: let two others state and confirm it, \
         or propose it again later"
    )]
    TooNew,
    /// Somebody else was faster.
    #[error("postback {0} was changed at the same moment: look at it again")]
    Contended(i64),
    /// The database.
    #[error(transparent)]
    Store(store::Error),
}

fn elsewhere(id: i64, outcome: &str) -> String {
    match outcome {
        "received" => format!("postback {id} waits in the inbox: look at it again in a moment"),
        "set_aside" => format!("postback {id} is set aside: take it up again first"),
        "quarantined" => format!("postback {id} is quarantined, and not set aside"),
        other => format!("postback {id} is {other}, not quarantined: nothing is missing in it"),
    }
}

/// A reason as it is kept; an empty one only where `required` is false.
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

    /// The fields of `postback` that can be stated; none if the settings do not know its source.
    pub fn gaps(&self, postback: &PostbackRow) -> Vec<Gap> {
        self.mapping(postback).map_or_else(|_| Vec::new(), |mapping| gaps(&postback.target, &mapping.params))
    }

    /// What the quarantined postback `id` would become with what was typed; changes nothing.
    pub async fn look(
        &self,
        store: &Store,
        id: i64,
        typed: &[(Field, &str)],
        now: TimestampMs,
    ) -> Result<Look, Refused> {
        let postback = quarantined(store, id).await?;
        let stated = Stated::read(self.mapping(&postback)?.params.network(), typed)?;
        self.look_ahead(store, &postback, stated, now).await
    }

    /// What the quarantined postback would become with what was proposed.
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
        let event = stated.event(&postback.target, &mapping.params)?;
        let known = store.known_under(postback.source.clone(), event.key().to_owned()).await;
        let known = known.map_err(Refused::Store)?;
        let outlook = Outlook::of(event.clone(), &mapping.terms, known, &self.policy, now);
        let needs_second = outlook.needs_second(&self.terms);
        Ok(Look { stated, event, outlook, needs_second })
    }

    /// States what `look` showed.
    pub async fn state(&self, store: &Store, id: i64, look: &Look, by: By) -> Result<Acted, Refused> {
        let acted = store.state(id, look.stated.clone(), look.needs_second, look.outlook.stake(), by).await;
        done(store, id, 0, acted).await
    }

    /// Agrees to what another person proposed, if it still maps.
    pub async fn confirm(&self, store: &Store, id: i64, proposal_id: i64, by: By) -> Result<Acted, Refused> {
        let proposal = proposal(store, id).await?.filter(|act| act.id == proposal_id);
        let proposal = proposal.ok_or(Refused::NoProposal { id, proposal_id })?;
        self.look_at(store, &proposal, by.now).await?;
        done(store, id, proposal_id, store.confirm_stated(id, proposal_id, by).await).await
    }
}

/// Declines what was proposed.
pub async fn decline(store: &Store, id: i64, proposal_id: i64, by: By) -> Result<Acted, Refused> {
    done(store, id, proposal_id, store.decline_stated(id, proposal_id, by).await).await
}

/// Sets a quarantined postback aside.
pub async fn set_aside(store: &Store, id: i64, by: By) -> Result<Acted, Refused> {
    done(store, id, 0, store.set_aside(id, by).await).await
}

/// Takes a postback up again that was set aside.
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

/// Wakes whoever goes on with it, or says why nothing was changed.
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

/// One act in words, e.g. `mara stated: reward 500`.
pub fn act_words(act: &ActRow) -> String {
    let stated = act.stated().map(|stated| stated.to_string()).unwrap_or_default();
    match act.act.as_str() {
        "stated" => format!("stated {stated}"),
        "proposed" => format!("proposed {stated}; another person must agree"),
        "confirmed" => format!("agreed to {stated}"),
        "declined" => "declined what was proposed".into(),
        "set_aside" => "set it aside".into(),
        _ => "returned it to quarantine".into(),
    }
}
