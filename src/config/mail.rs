//! Mails with the daily report.

use jobs::mail::{Credentials, Mail, Protection};
use serde::Deserialize;

use super::layers::Section;

#[derive(Clone, Copy, Deserialize)]
enum Protected {
    /// TLS from the first byte.
    #[serde(rename = "tls")]
    Always,
    #[serde(rename = "starttls")]
    Started,
    #[serde(rename = "none")]
    Never,
}

/// `[mail]`; `None` if it is not given.
pub(super) fn mail(top: &mut Section<'_>, public_url: Option<&str>) -> Option<Mail> {
    let part = top.optional_table("mail")?;
    let mut section = top.inner(part);
    let host: Option<String> = section.required("server", "the name of the mail server");
    let tls: Option<Protected> = section.value("tls");
    let protection = tls.map(|tls| match tls {
        Protected::Always => Protection::Tls,
        Protected::Started => Protection::StartTls,
        Protected::Never => Protection::None,
    });
    let port = super::bounded_if_given(&mut section, "port", 1..=65_535).or(tls.map(usual_port));
    let user: Option<String> = section.optional("user");
    let password: Option<String> = section.optional("password");
    let credentials = match (user, password) {
        (None, None) => None,
        (Some(user), Some(password)) => match section.secret("password", &password) {
            Ok(password) => Some(Credentials::new(user, password)),
            Err(what) => {
                section.fault("password", &what);
                None
            }
        },
        _ => {
            section.fault("user", "and `password` must both be set, or neither");
            None
        }
    };
    if credentials.is_some() && protection == Some(Protection::None) && !is_here(host.as_deref()) {
        section.fault("tls", "must not be \"none\" with a password, unless the server is on this machine");
    }
    let from: Option<String> = section.required("from", "the sender, e.g. \"RewardGate <gate@example.com>\"");
    let to: Option<Vec<String>> = section.required("to", "a list of addresses");
    let mut mailbox = |key: &'static str, text: &str| {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            section.fault(key, &format!("`{text}` is not an address such as Fay <fay@example.com>"));
        }
        parsed
    };
    let from = from.and_then(|from| mailbox("from", &from));
    let to: Option<Vec<_>> = to.map(|to| to.iter().filter_map(|person| mailbox("to", person)).collect());
    if to.as_ref().is_some_and(Vec::is_empty) {
        section.fault("to", "is empty: add at least one address");
    }
    let pages_url: Option<String> = section.optional("pages_url").or_else(|| public_url.map(str::to_owned));
    let attach: Option<bool> = section.value("attach");
    let retry_seconds = super::bounded(&mut section, "retry_seconds", 1..=3_600);
    section.finish();
    Some(Mail {
        host: host?,
        port: u16::try_from(port?).ok()?,
        protection: protection?,
        credentials,
        from: from?,
        to: to?,
        pages_url: pages_url?.trim_end_matches('/').to_owned(),
        retry_ms: retry_seconds? * 1_000,
        workbook: attach?.then_some(workbook as jobs::mail::Workbook),
    })
}

/// The standard port.
fn usual_port(tls: Protected) -> i64 {
    match tls {
        Protected::Always => 465,
        Protected::Started => 587,
        Protected::Never => 25,
    }
}

fn is_here(host: Option<&str>) -> bool {
    matches!(host, Some("localhost" | "127.0.0.1" | "::1"))
}

fn workbook(report: &domain::report::Report) -> Result<Vec<u8>, String> {
    let title = format!("Reconciliation {}", report.date);
    web::export::xlsx(&title, &report.sheets()).map_err(|error| error.to_string())
}
