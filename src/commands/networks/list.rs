//! `networks list`: every network in a line.

use domain::postback::networks::{Definition, Method};
use domain::text::duration;
use serde_json::json;

use super::Known;
use crate::EXIT_DONE;
use crate::commands::{say, say_raw};

/// Prints all known networks.
pub(super) fn list(known: &Known, json: bool) -> anyhow::Result<u8> {
    let all = known.all();
    if json {
        let items = all
            .iter()
            .map(|own| json!({ "name": own.name, "title": own.title, "confirmed": own.confirmed.name() }));
        say_raw(&serde_json::to_string_pretty(&items.collect::<Vec<_>>())?);
        return Ok(EXIT_DONE);
    }
    let mut rows = vec![["NAME", "TITLE", "CONFIRMED", "CALLS", "REPEATS FOR", ""].map(str::to_owned)];
    let own = known.own().len();
    rows.extend(all.iter().enumerate().map(|(index, definition)| row(definition, index < own)));
    for line in super::show::table(&rows) {
        say(&line);
    }
    Ok(EXIT_DONE)
}

fn row(definition: &Definition, is_own: bool) -> [String; 6] {
    let methods: Vec<_> = definition.methods.iter().copied().map(Method::name).collect();
    let horizon = match definition.retries.horizon_minutes {
        0 => "unknown".to_owned(),
        _ => duration(definition.retry_horizon_ms()),
    };
    [
        definition.name.clone(),
        definition.title.clone(),
        definition.confirmed.name().to_owned(),
        format!("{} {}", methods.join("/"), definition.parameters.name()),
        horizon,
        if is_own { "yours" } else { "" }.to_owned(),
    ]
}
