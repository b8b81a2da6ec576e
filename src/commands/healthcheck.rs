//! `rewardgate healthcheck`: asks the process that these settings start whether it is ready.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context as _;
use clap::Args;

use crate::commands::say;
use crate::config::Settings;
use crate::{EXIT_DONE, EXIT_FAILED};

/// Which process to ask.
#[derive(Debug, Args)]
pub(crate) struct HealthcheckArgs {
    /// Ask the process that `rewardgate worker` runs, at `worker_listen`.
    #[arg(long)]
    pub(crate) worker: bool,
}

/// Prints each check of the process and its result.
pub(crate) async fn healthcheck(settings: &Settings, args: &HealthcheckArgs) -> anyhow::Result<u8> {
    let address = if args.worker {
        settings.worker_listen.context("`worker_listen` is not set: set it so that a worker answers")?
    } else {
        settings.admin_listen.unwrap_or(settings.listen)
    };
    anyhow::ensure!(address.port() != 0, "{address}: port 0 is another port at every start: set a fixed one");
    let health = jobs::health::ask(reachable(address)).await?;
    for check in &health.checks {
        let mark = if check.ok { '✓' } else { '✗' };
        say(&format!("{mark} {:<10} {}", check.name, check.detail));
    }
    Ok(if health.ready { EXIT_DONE } else { EXIT_FAILED })
}

/// The address at which a listener on `address` is reached from the same machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
