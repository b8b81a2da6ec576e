//! What a postback means: the values that decide, through the network's table and the words of the source.

use super::Mapping;
use crate::money::{Micros, Parsed};
use crate::postback::cleaning::{Cleaned, SHOWN_BYTES, shortened, shown};
use crate::postback::event::{NoEffect, Quarantine};
use crate::postback::networks::Field;
use crate::postback::networks::kinds::{By, Meaning};

/// Values of [`Field::Test`] that mark a test.
const TRUE: [&str; 3] = ["1", "true", "yes"];

/// The values of one decider.
struct Words {
    by: By,
    /// Different texts; one that is empty for an absent value.
    texts: Vec<Cleaned>,
    /// A macro that was not filled in.
    unfilled: Option<String>,
}

impl Mapping<'_> {
    pub(super) fn meaning(&mut self) -> Result<Meaning, Quarantine> {
        if let Some(kind) = self.stated.status {
            return Ok(kind.meaning());
        }
        if self.is_test() {
            return Ok(Meaning::Test);
        }
        let words: Vec<_> = self.definition.kinds.by.iter().map(|by| self.words(*by)).collect();
        if let Some(absent) = words.iter().find(|words| words.texts.is_empty())
            // Some networks say something by leaving a value out.
            && self.decided(&words, |words| words.texts.first().map_or("", |text| text.text.as_str())).is_none()
        {
            let field = absent.by.field();
            return Err(match &absent.unfilled {
                Some(sent) => self.not_filled_in(field, sent),
                None => self.missing(field),
            });
        }
        let longest = words.iter().map(|words| words.texts.len()).max().unwrap_or(0).max(1);
        let is_repeated = |words: &&Words| words.texts.len() > 1;
        if words.iter().filter(is_repeated).count() > 1 {
            return Err(self.repeated(words[0].by.field()));
        }
        let text = |words: &Words, place: usize| words.texts.get(place).or(words.texts.first()).cloned();
        let rows: Vec<_> = (0..longest)
            .map(|place| {
                let texts: Vec<_> = words.iter().map(|words| text(words, place)).collect();
                // With characters dropped it could be another word.
                let is_whole = texts.iter().flatten().all(|cleaned| !cleaned.controls);
                let texts: Vec<_> =
                    texts.iter().map(|text| text.as_ref().map_or("", |text| text.text.as_str())).collect();
                self.definition.kinds.row(&texts).filter(|_| is_whole)
            })
            .collect();
        let meanings: Vec<_> = rows.iter().map(|row| row.map(|row| row.kind)).collect();
        let is_unpaid = rows.iter().any(|row| row.is_some_and(|row| row.is_unpaid));
        if meanings.iter().any(|meaning| *meaning != meanings[0]) {
            let repeated = words.iter().find(is_repeated).map_or(Field::Status, |words| words.by.field());
            return Err(self.repeated(repeated));
        }
        let Some(meaning) = meanings[0] else { return Err(self.unknown(&words)) };
        self.is_unpaid = is_unpaid;
        for words in &words {
            if words.texts.first().is_some_and(|text| text.trimmed) && words.by != By::Sign {
                self.cleaned(words.by.field(), "had blanks around it");
            }
        }
        Ok(meaning)
    }

    /// The first word of a decider.
    pub(super) fn first_word(&self, by: By) -> Option<String> {
        self.words(by).texts.into_iter().next().map(|cleaned| cleaned.text)
    }

    fn is_test(&self) -> bool {
        self.definition.field(Field::Test).is_some()
            && self
                .given(Field::Test)
                .texts
                .iter()
                .any(|(cleaned, _)| TRUE.contains(&cleaned.text.trim().to_ascii_lowercase().as_str()))
    }

    fn words(&self, by: By) -> Words {
        let given = self.given(by.field());
        let texts = given.texts.into_iter().map(|(cleaned, _)| match by {
            By::Field(_) => cleaned,
            By::Sign => Cleaned { text: sign(&cleaned.text).to_owned(), ..cleaned },
        });
        let mut texts: Vec<_> = texts.collect();
        if by == By::Sign {
            // `5` and `5.00` have the same sign.
            texts.dedup_by(|one, other| one.text == other.text);
        }
        Words { by, texts, unfilled: given.unfilled }
    }

    fn decided<'w>(&self, words: &'w [Words], text: impl Fn(&'w Words) -> &'w str) -> Option<Meaning> {
        let texts: Vec<_> = words.iter().map(text).collect();
        self.definition.kinds.decide(&texts)
    }

    fn unknown(&self, words: &[Words]) -> Quarantine {
        let text = |words: &Words| words.texts.first().map_or(String::new(), |text| text.text.clone());
        let said: Vec<_> = words.iter().map(text).collect();
        let word: Vec<_> = said
            .iter()
            .map(|text| {
                let word = text.trim().to_lowercase();
                shortened(&word, SHOWN_BYTES).replace(['"', '\\'], "")
            })
            .collect();
        let cure = format!(
            "is unknown: it says {}; if it means a credit or a reversal, map it in the settings of the source, statuses = \
             {{ \"{}\" = \"reversal\" }}, and replay the postback",
            said.iter().map(|text| shown(text)).collect::<Vec<_>>().join(" and "),
            word.join(":")
        );
        self.quarantine(words.first().map_or(Field::Status, |words| words.by.field()), &cure)
    }

    /// Why a postback has no effect. No reward and no payout is an intermediate step that some networks report.
    pub(super) fn no_effect(
        &self,
        meaning: Meaning,
        reward: Option<Parsed>,
        payout: Option<Parsed>,
    ) -> Option<NoEffect> {
        let is_zero = |parsed: Parsed| parsed.amount.0 == 0 && !parsed.rounded;
        // An unreadable payout may be more than nothing.
        let nothing_paid = payout.map_or_else(|| !self.is_noted(Field::Payout), is_zero);
        let why = match meaning {
            Meaning::Test => "recorded only: the network says that it is a test",
            Meaning::Pending => {
                "recorded only: the reward is not sure yet; the network sends what becomes of it"
            }
            Meaning::Ignore => "recorded only: this status is information",
            Meaning::Credit if reward.is_some_and(is_zero) && nothing_paid => {
                "recorded only: it carries no money"
            }
            Meaning::Credit | Meaning::Reversal => return None,
        };
        Some(NoEffect { is_test: meaning == Meaning::Test, why: why.to_owned() })
    }

    fn is_noted(&self, field: Field) -> bool {
        self.notes.iter().any(|note| note.field == Some(field))
    }
}

/// The sign of an amount; empty for what is no amount.
fn sign(text: &str) -> &'static str {
    match Micros::parse_sent(text) {
        Ok(sent) if sent.is_zero() => "zero",
        Ok(sent) if sent.negative => "negative",
        Ok(_) => "positive",
        Err(_) => "",
    }
}
