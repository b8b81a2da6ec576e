//! `public_url`: the origin that networks call and sign.
//!
//! Signatures cover it byte for byte, so it is normalised as HTTP clients do: scheme and host in lower case, other scripts
//! as `xn--…`, no default port, nothing after the host. Anything else is refused with a correction, because otherwise
//! every call would be answered 403.

use url::{Host, Url};

use super::layers::Section;

const KEY: &str = "public_url";

/// Scheme, host and port; no slash at the end.
pub(super) fn public_url(top: &mut Section<'_>) -> Option<String> {
    let what = "the URL that networks call, e.g. \"https://gw.example.com\"; it is part of what they sign";
    let given: String = top.required(KEY, what)?;
    match normal(&given) {
        Ok(origin) => Some(origin),
        Err(why) => {
            top.fault(KEY, &why);
            None
        }
    }
}

/// The normal form of `given`, or what is wrong and what to write.
fn normal(given: &str) -> Result<String, String> {
    let text = given.trim();
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let has_scheme = scheme.is_some_and(|scheme| scheme == "https" || scheme == "http");
    let odd = text.chars().find(|letter| letter.is_whitespace() || letter.is_control() || *letter == '\\');
    if !has_scheme {
        return Err(format!("must be http(s)://HOST without user, query or fragment{}", shown(text)));
    }
    if let Some(odd) = odd {
        return Err(format!("must be http(s)://HOST: {odd:?} is not allowed in it"));
    }
    let url = Url::parse(text)
        .map_err(|why| format!("must be http(s)://HOST: it is not a URL ({why}){}", shown(text)))?;
    let host = match url.host() {
        // HTTP clients drop the final dot.
        Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
        Some(host @ (Host::Ipv4(_) | Host::Ipv6(_))) => host.to_string(),
        None => String::new(),
    };
    if host.is_empty() || host.split('.').any(str::is_empty) {
        return Err(format!("must be http(s)://HOST: it names no host{}", shown(text)));
    }
    if url.port() == Some(0) {
        return Err("has port 0, which nobody can call".to_owned());
    }
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let origin = format!("{}://{host}{port}", url.scheme());
    let mut extra = Vec::new();
    extra.extend((!url.username().is_empty() || url.password().is_some()).then_some("a user"));
    extra.extend((!url.path().trim_matches('/').is_empty()).then_some("a path"));
    extra.extend(url.query().is_some().then_some("a query"));
    extra.extend(url.fragment().is_some().then_some("a fragment"));
    if extra.is_empty() {
        return Ok(origin);
    }
    Err(format!(
        "must be http(s)://HOST without user, path, query or fragment, but has {}: networks call {origin}/pb/NAME, and a \
         proxy must forward that path unchanged; write \"{origin}\"",
        extra.join(" and ")
    ))
}

/// Repeats the given value, unless it may contain a password.
fn shown(text: &str) -> String {
    if text.is_empty() || text.contains('@') { String::new() } else { format!("; it is `{text}`") }
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn the_public_url_has_the_form_in_which_it_is_called() {
        for (given, called) in [
            ("https://gw.example.com", "https://gw.example.com"),
            ("https://gw.example.com/", "https://gw.example.com"),
            ("https://gw.example.com//", "https://gw.example.com"),
            ("https://GW.example.com:443", "https://gw.example.com"),
            ("HTTPS://Gw.Example.COM:443/", "https://gw.example.com"),
            ("http://gw.example.com:80", "http://gw.example.com"),
            ("http://gw.example.com:443", "http://gw.example.com:443"),
            ("https://gw.example.com:80", "https://gw.example.com:80"),
            ("https://gw.example.com:08443", "https://gw.example.com:8443"),
            ("https://gw.example.com:", "https://gw.example.com"),
            ("https://gw.example.com.", "https://gw.example.com"),
            ("https://gw.example.com.:443/", "https://gw.example.com"),
            (" https://gw.example.com\n", "https://gw.example.com"),
            ("https://Bücher.example", "https://xn--bcher-kva.example"),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[2001:DB8:0:0::7]:8080/", "http://[2001:db8::7]:8080"),
            ("http://my_host:8080", "http://my_host:8080"),
            ("https://x/", "https://x"),
        ] {
            assert_eq!(normal(given).as_deref(), Ok(called), "{given}");
        }
    }

    #[test]
    fn a_public_url_that_no_network_could_call_is_refused_with_the_cure() {
        for (given, cure) in [
            ("", "must be http(s)://HOST"),
            ("gw.example.com", "must be http(s)://HOST"),
            ("https:gw.example.com", "must be http(s)://HOST"),
            ("ftp://gw.example.com", "must be http(s)://HOST"),
            ("https://", "must be http(s)://HOST"),
            ("https://.", "names no host"),
            ("https://gw..example.com", "names no host"),
            ("https://gw.example.com:0", "port 0"),
            ("https://gw.example.com:99999", "not a URL"),
            ("https://gw example.com", "' ' is not allowed in it"),
            ("https:\\\\gw.example.com", "must be http(s)://HOST"),
            ("https://GW.example.com/rewards/", "has a path"),
            ("https://gw.example.com/pb/targo", "write \"https://gw.example.com\""),
            ("https://gw.example.com?x=1", "has a query"),
            ("https://gw.example.com/#top", "has a fragment"),
            ("https://me:hunter2@gw.example.com:8443", "has a user"),
            ("https://me:hunter2@gw.example.com:99999", "not a URL"),
        ] {
            let fault = normal(given).expect_err(given);
            assert!(fault.contains(cure), "{given}: {fault}");
            assert!(!fault.contains("hunter2"), "a password is repeated: {fault}");
        }
    }
}
