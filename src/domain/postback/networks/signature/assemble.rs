//! The exact bytes that a network signs.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::message::{Absent, Concat, Message, Pair, Part, PartSource, PartValue, Sorted, SortedEncoding};
use super::place::header_part;
use super::{Place, Refusal, Scheme};
use crate::postback::networks::Definition;
use crate::postback::networks::call::Call;
use crate::postback::networks::parameters::{Parameters, decoded, split_pair};
use crate::postback::query::Plus;
use crate::postback::signature::SignatureForm;

/// RFC 3986: everything but its unreserved characters is encoded.
const RFC3986: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Forms, as PHP writes them: `~` is encoded too, and a blank becomes `+` afterwards.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b' ');

/// A message whose secrets are still to be put in.
pub(super) struct Assembled<'a> {
    pieces: Vec<Piece<'a>>,
    /// When it was signed, in seconds since 1970, if it says so.
    pub(super) time_s: Option<i64>,
}

enum Piece<'a> {
    Bytes(Cow<'a, [u8]>),
    Secret,
    SecondSecret,
}

impl Assembled<'_> {
    /// The bytes under these secrets.
    pub(super) fn bytes(&self, secret: &[u8], second: &[u8]) -> Vec<u8> {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.as_ref(),
            Piece::Secret => secret,
            Piece::SecondSecret => second,
        });
        pieces.collect::<Vec<_>>().concat()
    }

    pub(super) fn needs_second(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::SecondSecret))
    }
}

/// The message of a call that has its signature.
pub(super) fn assemble<'a>(
    definition: &'a Definition,
    scheme: &'a Scheme,
    call: &Call<'a>,
) -> Result<Assembled<'a>, Refusal> {
    let mut time_s = None;
    let pieces = match &scheme.message {
        Message::Url(form) => url(call, scheme, *form)?,
        Message::QueryBeforeSignature => {
            let (before, _) = before_signature(call, scheme)?;
            let query = before.split_once('?').map_or("", |(_, query)| query);
            vec![Piece::Bytes(Cow::Borrowed(query.as_bytes()))]
        }
        Message::Sorted(rule) => vec![Piece::Bytes(Cow::Owned(rule.text(call, scheme)))],
        Message::Concat(rule) => rule.pieces(definition, call)?,
        Message::Body => vec![Piece::Bytes(Cow::Borrowed(call.body))],
        Message::TimestampBody(rule) => {
            let header = call.header(scheme.at.name()).next();
            let header = header.ok_or_else(|| Refusal::Missing(scheme.at.to_string()))?;
            let time =
                header_part(header, &rule.part).map_err(|()| Refusal::NoTime)?.ok_or(Refusal::NoTime)?;
            time_s = Some(seconds(time).ok_or(Refusal::NoTime)?);
            let separator = Cow::Borrowed(rule.separator.as_bytes());
            [Cow::Borrowed(time), separator, Cow::Borrowed(call.body)].into_iter().map(Piece::Bytes).collect()
        }
    };
    Ok(Assembled { pieces, time_s })
}

fn seconds(text: &[u8]) -> Option<i64> {
    let digits =
        std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

fn url<'a>(call: &Call<'a>, scheme: &'a Scheme, form: SignatureForm) -> Result<Vec<Piece<'a>>, Refusal> {
    let (before, separator) = before_signature(call, scheme)?;
    let mut texts = vec![call.origin, before];
    if form == SignatureForm::Empty {
        texts.extend([separator, scheme.at.name(), "="]);
    }
    Ok(texts.into_iter().map(|text| Piece::Bytes(Cow::Borrowed(text.as_bytes()))).collect())
}

/// The target before the signature parameter, and the `?` or `&` that introduces it. Behind it only the id of the key may
/// stand: nothing else there would be signed.
fn before_signature<'a>(call: &Call<'a>, scheme: &Scheme) -> Result<(&'a str, &'a str), Refusal> {
    let name = scheme.at.name();
    let missing = || Refusal::Missing(scheme.at.to_string());
    let at = call.target.find('?').ok_or_else(missing)?;
    let (mut start, mut found) = (at + 1, None);
    for pair in call.target[at + 1..].split('&') {
        let is_signature = pair.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        match found {
            None if is_signature => found = Some(start),
            Some(_) if is_signature => return Err(Refusal::Repeated(scheme.at.to_string())),
            Some(_) => {
                let (given, _) = pair.split_once('=').unwrap_or((pair, ""));
                if scheme.key_id.as_deref() != Some(given) {
                    return Err(Refusal::NotLast(name.to_owned()));
                }
            }
            None => {}
        }
        start += pair.len() + 1;
    }
    let start = found.ok_or_else(missing)?;
    Ok((&call.target[..start - 1], &call.target[start - 1..start]))
}

