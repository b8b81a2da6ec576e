//! The fields of a multipart form (RFC 7578). Files are no parameters.

use std::borrow::Cow;

use super::BadBody;

/// The most fields that are read; a postback has some thirty.
const MAX_FIELDS: usize = 256;

/// A field's name and bytes.
pub(super) type Field<'a> = (Cow<'a, [u8]>, &'a [u8]);

/// The fields of `body`, in order.
pub(super) fn fields<'a>(content_type: &[u8], body: &'a [u8]) -> Result<Vec<Field<'a>>, BadBody> {
    let boundary = attribute(content_type, "boundary").filter(|boundary| !boundary.is_empty());
    let boundary = boundary.ok_or(BadBody::Multipart("has no boundary in its Content-Type header"))?;
    let delimiter = [b"--", boundary.as_ref()].concat();
    let mut rest = match body.strip_prefix(delimiter.as_slice()) {
        Some(rest) => rest,
        None => {
            after(body, &[b"\r\n", delimiter.as_slice()].concat())
                .ok_or(BadBody::Multipart("does not contain its own boundary"))?
                .1
        }
    };
    let delimiter = [b"\r\n", delimiter.as_slice()].concat();
    let mut fields = Vec::new();
    while !rest.starts_with(b"--") {
        if fields.len() == MAX_FIELDS {
            return Err(BadBody::Multipart("has more than 256 fields"));
        }
        let (line, start) = after(rest, b"\r\n").ok_or(BadBody::Multipart("ends inside a boundary"))?;
        if !line.trim_ascii().is_empty() {
            return Err(BadBody::Multipart("has text behind a boundary"));
        }
        let (part, next) = after(start, &delimiter).ok_or(BadBody::Multipart("ends without its boundary"))?;
        let (headers, content) = match part.strip_prefix(b"\r\n") {
            Some(content) => (&part[..0], content),
            None => after(part, b"\r\n\r\n").ok_or(BadBody::Multipart("has a part without a blank line"))?,
        };
        fields.extend(name(headers).map(|name| (name, content)));
        rest = next;
    }
    Ok(fields)
}

/// The name in a part's Content-Disposition; `None` for a file and a part without a name.
fn name(headers: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut lines = headers.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let is_wanted = |line: &[u8]| {
        let start = b"content-disposition:";
        line.get(..start.len()).is_some_and(|given| given.eq_ignore_ascii_case(start))
    };
    let line = lines.find(|line| is_wanted(line))?;
    if attribute(line, "filename").is_some() {
        return None;
    }
    attribute(line, "name")
}

/// The value of `; name=value` or `; name="value"`.
fn attribute<'a>(header: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    let mut rest = after(header, b";")?.1;
    loop {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
        let given = rest[..end].trim_ascii();
        let mut value = Cow::Borrowed(&rest[..0]);
        rest = &rest[end..];
        if let Some(after_equals) = rest.strip_prefix(b"=") {
            (value, rest) = attribute_value(after_equals.trim_ascii_start());
        }
        if given.eq_ignore_ascii_case(name.as_bytes()) {
            return Some(value);
        }
        rest = after(rest, b";")?.1;
    }
}

fn attribute_value(text: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| *byte == b';').unwrap_or(text.len());
        return (Cow::Borrowed(text[..end].trim_ascii()), &text[end..]);
    };
    let (mut value, mut index) = (Vec::new(), 0);
    while let Some(byte) = quoted.get(index) {
        match byte {
            b'"' => return (Cow::Owned(value), &quoted[index + 1..]),
            b'\\' if matches!(quoted.get(index + 1), Some(b'"' | b'\\')) => {
                value.push(quoted[index + 1]);
                index += 1;
            }
            _ => value.push(*byte),
        }
        index += 1;
    }
    (Cow::Owned(value), &[])
}

/// What is before and after the first `mark`.
fn after<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}
