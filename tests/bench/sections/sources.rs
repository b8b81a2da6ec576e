//! Acknowledgements of a gateway with a source for every network that ships, beside one with a single source.

use std::fmt::Write as _;

use domain::postback::networks::{Field, shipped};

use crate::load::{Load, Round};
use crate::sections::Run;
use crate::table::Limit;
use crate::{CONNECTIONS, median};

pub(super) async fn measure(run: &mut Run<'_>) {
    let (one, all) = (run.gateway().await, run.gateway().await.with_sections(&sections()));
    let (mut load, lasts) = (Load::new(), run.sizes.round);
    let (mut of_one, mut of_all): (Vec<Round>, Vec<Round>) = Default::default();
    for _ in 0..run.sizes.rounds {
        for (gateway, rounds) in [(&one, &mut of_one), (&all, &mut of_all)] {
            let web = gateway.web();
            rounds.push(load.run(web.address, CONNECTIONS, lasts).await);
            web.stop();
        }
    }
    let (of_one, of_all) = (median(of_one).answers_per_second(), median(of_all).answers_per_second());
    let count = sections().matches("[[sources]]").count() + 1;
    run.add("acknowledged with one source", of_one, "/s", None);
    run.add(&format!("acknowledged with {count} sources"), of_all, "/s", None);
    run.add("… beside one source", of_all / of_one, "×", Some(Limit::AtLeast(0.95)));
    one.remove().await;
    all.remove().await;
}

/// A source for each network, except those that need a file of public keys.
fn sections() -> String {
    let sections = shipped::names().filter_map(|name| {
        let definition = shipped::definition(name)?.ok()?;
        let needs = definition.signature.proof.needs();
        if needs.public_keys {
            return None;
        }
        let mut text = format!(
            "[[sources]]\nname = \"{name}\"\nnetwork = \"{name}\"\ncurrency = \"coins\"\nallow_ips = [\"127.0.0.1\"]\n"
        );
        for (is_needed, key) in [(needs.secret, "secret"), (needs.second_secret, "second_secret")] {
            if is_needed {
                let _ = writeln!(text, "{key} = \"env:BENCH_SECRET\"");
            }
        }
        if definition.field(Field::Reward).is_none() {
            text += "reward_per_usd = \"500\"\n";
        }
        Some(text)
    });
    sections.collect()
}
