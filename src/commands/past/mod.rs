//! Calls of the past, for `assess` and `import`: read from files of any size, sorted by time, each with its source.
//!
//! | module | what it does |
//! |---|---|
//! | [`input`] | opens files, unpacks gzip, splits into lines of bounded length |
//! | [`reading`] | lines become calls of sources, verified and counted |
//! | [`sources`] | which source a call belongs to, and whether its signature is right |
//! | [`running`] | records, processes and counts the calls, and numbers those that agree in everything |
//! | [`setup`] | the settings, or settings that are made up from the name of a network |
//! | [`sorted`] | sorts any number of calls by time in bounded memory |

pub(crate) mod input;
pub(crate) mod reading;
pub(crate) mod running;
pub(crate) mod setup;
pub(crate) mod sorted;
pub(crate) mod sources;

use std::path::PathBuf;

use clap::Args;

/// Which files, and whose calls they have.
#[derive(Debug, Args)]
pub(crate) struct PastArgs {
    /// Access logs (common, combined, JSON), URLs, or NDJSON or CSV with `received_at`, `source`, `target`, `remote_ip`;
    /// gzip too. `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Source, or network, of calls whose line and path (/pb/NAME) name none.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Scheme and host that the network called, if it signs them and the files do not have them.
    #[arg(long, value_name = "URL")]
    pub(crate) origin: Option<String>,
}
