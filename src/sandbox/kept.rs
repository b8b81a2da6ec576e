//! What the network gave up: after the last retry a postback is kept in a file, until a person has it sent again.
//!
//! One JSON object a line, appended and synced when its answer is looked at; answers wait in a queue for that, so
//! killing the sandbox can lose what stands in it. A line that was torn by a kill is no line, and the next one does not
//! join it. Every reading and writing holds a lock, so a sandbox may go on adding while another process sends again.
//! What is sent again is the same call byte for byte, hash included: a network does not sign anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use domain::postback::network::targo::is_acknowledged;
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::http::{Get, Http, client};
use super::send::{Answer, MAX_ANSWER_BYTES};
use super::template::{Signer, Template};

/// Rights of a file: it holds calls with their signatures.
const FOR_US_ALONE: u32 = 0o600;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resent {
    /// Acknowledged now; they have left the file.
    pub acknowledged: Vec<Kept>,
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
        let _lock = self.lock()?;
        self.read()
    }

    /// Keeps one more; it is on disk when this returns.
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

    /// Sends again what `wanted` says; what is acknowledged leaves the file. What is added meanwhile stays in it.
    ///
    /// The executable must have installed a rustls provider first: without one, the HTTP client panics.
    pub async fn resend(&self, wanted: impl Fn(&Kept) -> bool) -> Result<Resent, KeepError> {
        let http = client(1).map_err(|error| KeepError::Client(error.reason))?;
        let mut resent = Resent::default();
        let waiting: Vec<Kept> = self.all()?.into_iter().filter(wanted).collect();
        for batch in waiting.chunks(RESEND_BATCH) {
            let mut acknowledged = Vec::new();
            for kept in batch {
                let get = Get { url: &kept.url, bearer: None, max_body_bytes: MAX_ANSWER_BYTES };
                let answered = Http::get(&http, get).await;
                let is_yes = answered
                    .as_ref()
                    .is_ok_and(|reply| is_acknowledged(reply.status, &String::from_utf8_lossy(&reply.body)));
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

    /// Takes these out of the file as it is now, each once.
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

    /// The lines of the file. What stands behind the last line's end was torn by a kill, and was never kept.
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

    /// Nobody else reads or writes the file until the lock is dropped. It is a file of its own, because the kept one is
    /// replaced.
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

/// Cuts off what was torn, so that the next line is a line of its own.
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
mod tests {
    use super::*;

    fn kept(tx_id: &str) -> Kept {
        Kept {
            tx_id: tx_id.into(),
            act: "credit".into(),
            url: "http://127.0.0.1:1/".into(),
            attempts: 6,
            failed_at_ms: 1,
            last_answer: "503".into(),
        }
    }

    fn file() -> (tempfile::TempDir, Keep) {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = Keep::at(&folder.path().join("kept.jsonl"));
        (folder, keep)
    }

    fn ids(keep: &Keep) -> Vec<String> {
        keep.all().expect("readable").into_iter().map(|kept| kept.tx_id).collect()
    }

    #[test]
    fn a_line_cut_off_by_a_kill_is_ignored_and_the_next_one_is_read() {
        let (_folder, keep) = file();
        keep.add(&kept("a")).expect("kept");
        let torn = format!("{}{}", line(&kept("a")).expect("a line"), "{\"tx_id\":\"b\",\"ac");
        for torn in [torn.as_str(), "{\"tx_id\":\"b\"", "x"] {
            fs::write(&keep.path, torn).expect("torn");
            let whole = ids(&keep);
            keep.add(&kept("c")).expect("kept");
            assert_eq!(ids(&keep), [whole, vec!["c".into()]].concat(), "{torn:?}");
        }
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named() {
        let (_folder, keep) = file();
        let text = format!("{}nonsense\n", line(&kept("a")).expect("a line"));
        fs::write(&keep.path, text).expect("written");
        let refused = keep.all().expect_err("not readable").to_string();
        assert!(refused.contains("kept.jsonl, line 2: "), "{refused}");
    }

    #[test]
    fn what_is_added_while_others_are_taken_out_stays() {
        let (_folder, keep) = file();
        for tx_id in ["a", "b", "b", "c"] {
            keep.add(&kept(tx_id)).expect("kept");
        }
        let read_before = keep.all().expect("readable");
        keep.add(&kept("d")).expect("kept");
        keep.remove(&read_before[..2]).expect("written");
        assert_eq!(ids(&keep), ["b", "c", "d"], "each is taken out once, and nothing else");
    }

    #[test]
    fn many_who_add_at_the_same_time_lose_nothing() {
        let (_folder, keep) = file();
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let keep = &keep;
                scope.spawn(move || {
                    for number in 0..25 {
                        keep.add(&kept(&format!("{worker}-{number}"))).expect("kept");
                        if number % 10 == 0 {
                            keep.remove(&[]).expect("written");
                        }
                    }
                });
            }
        });
        assert_eq!(ids(&keep).len(), 100);
    }

    #[tokio::test]
    async fn what_is_not_wanted_is_not_sent_and_stays() {
        let (_folder, keep) = file();
        keep.add(&kept("a")).expect("kept");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let resent = keep.resend(|kept| kept.tx_id == "b").await.expect("looked at");
        assert_eq!(resent, Resent::default());
        assert_eq!(ids(&keep), ["a"]);
    }
}
