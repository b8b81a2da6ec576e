//! The network that the sandbox plays, from `--network`, and the secrets that it signs with.

use std::path::Path;

use anyhow::Context as _;
use domain::postback::networks::{Definition, shipped};
use domain::postback::signature::SignatureForm;
use domain::text::is_similar;
use sandbox::{Network, PlanOptions, Secrets, SignerError};

use super::FormArg;
use crate::commands::say;
use crate::config;

/// The network that is played unless another is named, and where its secret is then.
const DEFAULT: (&str, &str) = ("targo", "env:TARGO_SECRET");

/// The network that ships under `name`, or that of the definition file `name`.
pub(super) fn network(name: &str, form: Option<FormArg>) -> anyhow::Result<Network> {
    let network = if Path::new(name).extension().is_some_and(|extension| extension == "toml") {
        let text = std::fs::read_to_string(name)
            .with_context(|| format!("--network: the definition {name} cannot be read"))?;
        let read = Definition::parse(name, &text);
        Network::of(read.map_err(|faults| anyhow::anyhow!("--network: {faults}"))?)
    } else {
        Network::shipped(name).with_context(|| {
            let near = shipped::names().find(|near| is_similar(name, near));
            let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
            format!(
                "--network: `{name}` is not a network{near}: `rewardgate networks list` shows all, and a file of your own ends \
                 in .toml"
            )
        })?
    };
    let Some(form) = form else { return Ok(network) };
    let title = network.definition().title.clone();
    let form = match form {
        FormArg::Empty => SignatureForm::Empty,
        FormArg::Cut => SignatureForm::Cut,
    };
    network
        .with_form(form)
        .with_context(|| format!("--signature-form has no use: {title} does not sign the URL; remove it"))
}

/// The secrets that the references of the command line refer to.
pub(super) fn secrets(
    network: &Network,
    secret: Option<&str>,
    second: Option<&str>,
) -> anyhow::Result<Secrets> {
    let definition = network.definition();
    let default = (definition.name == DEFAULT.0).then_some(DEFAULT.1);
    let is_key = definition.signature.proof.needs().public_keys;
    let read = |flag: &str, reference: Option<&str>| match reference {
        None => Ok(Vec::new()),
        Some(reference) => {
            let read =
                if is_key { key(reference) } else { config::reference(reference).map(String::into_bytes) };
            let text = read.map_err(|what| anyhow::anyhow!("{flag} {what}"))?;
            anyhow::ensure!(!text.is_empty(), "{flag} refers to an empty value");
            Ok(text)
        }
    };
    Ok(Secrets { secret: read("--secret", secret.or(default))?, second: read("--second-secret", second)? })
}

/// A private key: a file of 32 bytes is no text.
fn key(reference: &str) -> Result<Vec<u8>, String> {
    let Some(path) = reference.strip_prefix("file:") else {
        return config::reference(reference).map(String::into_bytes);
    };
    std::fs::read(path).map_err(|why| format!("refers to {path}, which cannot be read: {why}"))
}

/// Why calls cannot be signed, with the flag that helps.
pub(super) fn in_words(error: &SignerError) -> anyhow::Error {
    match error {
        SignerError::Origin(bad) => anyhow::anyhow!("--signed-origin: {bad}"),
        SignerError::NoSecret | SignerError::BadPrivateKey => {
            anyhow::anyhow!("--secret: {error} as env:NAME or file:PATH")
        }
        SignerError::NoSecondSecret => anyhow::anyhow!("--second-secret: {error} as env:NAME or file:PATH"),
    }
}

/// Says which events of the mix the network has not, and that all rewards are held if they are.
pub(super) fn say_what_differs(options: &PlanOptions) {
    let title = &options.template.network().definition().title;
    for (variety, why) in options.left_out() {
        say(&format!("without {}: {title} has none: {why}", variety.name()));
    }
    if options.is_all_held() {
        say(&format!(
            "every reward is expected to be held by rule Q6: the signature of {title} does not protect everything that decides \
             about money; with --caller-listed, if the source lists the caller, they are judged as any other"
        ));
    }
}
