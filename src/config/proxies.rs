//! The proxies in front of a listener.
//!
//! A list of addresses, a number of hops, or both: `["10.0.0.0/24"]`, `1`, `{ from = ["10.0.0.0/24"], hops = 2 }`.

use domain::caller::parse_network;
use domain::proxies::{MAX_HOPS, Proxies};
use figment::value::Value;
use ipnet::IpNet;

use super::layers::Section;

/// The valid forms, for error messages.
const FORMS: &str = "must be a list of the proxies' addresses such as [\"127.0.0.1/32\"], a number of hops, or \
                     { from = [\"127.0.0.1/32\"], hops = 1 }";

/// The proxies in front of `listen`.
pub(super) fn public(top: &mut Section<'_>) -> Option<Proxies> {
    let value = top.value("trusted_proxies")?;
    proxies(top, "trusted_proxies", &value)
}

/// The proxies in front of `admin_listen`.
pub(super) fn admin(top: &mut Section<'_>, has_listener: bool) -> Proxies {
    let value = top.optional("admin_trusted_proxies");
    let given = value.and_then(|value| proxies(top, "admin_trusted_proxies", &value));
    let proxies = given.unwrap_or(Proxies::None);
    if proxies != Proxies::None && !has_listener {
        top.fault(
            "admin_trusted_proxies",
            "is set without `admin_listen`: set both, or list the proxies in `trusted_proxies`",
        );
    }
    proxies
}

fn proxies(top: &mut Section<'_>, key: &str, value: &Value) -> Option<Proxies> {
    read(value).map_err(|fault| top.fault(key, &fault)).ok()
}

fn read(value: &Value) -> Result<Proxies, String> {
    match value {
        Value::Num(..) => Ok(match hops(value)? {
            0 => Proxies::None,
            hops => Proxies::Anyone { hops },
        }),
        Value::String(..) | Value::Array(..) => {
            let networks = networks(value)?;
            Ok(if networks.is_empty() { Proxies::None } else { Proxies::Listed { networks, hops: None } })
        }
        Value::Dict(_, dict) => {
            if let Some(key) = dict.keys().find(|key| !["from", "hops"].contains(&key.as_str())) {
                return Err(format!("holds `{key}`; known here: from, hops"));
            }
            let networks = dict.get("from").map_or_else(|| Ok(Vec::new()), networks)?;
            if networks.is_empty() {
                return Err("needs `from`: the addresses of the proxies".to_owned());
            }
            let hops = dict.get("hops").map(hops).transpose()?;
            if hops == Some(0) {
                return Err(format!("holds `hops`, which must be between 1 and {MAX_HOPS}"));
            }
            Ok(Proxies::Listed { networks, hops })
        }
        _ => Err(FORMS.to_owned()),
    }
}

fn hops(value: &Value) -> Result<usize, String> {
    let hops = value.to_i128().and_then(|hops| usize::try_from(hops).ok()).filter(|hops| *hops <= MAX_HOPS);
    hops.ok_or_else(|| format!("must be between 0 and {MAX_HOPS} hops, or list the proxies' addresses"))
}

fn networks(value: &Value) -> Result<Vec<IpNet>, String> {
    let texts = match value {
        Value::Array(_, values) => values.iter().collect(),
        one => vec![one],
    };
    texts.into_iter().map(network).collect()
}

fn network(value: &Value) -> Result<IpNet, String> {
    let text = value.as_str().ok_or(FORMS)?;
    match parse_network(text) {
        Some(network) if network.prefix_len() == 0 => {
            Err(format!("holds `{text}`, which is every address: list the proxies' own addresses"))
        }
        Some(network) => Ok(network),
        None => Err(format!("holds `{text}`, which is neither an address nor a network such as 10.0.0.0/24")),
    }
}
