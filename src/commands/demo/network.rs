//! The simulated networks: endless plans in which something of everything happens soon.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use sandbox::{Mix, Network, Plan, PlanOptions, Retries, Secrets, SendOptions, Signer, Template, run};
use tokio_util::sync::CancellationToken;

use super::PUBLIC_URL;
use super::totals::Totals;
use crate::commands::new_token;

/// A network of the demo: its source has its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cast {
    /// In `networks list`.
    pub(super) name: &'static str,
    /// True if its source lists the address that calls come from: where the signature leaves much open, everything would
    /// be held otherwise.
    pub(super) is_caller_listed: bool,
    /// The network with the history, which sends three times as much as each other one.
    pub(super) is_main: bool,
    seed: u64,
}

/// The networks: a signed URL, another one, a signature that covers only the transaction, and a JSON body. The first has the
/// history.
pub(super) const CAST: [Cast; 4] = [
    // A seed whose first calls contain every variety; a test looks for others.
    Cast { name: "targo", is_caller_listed: false, is_main: true, seed: 12 },
    Cast { name: "bitlabs", is_caller_listed: true, is_main: false, seed: 21 },
    Cast { name: "cpx-research", is_caller_listed: true, is_main: false, seed: 22 },
    Cast { name: "inbrain", is_caller_listed: true, is_main: false, seed: 23 },
];

/// How many calls of the first network come for each of another.
const MAIN_CALLS: u32 = 3;

/// More unusual events than a network sends on a normal day.
const MIX: Mix = Mix {
    impossible_speed: 0.12,
    wrong_country: 0.06,
    repeat: 0.08,
    reversal: 0.14,
    early_reversal: 0.05,
    duplicate: 0.04,
    forged: 0.06,
    broken: 0.04,
};

impl Cast {
    /// The name of its source.
    pub(super) fn source(&self) -> String {
        format!("{}-demo", self.name)
    }

    /// Makes the secret that it shares with the demo, a file in `folder`.
    pub(super) fn make_secret(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(self.secret_file());
        std::fs::write(path, new_token()?).context("a secret of the demo cannot be saved")
    }

    pub(super) fn secret_file(&self) -> String {
        format!("{}-secret", self.name)
    }

    /// The URL that it calls, on the gateway at `url`.
    pub(super) fn template(&self, url: &str) -> anyhow::Result<Template> {
        let network = Network::shipped(self.name).context("it ships")?;
        let query = network.query();
        let mark = if query.is_empty() { "" } else { "?" };
        Ok(Template::parse(&format!("{url}/pb/{}{mark}{query}", self.source()), &network)?)
    }

    /// Signs with its secret in `folder`.
    pub(super) fn signer(&self, template: &Template, folder: &Path) -> anyhow::Result<Signer> {
        let secret = std::fs::read(folder.join(self.secret_file())).context("a secret of the demo")?;
        Ok(Signer::new(template, Some(PUBLIC_URL), &Secrets { secret, second: Vec::new() })?)
    }

    /// Endless, with few calls between an event and its follow-up.
    fn plan(&self, template: &Template) -> PlanOptions {
        PlanOptions {
            mix: MIX,
            follow_up_calls: 3..=20,
            is_caller_listed: self.is_caller_listed,
            ..PlanOptions::new(self.seed, None, template.clone())
        }
    }

    /// Sends postbacks until `stop`, `rate` per second if it is the main one.
    async fn send(
        &self,
        url: &str,
        folder: &Path,
        rate: u32,
        totals: &Arc<Totals>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let template = self.template(url)?;
        let signer = self.signer(&template, folder)?;
        let plan = Plan::new(&self.plan(&template))?;
        let rate = if self.is_main { rate } else { rate / MAIN_CALLS };
        let options = SendOptions {
            template,
            signer,
            connections: 8,
            rate_per_s: rate.max(1),
            retries: Retries::default(),
            remember: false,
        };
        run(&options, plan, |call, answer| totals.count(call, answer), stop).await?;
        Ok(())
    }
}

/// Plays all networks until `stop`; `rate` is that of the first, in postbacks per second.
pub(super) async fn send(
    url: &str,
    folder: &Path,
    rate: u32,
    totals: &Arc<Totals>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let playing = CAST.iter().map(|cast| cast.send(url, folder, rate, totals, stop));
    futures_util::future::try_join_all(playing).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sandbox::{Act, Call, Variety};

    use super::*;

    #[test]
    fn the_first_ten_seconds_show_something_of_everything() {
        let template = CAST[0].template("http://localhost").expect("valid");
        let shown = |seed: u64| {
            let options = Cast { seed, ..CAST[0] }.plan(&template);
            let first: Vec<Call> = Plan::new(&options).expect("valid").take(27).collect();
            let any = |wanted: &dyn Fn(&Call) -> bool| first.iter().any(wanted);
            let is = |call: &Call, variety: Variety| call.event.variety == variety;
            any(&|call| is(call, Variety::Reversal) && matches!(call.act, Act::Reversal { .. }))
                && any(&|call| is(call, Variety::ImpossibleSpeed))
                && any(&|call| is(call, Variety::EarlyReversal) && call.act == Act::Credit)
                && any(&|call| call.act == Act::Again)
                && any(&|call| matches!(call.act, Act::Forged(_)))
                && any(&|call| matches!(call.act, Act::Broken(_)))
        };
        assert!(
            shown(CAST[0].seed),
            "set its seed to one of {:?}",
            (1..5_000).filter(|seed| shown(*seed)).take(5).collect::<Vec<_>>()
        );
    }

    #[test]
    fn every_network_of_the_demo_has_its_own_users() {
        let mut names: Vec<_> = CAST
            .iter()
            .map(|cast| {
                let template = cast.template("http://localhost").expect("valid");
                Plan::new(&cast.plan(&template)).expect("valid").name().to_string()
            })
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), CAST.len());
    }
}
