//! The mail after each night: the report's figures as text and HTML, the workbook beside them.
//!
//! It is a job of its own, so that a mail server that is away delays nothing but its mail. A mail that was taken by the
//! server just before this process was killed is sent again: twice is better than never.

use std::time::Duration;

use domain::report::{Report, letter};
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
pub use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

/// How long the server may take for each of its answers.
const SMTP_TIMEOUT: Duration = Duration::from_secs(30);
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// How the connection to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// From the first byte.
    Tls,
    /// From `STARTTLS` on; without it nothing is sent.
    StartTls,
    /// Not at all: for a server on this machine.
    None,
}

/// Writes a report as a workbook.
pub type Workbook = fn(&Report) -> Result<Vec<u8>, String>;

/// Who is told of reports, and through which server.
#[derive(Clone)]
pub struct Mail {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub protection: Protection,
    /// Name and password, if the server wants them.
    pub credentials: Option<Credentials>,
    /// Who writes.
    pub from: Mailbox,
    /// Who is written to.
    pub to: Vec<Mailbox>,
    /// What leads to the pages, without a slash at the end.
    pub pages_url: String,
    /// How long after a failure it is tried again, in milliseconds; each time twice as long, up to an hour.
    pub retry_ms: i64,
    /// What is attached.
    pub workbook: Option<Workbook>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "mail through {}:{} to {} people", self.host, self.port, self.to.len())
    }
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It cannot be written.
    #[error("the mail cannot be written: {0}")]
    Message(#[from] lettre::error::Error),
    /// Its attachment cannot.
    #[error("its attachment cannot be written: {0}")]
    Workbook(String),
    /// The server did not take it.
    #[error("the mail server did not take it: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// No kind of content is called that.
    #[error("{0}")]
    Kind(#[from] lettre::message::header::ContentTypeErr),
}

impl Mail {
    /// Sends the mail about `report`.
    pub async fn send(&self, report: &Report) -> Result<(), MailError> {
        let message = self.message(report)?;
        let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .timeout(Some(SMTP_TIMEOUT))
            .tls(match self.protection {
                Protection::Tls => Tls::Wrapper(TlsParameters::new(self.host.clone())?),
                Protection::StartTls => Tls::Required(TlsParameters::new(self.host.clone())?),
                Protection::None => Tls::None,
            });
        if let Some(credentials) = &self.credentials {
            server = server.credentials(credentials.clone());
        }
        server.build().send(message).await?;
        Ok(())
    }

    fn message(&self, report: &Report) -> Result<Message, MailError> {
        let link = format!("{}/reports/{}", self.pages_url, report.date);
        let mut message = Message::builder().from(self.from.clone()).subject(letter::subject(report));
        for person in &self.to {
            message = message.to(person.clone());
        }
        let words =
            MultiPart::alternative_plain_html(letter::plain(report, &link), letter::html(report, &link));
        let parts = match self.workbook {
            None => words,
            Some(write) => {
                let bytes = write(report).map_err(MailError::Workbook)?;
                let name = format!("report-{}.xlsx", report.date);
                let workbook: SinglePart = Attachment::new(name).body(bytes, ContentType::parse(XLSX)?);
                MultiPart::mixed().multipart(words).singlepart(workbook)
            }
        };
        Ok(message.multipart(parts)?)
    }

    /// How long after the failure number `attempt` (from 1) it is tried again, in milliseconds.
    pub(crate) fn retry_after_ms(&self, attempt: i64) -> i64 {
        const HOUR_MS: i64 = 3_600_000;
        let doublings = u32::try_from(attempt.clamp(1, 16) - 1).unwrap_or(0);
        self.retry_ms.saturating_mul(1_i64 << doublings).min(HOUR_MS)
    }
}
