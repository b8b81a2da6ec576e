//! What the definition of a source makes of a captured call. Nothing is stored; neither the call nor its signature is
//! shown again.

use domain::masked::masked;
use domain::money::Micros;
use domain::postback::diagnosis::{Diagnosis, Suspect, diagnose};
use domain::postback::event::{Click, Event, Kind, NoteKind, Quarantine};
use domain::postback::mapping::map_stated;
use domain::postback::networks::Call;
use domain::postback::networks::coverage::ProofKind;
use domain::postback::networks::pasted::PastedCall;
use domain::postback::signature::Secret;
use domain::postback::stated::Stated;
use domain::time::TimestampMs;

use crate::console::Console;
use crate::console::shell::show::amount;
use crate::ingest::{Ingest, SourceEndpoint};

/// The answer to a pasted call.
pub(super) struct Tried {
    /// Empty if the call could not be tried at all.
    pub(super) source: String,
    pub(super) is_verified: bool,
    /// What the signature proves, or why it does not.
    pub(super) signature: String,
    /// What would have to be different, in lines.
    pub(super) hints: Vec<String>,
    /// What it would become.
    pub(super) outcome: String,
    /// What was read, by name.
    pub(super) facts: Vec<(&'static str, String)>,
    /// How values were cleaned.
    pub(super) notes: Vec<String>,
}

impl Tried {
    fn not(why: String) -> Self {
        Self {
            source: String::new(),
            is_verified: false,
            signature: why,
            hints: Vec::new(),
            outcome: String::new(),
            facts: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Tries `text` as a call of the source `chosen`, or of the one that its path names.
pub(super) async fn try_text(console: &Console, text: &str, chosen: &str) -> Tried {
    let call = match PastedCall::read(text) {
        Ok(call) => call,
        Err(bad) => return Tried::not(format!("The call was not read: {bad}.")),
    };
    let named = if chosen.is_empty() { call.source() } else { Some(chosen) };
    let Some(source) = named.filter(|name| console.ingest.sources.contains_key(*name)).map(str::to_owned)
    else {
        return Tried::not(match named {
            Some(name) => {
                format!("There is no source {}; choose the one that the call is meant for.", masked(name))
            }
            None => "The path does not name a source (/pb/NAME); choose the one that the call is meant for."
                .into(),
        });
    };
    let (ingest, now) = (console.ingest.clone(), console.clock.now());
    // Trying thousands of formulas takes a while, which belongs on no thread that serves others.
    let tried = tokio::task::spawn_blocking(move || try_call(&ingest, source, &call, now)).await;
    tried.unwrap_or_else(|_| {
        Tried::not("The call could not be tried because of an internal error; the log names it.".into())
    })
}

fn try_call(ingest: &Ingest, source: String, pasted: &PastedCall, now: TimestampMs) -> Tried {
    let Some(endpoint) = ingest.sources.get(&source) else {
        return Tried::not(format!("There is no source {source}."));
    };
    pasted.with(&ingest.origin, |call| {
        let checked = endpoint.check(call, None, now);
        let (signature, hints) = match &checked {
            Ok(()) if endpoint.definition().coverage().proof == ProofKind::CallerOnly => (
                "Nothing is signed: only the caller's address proves a call, and a pasted call does not show it."
                    .to_owned(),
                Vec::new(),
            ),
            Ok(()) => ("The call would be accepted: what proves it is right.".to_owned(), Vec::new()),
            Err(refusal) => {
                let hints = hints(ingest, endpoint, &source, pasted, call, now);
                (format!("The call would be refused: {refusal}."), hints)
            }
        };
        let (outcome, facts, notes) = match map_stated(call, &endpoint.params, &Stated::default()) {
            Ok(event) => (outcome(&event), facts(&event), notes(&event)),
            Err(Quarantine { reason }) => {
                (format!("It would be quarantined: {reason}"), Vec::new(), Vec::new())
            }
        };
        let outcome = if checked.is_ok() { outcome } else { format!("With a right signature: {outcome}") };
        Tried { source, is_verified: checked.is_ok(), signature, hints, outcome, facts, notes }
    })
}

/// What would have to be different for the call to verify.
fn hints(
    ingest: &Ingest,
    endpoint: &SourceEndpoint,
    source: &str,
    pasted: &PastedCall,
    call: &Call<'_>,
    now: TimestampMs,
) -> Vec<String> {
    let definition = endpoint.definition();
    let origins: Vec<&str> = pasted.origin.as_deref().into_iter().collect();
    match definition.nearest(call, &endpoint.keys, now, &origins) {
        Some((differences, _)) if !differences.is_empty() => {
            return differences.iter().map(|one| format!("It would verify with: {one}")).collect();
        }
        Some(_) | None => {}
    }
    let Some(form) = definition.signature.url_form() else {
        return vec![
            "No other formula that was tried explains it: check the secret, and that the call was captured whole.".into(),
        ];
    };
    let hosts: Vec<String> =
        origins.iter().filter_map(|origin| Some(origin.split_once("://")?.1.to_owned())).collect();
    let others = ingest.sources.iter().filter(|(name, _)| *name != source);
    let other_secrets: Vec<(String, Secret)> = others
        .flat_map(|(name, other)| other.keys.secrets.iter().map(|secret| (name.clone(), secret.clone())))
        .collect();
    let diagnosis = diagnose(&Suspect {
        target: call.target,
        origin: &ingest.origin,
        other_hosts: &hosts,
        form,
        secrets: &endpoint.keys.secrets,
        other_secrets: &other_secrets,
        carried: None,
        dashboard: None,
    });
    match diagnosis {
        // Its own sentence names an option of the command line.
        Diagnosis::Unexplained(tried) => vec![format!(
            "None of {} combinations of form, scheme, host, secret, encoding and order explains it: the network calls \
             another host than {}, its secret is another one than in the settings, or the call was forged.",
            tried.combinations,
            tried.hosts.join(", ")
        )],
        other => other.to_string().lines().map(str::to_owned).collect(),
    }
}

fn outcome(event: &Event) -> String {
    match (&event.information, event.kind) {
        (Some(none), _) if none.is_test => format!("It would be recorded as a test: {}.", none.why),
        (Some(none), _) => format!("It would have no effect: {}.", none.why),
        (None, Kind::Credit) => "It would be a credit.".into(),
        (None, Kind::Reversal) => "It would be a reversal.".into(),
    }
}

/// What was read of the call, without what it lacks.
fn facts(event: &Event) -> Vec<(&'static str, String)> {
    let money = |of: Option<Micros>| of.map(|of| amount(of.0));
    let click = match &event.click {
        Click::At(at) => Some(at.rfc3339()),
        Click::Missing | Click::Unusable(_) => None,
    };
    let facts: [(&'static str, Option<String>); 13] = [
        ("User", Some(event.user_id.clone())),
        ("Transaction", Some(event.tx_id.clone())),
        ("Reward's key", event.credit_tx.clone()),
        ("Reward", money(event.reward)),
        ("Payout (USD)", money(event.payout)),
        ("Offer", event.offer_id.clone()),
        ("Offer's name", event.offer_name.clone()),
        ("Event", event.event_id.clone()),
        ("Event's name", event.event_name.clone()),
        ("Address", event.ip.clone()),
        ("Country", event.country_code.clone()),
        ("Click", click),
        ("Sub ids", sub_ids(event)),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, without_secrets(&value?)))).collect()
}

fn sub_ids(event: &Event) -> Option<String> {
    let ids: Vec<&str> = [&event.sub1, &event.sub2].into_iter().flatten().map(String::as_str).collect();
    (!ids.is_empty()).then(|| ids.join(", "))
}

/// A value that looks like a digest is cut, as everywhere.
fn without_secrets(value: &str) -> String {
    masked(value).into_owned()
}

fn notes(event: &Event) -> Vec<String> {
    let cleaned = event.noted(NoteKind::Cleaned).map(|notes| format!("Cleaned: {notes}."));
    let unfilled = event.noted(NoteKind::NotFilledIn);
    let unfilled =
        unfilled.map(|notes| format!("Left out, because the network did not fill in the macro: {notes}."));
    cleaned.into_iter().chain(unfilled).collect()
}
