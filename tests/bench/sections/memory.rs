//! Resident memory of each role while many postbacks come: it must stay small, and stop growing.

use crate::CONNECTIONS;
use crate::load::Load;
use crate::processes::{Gateway, Running};
use crate::sections::Run;
use crate::table::Limit;

/// What any role may hold, in MiB.
const MOST: Limit = Limit::AtMost(150.0);

pub(super) async fn measure(run: &mut Run<'_>) {
    let gateway = run.gateway().await;
    let up = [("one process", gateway.up())];
    roles(run, &gateway, up).await;
    gateway.remove().await;
    let gateway = run.gateway().await;
    let apart = [("web", gateway.web()), ("worker", gateway.worker())];
    roles(run, &gateway, apart).await;
    gateway.remove().await;
}

/// Sends to the first of `roles`, and reads the memory of all of them after every step.
async fn roles<const N: usize>(run: &mut Run<'_>, gateway: &Gateway, roles: [(&str, Running); N]) {
    let mut series = [const { Vec::new() }; N];
    let (mut load, mut sent) = (Load::new(), 0);
    while sent < run.sizes.memory {
        let step = run.sizes.memory_step.min(run.sizes.memory - sent);
        load.send(roles[0].1.address, CONNECTIONS, step).await;
        sent += step;
        gateway.until_nothing_waits().await;
        for ((_, role), series) in roles.iter().zip(&mut series) {
            series.push(role.resident_mib());
        }
    }
    for ((name, role), series) in roles.into_iter().zip(series) {
        role.stop();
        let step = run.sizes.memory_step;
        let what = format!("resident memory, {name}, largest after every {step} of {sent} postbacks");
        run.table.add_series(run.database, &what, series, "MiB", Some(MOST));
    }
}