impl Sorted {
    fn text(&self, call: &Call<'_>, scheme: &Scheme) -> Vec<u8> {
        let raw = call.query().as_bytes().split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        let named = raw.map(split_pair).filter(|(name, _)| !is_signature(name, scheme));
        let decoded = named.map(|(name, value)| (decoded(name, Plus::Space), decoded(value, Plus::Space)));
        let mut pairs: Vec<_> = decoded.filter(|(name, _)| !self.drops(name)).collect();
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut text = Vec::new();
        for (name, value) in pairs {
            if !text.is_empty() {
                text.push(if self.pair == Pair::Comma { b',' } else { b'&' });
            }
            text.extend(self.encoding.written(&name));
            text.push(b'=');
            let value = self.encoding.written(&value);
            text.extend(if self.encoding == SortedEncoding::Double { form(&value) } else { value });
        }
        text
    }

    fn drops(&self, name: &[u8]) -> bool {
        self.drop.iter().any(|dropped| dropped.as_bytes() == name)
    }
}

fn is_signature(name: &[u8], scheme: &Scheme) -> bool {
    matches!(&scheme.at, Place::Query(own) if own.as_bytes() == name)
}

impl SortedEncoding {
    fn written(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Form | Self::Double => form(text),
            Self::Rfc3986 => percent_encode(text, RFC3986).to_string().into_bytes(),
            Self::Plain => text.to_vec(),
        }
    }
}

fn form(text: &[u8]) -> Vec<u8> {
    percent_encode(text, FORM).to_string().replace(' ', "+").into_bytes()
}

impl Concat {
    fn pieces<'a>(&'a self, definition: &'a Definition, call: &Call<'a>) -> Result<Vec<Piece<'a>>, Refusal> {
        let parameters = Parameters::received(definition.parameters, call)?;
        let mut parts = Vec::new();
        for part in &self.parts {
            match &part.source {
                PartSource::Secret => parts.push(Piece::Secret),
                PartSource::SecondSecret => parts.push(Piece::SecondSecret),
                PartSource::Constant(text) => parts.push(Piece::Bytes(Cow::Borrowed(text.as_bytes()))),
                PartSource::Field(field) => {
                    let name = definition.field(*field).map_or("", |definition| &definition.parameter);
                    parts.extend(part.of_parameter(name, &parameters)?);
                }
                PartSource::Parameter(name) => parts.extend(part.of_parameter(name, &parameters)?),
                PartSource::Series { prefix, from, to } => {
                    for number in *from..=*to {
                        parts.extend(part.of_parameter(&format!("{prefix}{number}"), &parameters)?);
                    }
                }
            }
        }
        let mut pieces = Vec::with_capacity(parts.len() * 2);
        for part in parts {
            if !pieces.is_empty() && !self.separator.is_empty() {
                pieces.push(Piece::Bytes(Cow::Borrowed(self.separator.as_bytes())));
            }
            pieces.push(part);
        }
        Ok(pieces)
    }
}

impl Part {
    fn of_parameter<'a>(
        &self,
        name: &str,
        parameters: &Parameters<'a>,
    ) -> Result<Option<Piece<'a>>, Refusal> {
        let mut values = parameters.values(name).into_iter();
        let Some(value) = values.next() else {
            return if self.absent == Absent::Refused {
                Err(Refusal::MissingPart(name.to_owned()))
            } else {
                Ok(None)
            };
        };
        if values.next().is_some() {
            return Err(Refusal::Repeated(format!("`{name}`")));
        }
        if value.received().is_empty() && self.absent == Absent::OmittedWhenEmpty {
            return Ok(None);
        }
        let bytes = match self.value {
            PartValue::Received => value.into_received(),
            PartValue::Decoded => Cow::Owned(value.decoded(Plus::Space).into_owned()),
            PartValue::Integer => {
                let whole = whole_number(&value.decoded(Plus::Space));
                Cow::Owned(whole.ok_or_else(|| Refusal::NotInteger(name.to_owned()))?)
            }
        };
        Ok(Some(Piece::Bytes(bytes)))
    }
}

/// `100.1234` → `100`, `-0.5` → `0`, as casting to an integer does.
fn whole_number(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    Some(if whole.is_empty() { b"0".to_vec() } else { format!("{sign}{whole}").into_bytes() })
}
