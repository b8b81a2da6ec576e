//! Somebody who signed in without a browser: what goes out is exactly what a test says.

use std::net::SocketAddr;

use crate::gate::PASSWORD;
use crate::http::{Answer, Request, call};

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
        let with =
            |request: Request| headers.iter().fold(request, |it, (name, value)| it.header(name, value));
        let form = call(address, &with(Request::get("/login")));
        let password = PASSWORD.replace(' ', "+");
        let fields = format!("csrf={}&name={name}&password={password}", hidden(&form, "csrf"));
        let request = with(Request::new("POST", "/login"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Cookie", &cookie(&form))
            .body(&fields);
        let answer = call(address, &request);
        assert_eq!(answer.status, 303, "{}", answer.body);
        let mut session = Self { address, cookie: cookie(&answer), csrf: String::new() };
        let page = call(address, &with(session.with(Request::get("/password"))));
        session.csrf = hidden(&page, "csrf");
        session
    }

    /// A request of this session.
    pub(crate) fn with(&self, request: Request) -> Request {
        request.header("Cookie", &self.cookie)
    }

    /// Asks for a page.
    pub(crate) fn get(&self, path: &str) -> Answer {
        call(self.address, &self.with(Request::get(path)))
    }
}

/// The cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// The value of a hidden field.
fn hidden(answer: &Answer, name: &str) -> String {
    let (_, rest) = answer.body.split_once(&format!("name=\"{name}\" value=\"")).expect("a hidden field");
    rest.split('"').next().unwrap_or_default().to_owned()
}
