//! A trial as lines for people, each under a heading of one or two words.

use super::{Booked, Checked, Outcome, Trial};
use crate::postback::mapping::said::{Said, Sent};
use crate::postback::networks::identity::Amounts;
use crate::postback::networks::kinds::{By, Meaning};
use crate::postback::networks::signature::Verified;
use crate::postback::networks::{Definition, Field, FieldDefinition, Method, Unit};

/// A finding: what it is about, and a sentence or a line of the definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// One or two words; the same as before for a further line of it.
    pub about: &'static str,
    /// For people.
    pub text: String,
}

impl Trial {
    /// Everything that was found, in the order in which RewardGate works: call, signature, fields, kind, identity, result.
    /// Rewards are in `currency`.
    pub fn lines(&self, currency: &str) -> Vec<Line> {
        let definition = self.params.definition();
        let mut lines = Vec::new();
        let mut add = |about, text: String| lines.push(Line { about, text });
        add("call", format!("{} {}", self.method.name(), self.shown));
        if !self.has_listed_method() {
            let listed: Vec<_> = definition.methods.iter().copied().map(Method::name).collect();
            add(
                "call",
                format!("is accepted all the same, although the definition has methods = {listed:?}"),
            );
        }
        add("signature", self.signature_line());
        for (field, sent) in self.said.iter().flat_map(|said| &said.fields) {
            if let Some(own) = definition.field(*field) {
                add("field", field_line(own, sent));
            }
        }
        if let Some(said) = &self.said {
            add("kind", self.kind_line(said));
        }
        for text in self.identity_lines(currency) {
            add("identity", text);
        }
        for note in &self.notes {
            add("note", format!("{note}."));
        }
        add("result", self.result(currency));
        lines
    }

    fn signature_line(&self) -> String {
        let words = || self.params.definition().signature_words();
        match &self.signature {
            Checked::Verified(Verified::Secret(index)) => {
                format!("Verifies with secret {}. {}", index + 1, words())
            }
            Checked::Verified(Verified::Key(index)) => {
                format!("Verifies with public key {}. {}", index + 1, words())
            }
            Checked::Verified(Verified::Unsigned) | Checked::NothingSigned => words(),
            Checked::NotChecked => format!("Not checked: no secret was given. {}", words()),
            Checked::Refused(why) => format!("Does not verify: {why}. {}", words()),
        }
    }

    fn kind_line(&self, said: &Said) -> String {
        let definition = self.params.definition();
        let word = |(by, word): &(By, String)| match word.as_str() {
            "" => format!("{} is absent", by.name()),
            word => format!("{} is `{word}`", by.name()),
        };
        let words: Vec<_> = said.words.iter().map(word).collect();
        let words = if words.is_empty() { String::new() } else { format!("{}: ", words.join(", ")) };
        match (&said.row, &self.outcome) {
            (row, Outcome::NoEffect { meaning: Meaning::Test, .. })
                if row.as_ref().is_none_or(|row| row.kind != Meaning::Test) =>
            {
                "a test, whatever [kinds] says".to_owned()
            }
            (Some(row), _) => format!("{words}[kinds] {}", definition.kind_words(row)),
            (None, _) => format!("{words}no row of [kinds] matches"),
        }
    }

    fn identity_lines(&self, currency: &str) -> Vec<String> {
        let (booked, meaning) = match &self.outcome {
            Outcome::Credit(booked) => (booked, Meaning::Credit),
            Outcome::Reversal(booked) => (booked, Meaning::Reversal),
            Outcome::NoEffect { meaning, booked, .. } => (booked, *meaning),
            Outcome::Quarantined(_) => return Vec::new(),
        };
        let identity = &self.params.definition().identity;
        // The line that stands in the file: each is the one before it unless it is written.
        let (key, template) = match meaning {
            Meaning::Reversal if identity.reversal_of != identity.reward => {
                ("reversal_of", &identity.reversal_of)
            }
            _ if identity.reward != identity.event => ("reward", &identity.reward),
            _ => ("event", &identity.event),
        };
        let mut lines = vec![format!("[identity] {key} = \"{}\": {}", template.text(), booked.reward_key)];
        if !identity.strip_prefix.is_empty() && booked.tx_id != booked.reward_key {
            let prefix = &identity.strip_prefix;
            lines.push(format!(
                "[identity] strip_prefix = \"{prefix}\": {} becomes {}",
                booked.tx_id, booked.reward_key
            ));
        }
        let rule = Amounts::ALL.iter().find(|(_, own)| *own == identity.amounts).map_or("", |(name, _)| name);
        lines.push(format!("[identity] amounts = \"{rule}\": {}", booked.amounts(currency)));
        lines
    }

    fn result(&self, currency: &str) -> String {
        let becomes = match &self.outcome {
            Outcome::Credit(booked) => {
                format!("a credit of {} to user {}", booked.amounts(currency), booked.user_id)
            }
            Outcome::Reversal(booked) => {
                format!(
                    "the reversal of {} ({}) of user {}",
                    booked.reward_key,
                    booked.amounts(currency),
                    booked.user_id
                )
            }
            Outcome::NoEffect { meaning, booked, why } => {
                format!("{} of user {}, {why}", no_effect(*meaning), booked.user_id)
            }
            Outcome::Quarantined(reason) => format!("quarantined, because {reason}"),
        };
        let effect = match &self.signature {
            Checked::Refused(_) => "Refused. With the right signature",
            Checked::NotChecked => "If its signature is right",
            Checked::NothingSigned => "If its caller is allowed",
            Checked::Verified(_) => return format!("It becomes {becomes}."),
        };
        format!("{effect} it becomes {becomes}.")
    }
}

impl Booked {
    fn amounts(&self, currency: &str) -> String {
        match (self.reward, self.payout) {
            (Some(reward), Some(payout)) => format!("{reward} {currency}, {payout} USD"),
            (Some(reward), None) => format!("{reward} {currency}, no payout in USD"),
            (None, Some(payout)) => format!("{payout} USD, no reward"),
            (None, None) => "no amount".to_owned(),
        }
    }
}

fn no_effect(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Test => "a test",
        Meaning::Pending => "a pending reward",
        Meaning::Ignore => "information",
        Meaning::Credit => "a credit without money",
        Meaning::Reversal => "a reversal without effect",
    }
}

fn field_line(own: &FieldDefinition, sent: &Sent) -> String {
    let name = own.field.name();
    let parameter = if own.parameter.is_empty() { String::new() } else { format!(" (`{}`)", own.parameter) };
    let unit = match (&own.unit, own.field) {
        (Unit::UsdCents, Field::Payout) => " (US cents)".to_owned(),
        (Unit::Currency(code), Field::Payout) => format!(" ({code})"),
        _ => String::new(),
    };
    match sent {
        Sent::Value(text) => format!("{name}{parameter} = {text}{unit}"),
        Sent::Fixed(text) => format!("{name} = {text}{unit}, fixed in the definition"),
        Sent::Absent => format!("{name}{parameter} is absent"),
        Sent::Unfilled(text) => {
            format!("{name}{parameter} is {text}, a macro that the network did not fill in")
        }
        Sent::Several(texts) => {
            format!("{name}{parameter} has {} different values: {}", texts.len(), texts.join(", "))
        }
    }
}

impl Definition {
    /// Where each line about the network comes from, for headings.
    pub fn heading(&self) -> String {
        format!("{} ({}), {}", self.title, self.name, self.confirmed.words())
    }
}
