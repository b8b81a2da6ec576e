//! The simulated network: an endless plan in which something of everything happens soon.

use std::sync::Arc;

use anyhow::Context as _;
use domain::postback::event::Params;
use domain::postback::signature::{Secret, SignatureForm};
use sandbox::{Mix, Plan, PlanOptions, Retries, SendOptions, Signer, Template, run};
use tokio_util::sync::CancellationToken;

use super::totals::Totals;
use super::{PUBLIC_URL, SOURCE};

/// A seed whose first calls contain every variety; a test looks for others.
const SEED: u64 = 12;
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

/// The URL that the network calls, on the gateway at `url`.
pub(super) fn template(url: &str) -> anyhow::Result<Template> {
    let params = Params::shipped("targo").context("it ships")?;
    Ok(Template::parse(&format!("{url}/pb/{SOURCE}?{}", params.definition().query_template()))?)
}

/// Sends `rate` postbacks per second until `stop`.
pub(super) async fn send(
    template: Template,
    secret: &str,
    rate: u32,
    totals: &Arc<Totals>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let secret = Secret::new(secret).context("an empty secret")?;
    let signer = Signer::new(&template, Some(PUBLIC_URL), SignatureForm::Empty, secret)?;
    let plan = Plan::new(&plan(SEED, &template))?;
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

/// Endless, with few calls between an event and its follow-up.
fn plan(seed: u64, template: &Template) -> PlanOptions {
    PlanOptions { mix: MIX, follow_up_calls: 3..=20, ..PlanOptions::new(seed, None, template.clone()) }
}

#[cfg(test)]
mod tests {
    use sandbox::{Act, Call, Variety};

    use super::*;

    #[test]
    fn the_first_ten_seconds_show_something_of_everything() {
        let params = Params::shipped("targo").expect("it ships");
        let template =
            Template::parse(&format!("http://localhost/pb/x?{}", params.definition().query_template()))
                .expect("valid");
        let shown = |seed: u64| {
            let first: Vec<Call> = Plan::new(&plan(seed, &template)).expect("valid").take(27).collect();
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
            shown(SEED),
            "set SEED to one of {:?}",
            (1..5_000).filter(|seed| shown(*seed)).take(5).collect::<Vec<_>>()
        );
    }
}
