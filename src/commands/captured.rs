//! A captured call of a network, as the arguments of a command give it: a URL, or a file with a URL or a whole request.

use std::path::Path;
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use domain::postback::networks::{Call, Method};

use super::bad_usage;

/// What a URL does not say of a call.
#[derive(Debug, Args)]
pub(crate) struct CapturedArgs {
    /// Method of the captured call: GET or POST. Default: POST with --body, else GET.
    #[arg(long, value_name = "METHOD")]
    pub(crate) method: Option<MethodName>,
    /// Body of the captured call: the text itself, or @FILE.
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) body: Option<String>,
    /// Header of the captured call; repeat it for several.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<HeaderLine>,
}

/// GET or POST.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MethodName(Method);

impl FromStr for MethodName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |(name, _): &&(&str, Method)| name.eq_ignore_ascii_case(text);
        let method = Method::ALL.iter().find(named).map(|(_, method)| Self(*method));
        method.ok_or("write GET or POST")
    }
}

/// `name: value`
#[derive(Clone, Debug)]
pub(crate) struct HeaderLine(String, String);

impl FromStr for HeaderLine {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let (name, value) = line.split_once(':').ok_or("write it as 'name: value'")?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() { Err("write it as 'name: value'") } else { Ok(Self(name.into(), value.into())) }
    }
}

/// A call as it was captured.
#[derive(Debug)]
pub(crate) struct Captured {
    /// Host of the URL or of the header `Host`, with its port; `None` if neither is known.
    pub(crate) host: Option<String>,
    /// Scheme and host of a complete URL, without a slash at the end.
    pub(crate) origin: Option<String>,
    method: Method,
    /// Path and query.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Captured {
    /// The call that `given` (a URL, complete or from the path on, or a file) and `args` describe.
    pub(crate) fn read(given: &str, args: &CapturedArgs) -> anyhow::Result<Self> {
        let path = Path::new(given);
        let mut captured = if path.is_file() {
            let bytes = std::fs::read(path).with_context(|| format!("{given} cannot be read"))?;
            Self::of_file(&bytes)
        } else {
            Self::of_url(given.trim())
        };
        if !captured.target.starts_with('/') {
            return Err(bad_usage(format!(
                "`{given}` is neither a URL nor a file: give the URL as it was called, complete or from its path on, \
                 or the name of a file that has it"
            )));
        }
        captured
            .headers
            .extend(args.headers.iter().map(|HeaderLine(name, value)| (name.clone(), value.clone())));
        if let Some(body) = &args.body {
            captured.method = Method::Post;
            captured.body = match body.strip_prefix('@') {
                Some(file) => std::fs::read(file)
                    .map_err(|why| bad_usage(format!("`--body`: {file} cannot be read: {why}")))?,
                None => body.clone().into_bytes(),
            };
        }
        if let Some(MethodName(method)) = args.method {
            captured.method = method;
        }
        Ok(captured)
    }

    fn of_url(url: &str) -> Self {
        let (origin, target) = match url.split_once("://") {
            Some((scheme, rest)) => {
                let at = rest.find(['/', '?']).unwrap_or(rest.len());
                let target = &rest[at..];
                let slash = if target.starts_with('/') { "" } else { "/" };
                (Some(format!("{scheme}://{}", &rest[..at])), format!("{slash}{target}"))
            }
            None => (None, url.to_owned()),
        };
        let host = origin.as_deref().and_then(|origin| Some(origin.split_once("://")?.1.to_owned()));
        Self { host, origin, method: Method::Get, target, headers: Vec::new(), body: Vec::new() }
    }

    /// One line with a URL, or a request as it is sent: request line, headers, an empty line, body.
    fn of_file(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let mut line = || {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let line = String::from_utf8_lossy(&rest[..end]).trim_end_matches('\r').to_owned();
            rest = rest.get(end + 1..).unwrap_or_default();
            line
        };
        let first = line();
        let named = Method::ALL.iter().find(|(name, _)| first.starts_with(&format!("{name} ")));
        let Some((_, method)) = named else { return Self::of_url(first.trim()) };
        let target = first.split(' ').nth(1).unwrap_or_default();
        let mut captured = Self { method: *method, ..Self::of_url(target) };
        loop {
            let header = line();
            let Some((name, value)) = header.split_once(':') else { break };
            captured.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        let host = captured.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        captured.host = captured.host.take().or_else(|| host.map(|(_, host)| host.clone()));
        captured.body = rest.to_vec();
        captured
    }

    /// The call under the `origin` that the network signs.
    pub(crate) fn with<T>(&self, origin: &str, use_it: impl FnOnce(&Call<'_>) -> T) -> T {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        use_it(&Call {
            origin,
            method: self.method,
            target: &self.target,
            headers: &headers,
            body: &self.body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(given: &str, body: Option<&str>, method: Option<&str>) -> Captured {
        let args = CapturedArgs {
            method: method.map(|method| method.parse().expect("a method")),
            body: body.map(str::to_owned),
            headers: vec!["X-Sign:  abc ".parse().expect("a header")],
        };
        Captured::read(given, &args).expect("a call")
    }

    #[test]
    fn a_url_is_a_call_with_or_without_its_host() {
        let call = captured("https://gw.example:8443/pb/main?a=1", None, None);
        assert_eq!(call.origin.as_deref(), Some("https://gw.example:8443"));
        assert_eq!((call.target.as_str(), call.method), ("/pb/main?a=1", Method::Get));
        assert_eq!(call.headers, [("X-Sign".to_owned(), "abc".to_owned())]);
        let call = captured("/pb/main?u=https://x/", Some("a=1"), None);
        assert_eq!((call.method, call.body.as_slice()), (Method::Post, &b"a=1"[..]));
        let args = CapturedArgs { method: None, body: None, headers: Vec::new() };
        assert!(Captured::read("nothing", &args).is_err());
    }

    #[test]
    fn a_file_has_a_url_or_a_whole_request() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("call");
        let name = file.to_str().expect("text");
        std::fs::write(&file, "https://gw.example/pb/main?a=1\n").expect("room");
        assert_eq!(captured(name, None, None).target, "/pb/main?a=1");
        std::fs::write(&file, "POST /pb/main?a=1 HTTP/1.1\r\nHost: gw.example\r\nX-A: b: c\r\n\r\nx=1\r\n")
            .expect("room");
        let call = captured(name, None, None);
        assert_eq!(
            (call.method, call.target.as_str(), call.body.as_slice()),
            (Method::Post, "/pb/main?a=1", &b"x=1\r\n"[..])
        );
        assert_eq!(call.host.as_deref(), Some("gw.example"));
        assert_eq!(call.headers[1], ("X-A".to_owned(), "b: c".to_owned()));
        assert_eq!(captured(name, None, Some("get")).method, Method::Get);
    }
}
