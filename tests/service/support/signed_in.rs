//! Somebody who signed in without a browser: what goes out is exactly what a test says.

use std::net::SocketAddr;

use crate::support::gate::PASSWORD;
use crate::support::http::{Answer, Request, call};

/// A session.
pub(crate) struct SignedIn {
    address: SocketAddr,
    /// The cookie, name and value.
    pub(crate) cookie: String,
    /// The token of its forms.
    pub(crate) csrf: String,
}

impl SignedIn {
    /// Signs in at `address`, with these headers beside the usual ones.
    pub(crate) fn new(address: SocketAddr, name: &str, headers: &[(&str, &str)]) -> Self {
        let tried = Self::with_password(address, name, PASSWORD, headers);
        tried.unwrap_or_else(|answer| panic!("{}: {}", answer.status, answer.body))
    }

    /// Tries to sign in with this password; what was answered if that is refused.
    pub(crate) fn with_password(
        address: SocketAddr,
        name: &str,
        password: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Answer> {
        let with =
            |request: Request| headers.iter().fold(request, |it, (name, value)| it.header(name, value));
        let form = call(address, &with(Request::get("/login")));
        let password = password.replace(' ', "+");
        let fields = format!("csrf={}&name={name}&password={password}", hidden(&form, "csrf"));
        let request = with(Request::new("POST", "/login"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Cookie", &cookie(&form))
            .body(&fields);
        let answer = call(address, &request);
        if answer.status != 303 {
            return Err(answer);
        }
        let mut session = Self { address, cookie: cookie(&answer), csrf: String::new() };
        let page = call(address, &with(session.with(Request::get("/password"))));
        session.csrf = hidden(&page, "csrf");
        Ok(session)
    }

    /// A request of this session.
    pub(crate) fn with(&self, request: Request) -> Request {
        request.header("Cookie", &self.cookie)
    }

    /// Asks for a page.
    pub(crate) fn get(&self, path: &str) -> Answer {
        call(self.address, &self.with(Request::get(path)))
    }

    /// Sends a form with its token and these fields.
    pub(crate) fn post(&self, path: &str, fields: &str) -> Answer {
        let request = self.with(Request::new("POST", path));
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        call(self.address, &request.body(format!("csrf={}&{fields}", self.csrf)))
    }

    /// Sends a statement of the source `targo` as the form on the page of the reports does.
    pub(crate) fn upload(&self, name: &str, file: &str) -> Answer {
        let field = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let head =
            format!("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        let body = field("csrf", &self.csrf) + &field("source", "targo") + &head + file + "\r\n--b--\r\n";
        let request = self.with(Request::new("POST", "/reports/statements"));
        call(self.address, &request.header("Content-Type", "multipart/form-data; boundary=b").body(body))
    }
}

/// The cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// The value of a hidden field.
pub(crate) fn hidden(answer: &Answer, name: &str) -> String {
    let (_, rest) = answer.body.split_once(&format!("name=\"{name}\" value=\"")).expect("a hidden field");
    rest.split('"').next().unwrap_or_default().to_owned()
}
