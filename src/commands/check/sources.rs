//! What `check` says of each source: what its signature protects, and its URL in the network's dashboard.

use domain::dashboard;

use super::{CheckArgs, Findings, Mark};
use crate::commands::say_lines;
use crate::config::{Settings, Source};

/// What the signature of a source protects, and what of its network is not sure.
pub(super) fn network(source: &Source, findings: &mut Findings) {
    let definition = source.params.definition();
    let (name, title) = (&source.name, &definition.title);
    let unsigned = definition.unsigned();
    let lists_callers = !source.callers.networks().is_empty();
    let (mark, cure) = if unsigned.is_grave() && !lists_callers {
        (Mark::Warning, " Set `allow_ips`, so that a forged call is told by its caller.")
    } else {
        (Mark::Good, "")
    };
    findings.add(mark, "network", &format!("{name}: {title}. {}{cure}", definition.coverage().words()));
    if unsigned.is_unproven {
        let text = format!(
            "{name}: the signature of {title} is unproven; try `rewardgate networks test {} URL --source {name}` with a \
             captured call",
            definition.name
        );
        findings.add(Mark::Warning, "network", &text);
    }
    if definition.retries.horizon_minutes == 0 {
        let text = format!(
            "{name}: no repeat by {title} is known, so a postback that is not answered at once may be lost; ask the network"
        );
        findings.add(Mark::Warning, "network", &text);
    }
}

/// Compares the dashboard's URL with the settings, and prints the URL to paste for each source.
pub(super) fn in_dashboard(
    settings: &Settings,
    args: &CheckArgs,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let origin = &settings.public_url;
    if let Some(pasted) = &args.url {
        let chosen = match &args.source {
            Some(name) => settings.sources.iter().find(|source| source.name == *name),
            None if settings.sources.len() == 1 => settings.sources.first(),
            None => anyhow::bail!("there are several sources: name the one of --url with --source NAME"),
        };
        let Some(source) = chosen else {
            anyhow::bail!(
                "the source `{}` is not in the settings",
                args.source.as_deref().unwrap_or_default()
            )
        };
        let found = dashboard::look(pasted, origin, &source.name, &source.params);
        for finding in &found {
            let mark = if finding.is_fatal() { Mark::Bad } else { Mark::Warning };
            findings.add(mark, "dashboard", &finding.to_string());
        }
        if found.is_empty() {
            findings.add(Mark::Good, "dashboard", "the URL matches the settings");
        }
    }
    for source in &settings.sources {
        let left = dashboard::left_as_they_are(&source.params);
        if !left.is_empty() {
            let left: Vec<_> = left.into_iter().map(|name| format!("`{name}`")).collect();
            let text = format!(
                "{}: `params` renames some parameters, but not {}: compare with the dashboard's URL (--url)",
                source.name,
                left.join(", ")
            );
            findings.add(Mark::Warning, "params", &text);
        }
        say_lines(&format!(
            "\n{}: paste this into the dashboard of {}",
            source.name,
            source.params.definition().title
        ));
        say_lines(&format!("{}\n", dashboard::url(origin, &source.name, &source.params)));
    }
    Ok(())
}
