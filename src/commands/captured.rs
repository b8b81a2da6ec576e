//! A captured call of a network, as the arguments of a command give it: a URL, or a file with a URL or a whole request.

use std::path::Path;
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use domain::postback::networks::Method;
use domain::postback::networks::pasted::{BadPaste, PastedCall};

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

/// The call that `given` (a URL, complete or from the path on, or a file) and `args` describe.
pub(crate) fn captured(given: &str, args: &CapturedArgs) -> anyhow::Result<PastedCall> {
    let path = Path::new(given);
    let is_file = path.is_file();
    let read = if is_file {
        PastedCall::of_bytes(&std::fs::read(path).with_context(|| format!("{given} cannot be read"))?)
    } else {
        PastedCall::of_bytes(given.trim().as_bytes())
    };
    let mut call = read.map_err(|bad| match bad {
        BadPaste::NoCall if !is_file => bad_usage(format!(
            "`{given}` is neither a URL nor a file: give the URL as it was called, complete or from its path on, or the \
             name of a file that has it"
        )),
        bad => bad_usage(format!("`{given}`: {bad}")),
    })?;
    call.headers.extend(args.headers.iter().map(|HeaderLine(name, value)| (name.clone(), value.clone())));
    if let Some(body) = &args.body {
        call.method = Method::Post;
        call.body = match body.strip_prefix('@') {
            Some(file) => std::fs::read(file)
                .map_err(|why| bad_usage(format!("`--body`: {file} cannot be read: {why}")))?,
            None => body.clone().into_bytes(),
        };
    }
    if let Some(MethodName(method)) = args.method {
        call.method = method;
    }
    Ok(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &str, body: Option<&str>, method: Option<&str>) -> PastedCall {
        let args = CapturedArgs {
            method: method.map(|method| method.parse().expect("a method")),
            body: body.map(str::to_owned),
            headers: vec!["X-Sign:  abc ".parse().expect("a header")],
        };
        captured(given, &args).expect("a call")
    }

    #[test]
    fn a_url_is_a_call_with_or_without_its_host() {
        let call = read("https://gw.example:8443/pb/main?a=1", None, None);
        assert_eq!(call.origin.as_deref(), Some("https://gw.example:8443"));
        assert_eq!((call.target.as_str(), call.method), ("/pb/main?a=1", Method::Get));
        assert_eq!(call.headers, [("X-Sign".to_owned(), "abc".to_owned())]);
        let call = read("/pb/main?u=https://x/", Some("a=1"), None);
        assert_eq!((call.method, call.body.as_slice()), (Method::Post, &b"a=1"[..]));
        let args = CapturedArgs { method: None, body: None, headers: Vec::new() };
        assert!(captured("nothing", &args).is_err());
    }

    #[test]
    fn a_file_has_a_url_or_a_whole_request() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("call");
        let name = file.to_str().expect("text");
        std::fs::write(&file, "https://gw.example/pb/main?a=1\n").expect("room");
        assert_eq!(read(name, None, None).target, "/pb/main?a=1");
        std::fs::write(&file, "POST /pb/main?a=1 HTTP/1.1\r\nHost: gw.example\r\nX-A: b: c\r\n\r\nx=1\r\n")
            .expect("room");
        let call = read(name, None, None);
        assert_eq!(
            (call.method, call.target.as_str(), call.body.as_slice()),
            (Method::Post, "/pb/main?a=1", &b"x=1\r\n"[..])
        );
        assert_eq!(call.host(), Some("gw.example"));
        assert_eq!(call.headers[1], ("X-A".to_owned(), "b: c".to_owned()));
        assert_eq!(read(name, None, Some("get")).method, Method::Get);
    }
}
