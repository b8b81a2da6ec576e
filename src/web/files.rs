//! Answers that a browser saves as files.

use warp::http::{HeaderValue, header};
use warp::reply::Response;

/// Content type of XLSX.
pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// Content type of CSV.
pub(crate) const CSV: &str = "text/csv; charset=utf-8";
/// Content type of plain text.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

/// `body` as a file to be saved under `name`, which holds nothing but what a name may hold.
pub(crate) fn download(name: &str, content_type: &'static str, mut body: Response) -> Response {
    let headers = body.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let name: String = name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    body
}
