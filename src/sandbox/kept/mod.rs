//! Calls that the network gave up: after the last retry they are kept in a file until a person sends them again.
//!
//! One JSON object per line, appended and synced when the answer is processed; killing the sandbox loses the answers that
//! still wait in the queue. A line cut off by a kill is ignored, and the next one starts on a new line. Every access holds
//! a lock, so a sandbox can add calls while another process resends. A resent call is the same byte for byte, including
//! the signature: a network does not sign again, and a time that it signed may be too old by then.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use domain::postback::networks::kept::kept_body;
use domain::postback::networks::signature::Refusal;
use domain::postback::networks::{KeptCall, Method};
use serde::{Deserialize, Serialize};

use super::answer::{Acknowledgement, Answer, MAX_ANSWER_BYTES, is_acknowledged};
use super::call::Call;
use super::http::{Http, Reply, Request, client};
use super::signer::Signer;
use super::template::Template;

/// File mode: signed calls are readable by the owner only.
const FOR_US_ALONE: u32 = 0o600;

/// Calls sent before the file is rewritten. If resending is killed, at most these are sent twice, as repeats.
const RESEND_BATCH: usize = 50;

/// A call that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Transaction ID of the network.
    pub tx_id: String,
    /// The kind of call, e.g. `credit`.
    pub act: String,
    /// GET or POST.
    #[serde(default = "get", skip_serializing_if = "is_get")]
    pub method: String,
    /// The whole URL with its signature.
    pub url: String,
    /// Names and values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body, percent-encoded where it is not text; `None` if it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The answers that acknowledge it; empty for a 200 with `1` or `OK` in its body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledged_by: Vec<Acknowledgement>,
    /// Number of attempts.
    pub attempts: u32,
    /// The end of the last attempt, unix milliseconds.
    pub failed_at_ms: i64,
    /// Status and first characters of the last answer, or why there was none.
    pub last_answer: String,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Reading or writing failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// A line is not a call.
    #[error("{}, line {line}: {what}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The error of the parser.
        what: String,
    },
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
}

/// The file of calls that were given up.
#[derive(Clone, Debug)]
pub struct Keep {
    path: PathBuf,
}

/// The result of resending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resent {
    /// Acknowledged now, and removed from the file.
    pub acknowledged: Vec<Kept>,
    /// Still not acknowledged; they stay in the file.
    pub failed: usize,
}

fn get() -> String {
    Method::Get.name().to_owned()
}

fn is_get(method: &str) -> bool {
    method == Method::Get.name()
}

impl Kept {
    /// `call` with its last `answer`.
    pub fn of(call: &Call, answer: &Answer, template: &Template, signer: &Signer) -> Result<Self, Refusal> {
        // The click time was fixed at the first attempt, so this is the same call.
        let postback = call.postback(template, signer, answer.sent_at_ms)?;
        let last_answer = match answer.status {
            Some(status) => format!("{status} {}", answer.text),
            None => answer.text.clone(),
        };
        Ok(Self {
            tx_id: call.event.tx_id(),
            act: call.act.to_string(),
            method: postback.method.name().to_owned(),
            url: format!("{}{}", template.origin(), postback.target),
            acknowledged_by: template.network().acknowledgements(&postback),
            body: kept_body(&postback.body),
            headers: postback.headers,
            attempts: answer.attempt,
            failed_at_ms: answer.answered_at_ms,
            last_answer,
        })
    }

    /// The reply to sending it again; `None` if there was none.
    async fn send(&self, http: &impl Http) -> Option<Reply> {
        let kept = KeptCall::of(&self.method, "", None, self.body.as_deref());
        let (method, body) = kept.with("", |call| (call.method, call.body.to_vec()));
        let request = Request {
            method,
            url: &self.url,
            headers: &self.headers,
            body: &body,
            bearer: None,
            max_body_bytes: MAX_ANSWER_BYTES,
        };
        http.send(request).await.ok()
    }
}

