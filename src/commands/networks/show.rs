//! `networks show`: one network in words, with the URL to paste.

use domain::dashboard;
use domain::postback::event::Params;
use domain::postback::networks::answers::Answer;
use domain::postback::networks::definition::Confirmed;
use domain::postback::networks::signature::Place;
use domain::postback::networks::{Definition, FieldDefinition, Method, TimeFormat, Unit};

use super::Known;
use crate::EXIT_DONE;
use crate::commands::{say, say_raw};

/// Prints the network that `name` names.
pub(super) fn show(known: &Known, name: &str, json: bool) -> anyhow::Result<u8> {
    let definition = known.find(name)?;
    if json {
        say_raw(&serde_json::to_string_pretty(&definition.to_json())?);
        return Ok(EXIT_DONE);
    }
    say(&definition.heading());
    about(&definition);
    paste(known, &definition);
    say("");
    macros(&definition);
    say("");
    meaning(&definition);
    say("");
    say(&format!("signature   {}", definition.signature_words()));
    say(&format!("coverage    {}", definition.coverage().words()));
    say("");
    answers(&definition);
    say(&format!("retries     {}", definition.horizon_words()));
    say(&format!("callers     {}", definition.callers_words()));
    for (part, sure) in definition.unconfirmed() {
        let cure = if part == "signature" && sure == Confirmed::Unproven {
            format!("; try it on a captured call: rewardgate networks test {} URL", definition.name)
        } else {
            String::new()
        };
        say(&format!("unconfirmed {part}: {}{cure}", sure.words()));
    }
    Ok(EXIT_DONE)
}

fn about(definition: &Definition) {
    let methods: Vec<_> = definition.methods.iter().copied().map(Method::name).collect();
    say(&format!("page        {}", definition.documentation));
    say(&format!("calls       {}, parameters: {}", methods.join(" or "), definition.parameters.name()));
}

/// The URL for each source of the settings with this network; one with placeholders if there is none.
fn paste(known: &Known, definition: &Definition) {
    let of_settings = known.settings.iter().flat_map(|settings| {
        let own = settings.sources.iter().filter(|source| source.params.definition().name == definition.name);
        own.map(|source| dashboard::url(&settings.public_url, &source.name, &source.params))
    });
    let mut urls: Vec<_> = of_settings.collect();
    if urls.is_empty() {
        urls.push(dashboard::url("https://YOUR_HOST", "SOURCE", &Params::of(definition.clone())));
    }
    for url in urls {
        say(&format!("paste       {url}"));
    }
    let sent = definition.fields.iter().filter(|own| own.fixed.is_none() && own.macro_text.is_none());
    let mut added: Vec<_> = sent.map(|own| own.parameter.as_str()).collect();
    if definition.signature.macro_text.is_none() {
        added.extend(definition.signature.place().map(Place::name));
    }
    if !added.is_empty() {
        say(&format!("adds itself {}", added.join(", ")));
    }
}

fn macros(definition: &Definition) {
    let mut rows = vec![["FIELD", "PARAMETER", "MACRO", ""].map(str::to_owned)];
    rows.extend(definition.fields.iter().map(|own| {
        let macro_text = own.macro_text.clone().unwrap_or_else(|| "-".into());
        [own.field.name().into(), own.parameter.clone(), macro_text, note(own)]
    }));
    for line in table(&rows) {
        say(&line);
    }
}

/// What a reader could get wrong about a field.
fn note(own: &FieldDefinition) -> String {
    if let Some(fixed) = &own.fixed {
        return format!("always {fixed}");
    }
    let unit = match &own.unit {
        Unit::Usd => None,
        Unit::UsdCents => Some("US cents".to_owned()),
        Unit::Currency(code) => Some(code.clone()),
    };
    let is_time = matches!(own.field.name(), "clicked_at" | "converted_at");
    let format = TimeFormat::ALL.iter().find(|(_, format)| is_time && *format == own.format);
    unit.or_else(|| format.map(|(name, _)| (*name).to_owned())).unwrap_or_default()
}

fn meaning(definition: &Definition) {
    for row in &definition.kinds.rows {
        say(&format!("kind        {}", definition.kind_words(row)));
    }
    say("kind        anything else is quarantined");
    let identity = &definition.identity;
    say(&format!("identity    event = \"{}\"", identity.event.text()));
    if identity.reward != identity.event {
        say(&format!("identity    reward = \"{}\"", identity.reward.text()));
    }
    if identity.reversal_of != identity.reward {
        say(&format!("identity    reversal_of = \"{}\"", identity.reversal_of.text()));
    }
    if !identity.strip_prefix.is_empty() {
        say(&format!("identity    strip_prefix = \"{}\"", identity.strip_prefix));
    }
    say(&format!("amounts     {}", identity.amounts.words()));
}

fn answers(definition: &Definition) {
    let answers = &definition.answers;
    for (outcome, Answer { status, body }) in [
        ("recorded", &answers.recorded),
        ("repeat", &answers.repeat),
        ("refused", &answers.refused),
        ("invalid", &answers.invalid),
        ("later", &answers.later),
    ] {
        say(&format!("answer      {outcome:<8} {status} {:?}", body.text()));
    }
}

/// Columns as wide as their longest text, two blanks between them.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
