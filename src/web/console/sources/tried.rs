//! What the definition of a source makes of a captured call. Nothing is stored; neither the call nor its signature is
//! shown again.

use domain::masked::masked;
use domain::postback::diagnosis::Diagnosis;
use domain::postback::diagnosis::network::{Cause, Unmatched};
use domain::postback::networks::Call;
use domain::postback::networks::pasted::PastedCall;
use domain::postback::networks::trial::sentences::Line;
use domain::postback::networks::trial::{Checked, trial};
use domain::postback::signature::Secret;
use domain::time::TimestampMs;

use crate::console::Console;
use crate::ingest::{Ingest, SourceEndpoint};

/// The answer to a pasted call.
pub(super) struct Tried {
    /// Empty if the call could not be tried at all.
    pub(super) source: String,
    /// True if such a call is accepted, and nobody has to finish it.
    pub(super) is_good: bool,
    /// Why it was not tried; empty if it was.
    pub(super) obstacle: String,
    /// Everything that was found.
    pub(super) lines: Vec<Line>,
    /// What would have to be different for it to verify.
    pub(super) hints: Vec<String>,
}

impl Tried {
    fn not(why: String) -> Self {
        Self { source: String::new(), is_good: false, obstacle: why, lines: Vec::new(), hints: Vec::new() }
    }
}

/// Tries `text` as a call of the source `chosen`, or of the one that its path names.
pub(super) async fn try_text(console: &Console, text: &str, chosen: &str) -> Tried {
    let call = match PastedCall::read(text) {
        Ok(call) => call,
        Err(bad) => return Tried::not(format!("The call was not read: {bad}.")),
    };
    let named = if chosen.is_empty() { call.source() } else { Some(chosen) };
    let found = named.and_then(|name| Some((name, console.stating.sources.get(name)?)));
    let Some((source, mapping)) = found else {
        return Tried::not(match named {
            Some(name) => {
                format!("There is no source {}; choose the one that the call is meant for.", masked(name))
            }
            None => "The path does not name a source (/pb/NAME); choose the one that the call is meant for."
                .into(),
        });
    };
    let (source, currency) = (source.to_owned(), mapping.terms.currency.clone());
    let (ingest, now) = (console.ingest.clone(), console.clock.now());
    // Trying thousands of formulas takes a while, which belongs on no thread that serves others.
    let tried = tokio::task::spawn_blocking(move || try_call(&ingest, source, &currency, &call, now)).await;
    tried.unwrap_or_else(|_| {
        Tried::not("The call could not be tried because of an internal error; the log names it.".into())
    })
}

fn try_call(ingest: &Ingest, source: String, currency: &str, pasted: &PastedCall, now: TimestampMs) -> Tried {
    let Some(endpoint) = ingest.sources.get(&source) else {
        return Tried::not(format!("There is no source {source}."));
    };
    pasted.with(&ingest.origin, |call| {
        let trial = trial(call, &endpoint.params, Some(&endpoint.keys), now);
        let hints = match &trial.signature {
            Checked::Refused(_) => hints(ingest, endpoint, &source, pasted, call, now),
            _ => Vec::new(),
        };
        // A value that looks like a digest is cut, as everywhere.
        let lines = trial.lines(currency).into_iter();
        let lines = lines.map(|line| Line { text: masked(&line.text).into_owned(), ..line });
        Tried { is_good: trial.is_good(), obstacle: String::new(), lines: lines.collect(), hints, source }
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
    let hosts: Vec<String> = pasted.host().map(str::to_owned).into_iter().collect();
    let others = ingest.sources.iter().filter(|(name, _)| *name != source);
    let other_secrets: Vec<(String, Secret)> = others
        .flat_map(|(name, other)| other.keys.secrets.iter().map(|secret| (name.clone(), secret.clone())))
        .collect();
    let unmatched = Unmatched {
        definition: endpoint.definition(),
        call,
        keys: &endpoint.keys,
        now,
        other_hosts: &hosts,
        other_secrets: &other_secrets,
        dashboard: None,
        callers: endpoint.callers.networks(),
    };
    match Cause::of(&unmatched, None) {
        // Its own sentence names an option of the command line.
        Cause::OfUrl(Diagnosis::Unexplained(tried)) => vec![format!(
            "None of {} combinations of form, scheme, host, secret, encoding and order explains it: the network calls \
             another host than {}, its secret is another one than in the settings, or the call was forged.",
            tried.combinations,
            tried.hosts.join(", ")
        )],
        other => other.to_string().lines().map(str::to_owned).collect(),
    }
}