impl Keep {
    /// The file at `path`, which need not exist yet.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Every call in the file, oldest first; empty without a file.
    pub fn all(&self) -> Result<Vec<Kept>, KeepError> {
        let _lock = self.lock()?;
        self.read()
    }

    /// Appends a call; it is on disk when this returns.
    pub fn add(&self, kept: &Kept) -> Result<(), KeepError> {
        let _lock = self.lock()?;
        let append = || {
            let mut file = OpenOptions::new()
                .create(true)
                .read(true)
                .append(true)
                .mode(FOR_US_ALONE)
                .open(&self.path)?;
            drop_torn_line(&mut file)?;
            file.write_all(line(kept)?.as_bytes())?;
            file.sync_data()
        };
        append().map_err(|error| self.io(error))
    }

    /// Sends the calls again that are `wanted`, and removes those that are acknowledged. Calls added meanwhile stay.
    ///
    /// The executable must have installed a rustls provider first: without one, the HTTP client panics.
    pub async fn resend(&self, wanted: impl Fn(&Kept) -> bool) -> Result<Resent, KeepError> {
        let http = client(1).map_err(|error| KeepError::Client(error.reason))?;
        let mut resent = Resent::default();
        let waiting: Vec<Kept> = self.all()?.into_iter().filter(wanted).collect();
        for batch in waiting.chunks(RESEND_BATCH) {
            let mut acknowledged = Vec::new();
            for kept in batch {
                let is_yes = kept.send(&http).await.is_some_and(|reply| {
                    let body = String::from_utf8_lossy(&reply.body);
                    is_acknowledged(&kept.acknowledged_by, reply.status, &body)
                });
                if is_yes {
                    acknowledged.push(kept.clone());
                } else {
                    resent.failed += 1;
                }
            }
            self.remove(&acknowledged)?;
            resent.acknowledged.extend(acknowledged);
        }
        Ok(resent)
    }

    /// Removes each of these once from the current file.
    fn remove(&self, gone: &[Kept]) -> Result<(), KeepError> {
        let _lock = self.lock()?;
        let mut left = self.read()?;
        for one in gone {
            if let Some(place) = left.iter().position(|kept| kept == one) {
                left.remove(place);
            }
        }
        let new = self.path.with_extension("new");
        let write = || {
            let mut file =
                OpenOptions::new().create(true).write(true).truncate(true).mode(FOR_US_ALONE).open(&new)?;
            for one in &left {
                file.write_all(line(one)?.as_bytes())?;
            }
            file.sync_data()?;
            fs::rename(&new, &self.path)
        };
        write().map_err(|error| self.io(error))
    }

    /// The complete lines of the file. Text after the last line break was cut off by a kill.
    fn read(&self) -> Result<Vec<Kept>, KeepError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io(error)),
        };
        let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let whole = String::from_utf8_lossy(&bytes[..end]);
        let parsed = whole.lines().zip(1..).map(|(line, number)| {
            serde_json::from_str(line).map_err(|error| KeepError::Line {
                path: self.path.clone(),
                line: number,
                what: error.to_string(),
            })
        });
        parsed.collect()
    }

    /// Locks out other readers and writers until it is dropped. A file of its own, because the other one is replaced.
    fn lock(&self) -> Result<File, KeepError> {
        let lock = || {
            let path = self.path.with_extension("lock");
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|error| self.io(error))
    }

    fn io(&self, source: io::Error) -> KeepError {
        KeepError::Io { path: self.path.clone(), source }
    }
}

/// Removes a line cut off by a kill, so that the next one starts on a new line.
fn drop_torn_line(file: &mut File) -> io::Result<()> {
    let len = file.seek(SeekFrom::End(0))?;
    if len == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(whole as u64)
}

fn line(kept: &Kept) -> io::Result<String> {
    Ok(serde_json::to_string(kept)? + "\n")
}

#[cfg(test)]
mod tests;
