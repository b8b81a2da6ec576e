//! What the network gave up: after the last retry a postback is kept in a file, until a person has it sent again.
//!
//! One JSON object a line, appended and synced before the next call is made, so that killing the sandbox loses none.
//! What is sent again is the same call byte for byte, hash included: a network does not sign anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use domain::network::targo::is_acknowledged;
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::http::{Get, Http, client};
use super::send::{Answer, MAX_ANSWER_BYTES};
use super::template::{Signer, Template};

/// So many are sent again before the file is written anew: what a killed resend sends twice is a repeat.
const RESEND_BATCH: usize = 50;

/// A postback that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The network's transaction.
    pub tx_id: String,
    /// What it says, e.g. `credit`.
    pub act: String,
    /// The whole URL, hash included.
    pub url: String,
    /// How often it was sent.
    pub attempts: u32,
    /// The end of the last attempt, unix milliseconds.
    pub failed_at_ms: i64,
    /// How it was answered last: a status and the beginning of the body, or why there was no answer.
    pub last_answer: String,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Reading or writing failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that is no postback.
    #[error("{}, line {line}: {what}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
}

/// The file that keeps what was given up.
#[derive(Clone, Debug)]
pub struct Keep {
    path: PathBuf,
}

/// What became of sending again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resent {
    /// Acknowledged now; they have left the file.
    pub acknowledged: usize,
    /// Not acknowledged; they stay.
    pub failed: usize,
}

impl Kept {
    /// `call` after `answer`, its last.
    pub fn of(call: &Call, answer: &Answer, template: &Template, signer: &Signer) -> Self {
        // The click was fixed when it was first written, so this is what was sent.
        let target = call.signed_target(template, signer, answer.sent_at_ms);
        let last_answer = match answer.status {
            Some(status) => format!("{status} {}", answer.text),
            None => answer.text.clone(),
        };
        Self {
            tx_id: call.event.tx_id(),
            act: call.act.to_string(),
            url: format!("{}{target}", template.origin()),
            attempts: answer.attempt,
            failed_at_ms: answer.answered_at_ms,
            last_answer,
        }
    }
}

impl Keep {
    /// The file at `path`, which need not exist yet.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Everything that is kept, oldest first; nothing if there is no file.
    pub fn all(&self) -> Result<Vec<Kept>, KeepError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io(error)),
        };
        let mut kept = Vec::new();
        for (line, number) in BufReader::new(file).lines().zip(1..) {
            let line = line.map_err(|error| self.io(error))?;
            let one = serde_json::from_str(&line).map_err(|error| KeepError::Line {
                path: self.path.clone(),
                line: number,
                what: error.to_string(),
            })?;
            kept.push(one);
        }
        Ok(kept)
    }

    /// Keeps one more; it is on disk when this returns.
    pub fn add(&self, kept: &Kept) -> Result<(), KeepError> {
        let append = || {
            let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            file.write_all(line(kept)?.as_bytes())?;
            file.sync_data()
        };
        append().map_err(|error| self.io(error))
    }

    /// Sends again what `wanted` says; what is acknowledged leaves the file.
    ///
    /// The executable must have installed a rustls provider first: without one, the HTTP client panics.
    pub async fn resend(&self, wanted: impl Fn(&Kept) -> bool) -> Result<Resent, KeepError> {
        let http = client(1).map_err(|error| KeepError::Client(error.reason))?;
        let mut resent = Resent::default();
        let mut left = Vec::new();
        let mut waiting = self.all()?.into_iter().peekable();
        while waiting.peek().is_some() {
            for kept in waiting.by_ref().take(RESEND_BATCH) {
                if !wanted(&kept) {
                    left.push(kept);
                    continue;
                }
                let get = Get { url: &kept.url, bearer: None, max_body_bytes: MAX_ANSWER_BYTES };
                let answered = Http::get(&http, get).await;
                let acknowledged = answered
                    .as_ref()
                    .is_ok_and(|reply| is_acknowledged(reply.status, &String::from_utf8_lossy(&reply.body)));
                if acknowledged {
                    resent.acknowledged += 1;
                } else {
                    resent.failed += 1;
                    left.push(kept);
                }
            }
            let rest: Vec<_> = waiting.clone().collect();
            self.replace(left.iter().chain(&rest))?;
        }
        Ok(resent)
    }

    /// The file with these lines, at once.
    fn replace<'k>(&self, kept: impl Iterator<Item = &'k Kept>) -> Result<(), KeepError> {
        let new = self.path.with_extension("new");
        let write = || {
            let mut file = File::create(&new)?;
            for one in kept {
                file.write_all(line(one)?.as_bytes())?;
            }
            file.sync_data()?;
            fs::rename(&new, &self.path)
        };
        write().map_err(|error| self.io(error))
    }

    fn io(&self, source: io::Error) -> KeepError {
        KeepError::Io { path: self.path.clone(), source }
    }
}

fn line(kept: &Kept) -> io::Result<String> {
    Ok(serde_json::to_string(kept)? + "\n")
}
