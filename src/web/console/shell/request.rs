//! A request of a browser, decoded: path, query, form and cookie.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use warp::http::{HeaderMap, Method};

use crate::texts::{self, BadText};

/// The cookie that carries a session.
pub(crate) const SESSION_COOKIE: &str = "rewardgate_session";
/// The cookie that carries the token of the form for signing in.
pub(crate) const LOGIN_COOKIE: &str = "rewardgate_login";

/// A request, decoded.
#[derive(Debug)]
pub(crate) struct Request {
    method: Method,
    /// The parts of the path; none of `/`.
    pub(crate) path: Vec<String>,
    /// Path and query as they came, to come back to.
    pub(crate) target: String,
    /// The page that asked for it, if it is one of ours: path and query.
    pub(crate) came_from: Option<String>,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
    cookies: Vec<(String, String)>,
    /// The caller of a request.
    pub(crate) address: IpAddr,
    /// True if the browser came by https.
    pub(crate) is_https: bool,
    /// True if another site made the browser ask for this.
    pub(crate) is_cross_site: bool,
}

/// A part of a request cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadRequest {
    #[error("the query cannot be read: {0}")]
    Query(serde_urlencoded::de::Error),
    #[error("the form cannot be read: {0}")]
    Form(serde_urlencoded::de::Error),
    #[error(transparent)]
    Text(#[from] BadText),
}

impl Request {
    pub(crate) fn read(
        method: Method,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        form: &[u8],
        address: IpAddr,
        is_https: bool,
    ) -> Result<Self, BadRequest> {
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        texts::path(path)?;
        texts::pairs(query.as_bytes())?;
        texts::pairs(form)?;
        let parts = path.split('/').filter(|part| !part.is_empty());
        let path = parts.map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect();
        let query: Vec<(String, String)> = serde_urlencoded::from_str(query).map_err(BadRequest::Query)?;
        let form: Vec<(String, String)> = serde_urlencoded::from_bytes(form).map_err(BadRequest::Form)?;
        let is_cross_site =
            headers.get("sec-fetch-site").is_some_and(|site| site.as_bytes() == b"cross-site");
        let cookies = cookies(headers);
        let came_from = came_from(headers);
        Ok(Self { method, path, target, came_from, query, form, cookies, address, is_https, is_cross_site })
    }

    pub(crate) fn is_post(&self) -> bool {
        self.method == Method::POST
    }

    /// The parameter `name` of the query, without surrounding blanks, if it is not empty.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// The whole query.
    pub(crate) fn whole_query(&self) -> &[(String, String)] {
        &self.query
    }

    /// The field `name` of the form, without surrounding blanks, if it is not empty.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        find(&self.form, name)
    }

    /// The whole form.
    pub(crate) fn whole_form(&self) -> &[(String, String)] {
        &self.form
    }

    /// All fields of that name.
    pub(crate) fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.form.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A password is taken as it is, blanks included.
    pub(crate) fn password(&self, name: &str) -> &str {
        self.form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// A cookie of ours, under the name that it has on this connection.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        find(&self.cookies, &cookie_name(name, self.is_https))
    }
}

/// The name that a cookie of ours has in a browser. By https the browser itself sees to it that no other host of the
/// domain and no plain connection can set it; by http, on a developer's machine, it would refuse such a name.
pub(crate) fn cookie_name(name: &str, is_https: bool) -> String {
    if is_https { format!("__Host-{name}") } else { name.to_owned() }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = pairs.iter().find(|(key, _)| key == name)?;
    Some(value.trim()).filter(|value| !value.is_empty())
}

/// Path and query of the referring page, if the browser says that it has the same host.
fn came_from(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (_, rest) = text("referer")?.split_once("://")?;
    let at = rest.find('/')?;
    (&rest[..at] == text("host")?).then(|| rest[at..].to_owned())
}

fn cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines = headers.get_all("cookie").iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
