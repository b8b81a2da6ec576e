//! Methods and parameters of every call, as the OpenAPI document lists them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn};
use warp::http::Method;

use super::error::ApiError;
use super::openapi;
use super::page::MAX_TEXT_LEN;

/// Prefix of every path of the API.
const ROOT: &str = "/api/v1";

/// One call of the document.
struct Known {
    /// Its path, such as `/rewards/{id}`.
    template: String,
    method: Method,
    parameters: BTreeSet<String>,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let mut known = Vec::new();
    for (path, item) in openapi::document().paths.paths {
        let template = path.strip_prefix(ROOT).unwrap_or(&path);
        for (method, operation) in [(Method::GET, item.get), (Method::POST, item.post)] {
            if let Some(operation) = operation {
                known.push(Known {
                    template: template.to_owned(),
                    method,
                    parameters: parameters(&operation),
                });
            }
        }
    }
    // Of two templates of one path the one that says more of it counts: `/reports/{date}.csv` before `/reports/{date}`.
    known.sort_by_key(|known| std::cmp::Reverse(said(&known.template)));
    known
});

fn parameters(operation: &Operation) -> BTreeSet<String> {
    let all = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    all.filter(|it| it.parameter_in == ParameterIn::Query).map(|it| it.name.clone()).collect()
}

/// Bytes of a template outside its parameters; the template with the most wins.
fn said(template: &str) -> usize {
    let parts = template.split('/').map(|part| {
        part.split_once('{').map_or(part.len(), |(begin, rest)| {
            begin.len() + rest.split_once('}').map_or(0, |(_, end)| end.len())
        })
    });
    parts.sum()
}

/// The methods of a path, as the document lists them, for the header `Allow`.
pub(crate) fn allowed(path: &str) -> String {
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    let mut methods = BTreeSet::from(["OPTIONS"]);
    let of_path = KNOWN.iter().filter(|known| is_of(&known.template, path)).map(|known| &known.method);
    for method in of_path.chain((path == "/openapi.json").then_some(&Method::GET)) {
        methods.extend(if method == Method::GET { &["GET", "HEAD"][..] } else { &["POST"] });
    }
    methods.into_iter().collect::<Vec<_>>().join(", ")
}

/// Rejects unknown query parameters and values that are too long.
pub(super) fn look(method: &Method, path: &str, query: &str) -> Result<(), ApiError> {
    if query.is_empty() {
        return Ok(());
    }
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    let Some(known) = KNOWN.iter().find(|known| known.method == method && is_of(&known.template, path))
    else {
        return Ok(());
    };
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|error| ApiError::invalid(error.to_string()))?;
    for (name, value) in pairs {
        if !known.parameters.contains(&name) {
            let names: Vec<_> = known.parameters.iter().map(|name| format!("`{name}`")).collect();
            let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let name: String = name.chars().filter(|letter| !letter.is_control()).take(64).collect();
            return Err(ApiError::invalid(format!("unknown parameter `{name}`: allowed: {has}")));
        }
        if value.chars().count() > MAX_TEXT_LEN {
            return Err(ApiError::invalid(format!("`{name}` must have at most {MAX_TEXT_LEN} characters")));
        }
    }
    Ok(())
}

/// True if `path` matches a template such as `/rewards/{id}`.
fn is_of(template: &str, path: &str) -> bool {
    let (mut parts, mut of_path) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), of_path.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) => {
                let (begin, rest) = part.split_once('{').unwrap_or((part, ""));
                let end = rest.split_once('}').map_or("", |(_, end)| end);
                let fits = if rest.is_empty() {
                    part == given
                } else {
                    given.len() > begin.len() + end.len() && given.starts_with(begin) && given.ends_with(end)
                };
                if !fits {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_knows_the_methods_that_the_document_names() {
        for (path, methods) in [
            ("/api/v1/openapi.json", "GET, HEAD, OPTIONS"),
            ("/api/v1/rewards", "GET, HEAD, OPTIONS"),
            ("/api/v1/rewards/7", "GET, HEAD, OPTIONS"),
            ("/api/v1/rewards/7/release", "OPTIONS, POST"),
            ("/api/v1/statements", "GET, HEAD, OPTIONS, POST"),
            ("/api/v1/ledger/proof", "GET, HEAD, OPTIONS"),
            ("/api/v1/nothing", "OPTIONS"),
        ] {
            assert_eq!(allowed(path), methods, "{path}");
        }
    }

    #[test]
    fn a_call_has_the_parameters_that_the_document_names() {
        let said = |path: &str, query: &str| {
            look(&Method::GET, path, query).err().map(|error| error.to_string()).unwrap_or_default()
        };
        for (path, query) in [
            ("/api/v1/rewards", "status=held&limit=1"),
            ("/api/v1/rewards/7", ""),
            ("/api/v1/reports/2026-11-23.csv", "sheet=holds"),
            ("/api/v1/nothing", "x=1"),
        ] {
            assert_eq!(said(path, query), "", "{path}?{query}");
        }
        assert!(said("/api/v1/rewards/7", "x=1").starts_with("unknown parameter `x`: allowed: none"));
        assert!(said("/api/v1/reports/2026-11-23", "sheet=holds").contains("`sheet`"));
        assert!(said("/api/v1/users/u/balance", "App=a").contains("allowed: `app`"));
        let long = format!("source={}", "x".repeat(MAX_TEXT_LEN + 1));
        assert!(said("/api/v1/rewards", &long).starts_with("`source` must have at most"));
    }
}
