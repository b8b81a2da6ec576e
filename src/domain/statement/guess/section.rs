//! A proposal as TOML: what is settled as keys, what is not as comments with the alternatives.

use std::fmt::Write as _;

use super::{Doubt, Guess, quoted};
use crate::statement::columns::shown;
use crate::statement::format::FIELDS;

impl Guess {
    /// The section `[sources.statement]`. It is valid TOML, and reads the file if [`Guess::is_complete`].
    pub fn section(&self) -> String {
        let format = &self.format;
        let list = |words: Vec<String>| format!("[{}]", words.join(", "));
        let words = |words: &[String]| list(words.iter().map(|word| quoted(word)).collect());
        let mut keys = vec![
            ("delimiter", quoted(&format.delimiter.to_string())),
            ("header", format.header.to_string()),
            ("decimal_comma", format.decimal_comma.to_string()),
            ("amounts", list(format.amounts.iter().map(|form| quoted(form.name())).collect())),
        ];
        if self.has("time") {
            keys.push(("time", quoted(&format.time)));
            keys.push(("zone", quoted(&format.zone)));
        }
        if format.daily_sums {
            keys.push(("daily_sums", "true".to_owned()));
        }
        if self.has("status") {
            keys.push(("credits", words(&format.credits)));
            keys.push(("reversals", words(&format.reversals)));
        }
        let mut text = "[sources.statement]\n".to_owned();
        for (key, value) in keys {
            let mut doubts = self.doubts.iter().filter(|doubt| doubt.key == key).peekable();
            // Words that are known stay set beside those that are not.
            let is_list = key == "credits" || key == "reversals";
            if is_list || doubts.peek().is_none() {
                line(&mut text, key, &value);
            }
            doubts.for_each(|doubt| comment(&mut text, key, doubt));
        }
        text += "\n[sources.statement.columns]\n";
        for field in FIELDS {
            let name = format!("columns.{field}");
            match (format.columns.get(field), self.doubts.iter().find(|doubt| doubt.key == name)) {
                (_, Some(doubt)) => comment(&mut text, field, doubt),
                (Some(column), None) => line(&mut text, field, &quoted(column)),
                (None, None) => {}
            }
        }
        text
    }

    /// True if a column holds the field, or could.
    fn has(&self, field: &str) -> bool {
        self.format.columns.get(field).is_some_and(|column| !column.is_empty())
            || self.doubts.iter().any(|doubt| doubt.key == format!("columns.{field}"))
    }
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {value}");
}

fn comment(text: &mut String, key: &str, doubt: &Doubt) {
    // What a file holds must not end the comment.
    let what: String =
        doubt.what.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let _ = writeln!(text, "# {what}");
    for value in &doubt.alternatives {
        let value = if value.chars().any(char::is_control) { shown(value) } else { value.clone() };
        let _ = writeln!(text, "# {key} = {value}");
    }
}
