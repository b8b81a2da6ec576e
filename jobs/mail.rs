//! Mail: every night the report's figures as text and HTML, with the workbook attached; and short notices of plain text.
//!
//! Each is a job of its own, so that an unavailable mail server delays only the mail. If the process is killed right after
//! the server accepted a mail, it is sent again: twice is better than never.

use std::time::Duration;

use domain::report::{Report, letter};
use domain::traffic::silence::Letter;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, SinglePart};
pub use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

/// Time-out of each answer of the server.
const SMTP_TIMEOUT: Duration = Duration::from_secs(30);
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Encryption of the connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// From the first byte.
    Tls,
    /// After `STARTTLS`, which is required.
    StartTls,
    /// None: for a server on this machine.
    None,
}

/// Writes a report as an Excel workbook.
pub type Workbook = fn(&Report) -> Result<Vec<u8>, String>;

/// Recipients of reports, and the server that sends them.
#[derive(Clone)]
pub struct Mail {
    /// Name of the server.
    pub host: String,
    /// TCP port of the server.
    pub port: u16,
    /// Encryption of the connection.
    pub protection: Protection,
    /// Name and password, if the server requires them.
    pub credentials: Option<Credentials>,
    /// The sender.
    pub from: Mailbox,
    /// The recipients; not empty.
    pub to: Vec<Mailbox>,
    /// Start of links to the pages, without a slash at the end.
    pub pages_url: String,
    /// Pause after the first failure, in milliseconds; it doubles with each further one, up to an hour.
    pub retry_ms: i64,
    /// Makes the attachment; `None`: no attachment.
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
    /// The message cannot be composed.
    #[error("cannot compose the mail: {0}")]
    Message(#[from] lettre::error::Error),
    /// The workbook cannot be written.
    #[error("cannot write the attached workbook: {0}")]
    Workbook(String),
    /// The server cannot be reached or refused the mail.
    #[error("the mail server did not accept the mail: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// Invalid content type of the attachment.
    #[error("{0}")]
    Kind(#[from] lettre::message::header::ContentTypeErr),
}

impl Mail {
    /// Sends the mail about `report`.
    pub async fn send(&self, report: &Report) -> Result<(), MailError> {
        self.deliver(self.message(report)?).await
    }

    /// Sends a mail of plain text.
    pub async fn send_letter(&self, letter: &Letter) -> Result<(), MailError> {
        let message = self.addressed().subject(&letter.subject).header(ContentType::TEXT_PLAIN);
        self.deliver(message.body(letter.text.clone())?).await
    }

    async fn deliver(&self, message: Message) -> Result<(), MailError> {
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

    /// A message from the sender to all recipients.
    fn addressed(&self) -> MessageBuilder {
        let from = Message::builder().from(self.from.clone());
        self.to.iter().fold(from, |message, person| message.to(person.clone()))
    }

    fn message(&self, report: &Report) -> Result<Message, MailError> {
        let link = format!("{}/reports/{}", self.pages_url, report.date);
        let message = self.addressed().subject(letter::subject(report));
        let text =
            MultiPart::alternative_plain_html(letter::plain(report, &link), letter::html(report, &link));
        let parts = match self.workbook {
            None => text,
            Some(write) => {
                let bytes = write(report).map_err(MailError::Workbook)?;
                let name = format!("report-{}.xlsx", report.date);
                let workbook: SinglePart = Attachment::new(name).body(bytes, ContentType::parse(XLSX)?);
                MultiPart::mixed().multipart(text).singlepart(workbook)
            }
        };
        Ok(message.multipart(parts)?)
    }

    /// The pause after the failure number `attempt` (from 1), in milliseconds.
    pub(crate) fn retry_after_ms(&self, attempt: i64) -> i64 {
        const HOUR_MS: i64 = 3_600_000;
        let doublings = u32::try_from(attempt.clamp(1, 16) - 1).unwrap_or(0);
        self.retry_ms.saturating_mul(1_i64 << doublings).min(HOUR_MS)
    }
}
