//! Where a signature stands in a call.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode;

use super::{Encoding, Refusal};
use crate::postback::networks::call::Call;
use crate::postback::networks::definition::ParameterSource;
use crate::postback::networks::parameters::Parameters;

/// Where a signature stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this parameter of the URL.
    Query(String),
    /// In this field of a form; of a GET, in the URL.
    Form(String),
    /// At this dotted path of a JSON body.
    Json(String),
    /// In a header.
    Header {
        /// Its name, in any case.
        name: String,
        /// Of `t=1,v1=abc` the part `v1`; `None` for the whole header.
        part: Option<String>,
    },
}

/// Where a shared secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// In a parameter or a header.
    At(Place),
    /// The last segment of the path.
    PathEnd,
}

impl Place {
    /// The parameter or header.
    pub fn name(&self) -> &str {
        match self {
            Self::Query(name) | Self::Form(name) | Self::Json(name) | Self::Header { name, .. } => name,
        }
    }

    /// The one value that stands there, as received.
    pub(super) fn text<'a>(&self, call: &Call<'a>) -> Result<Cow<'a, [u8]>, Refusal> {
        let source = match self {
            Self::Header { name, part } => return self.of_header(call, name, part.as_deref()),
            // By its name as it is written: that is where the signed bytes end, too.
            Self::Query(name) => return self.only(in_query(call, name)).map(Cow::Borrowed),
            Self::Form(_) => ParameterSource::Form,
            Self::Json(_) => ParameterSource::Json,
        };
        let parameters = Parameters::received(source, call)?;
        let value = self.only(parameters.values(self.name()).into_iter())?;
        Ok(value.into_received())
    }

    fn only<T>(&self, mut values: impl Iterator<Item = T>) -> Result<T, Refusal> {
        let value = values.next().ok_or_else(|| Refusal::Missing(self.to_string()))?;
        if values.next().is_some() { Err(Refusal::Repeated(self.to_string())) } else { Ok(value) }
    }

    /// The same, without percent-encoding if the encoding may need it.
    pub(super) fn written<'a>(&self, call: &Call<'a>, encoding: Encoding) -> Result<Cow<'a, [u8]>, Refusal> {
        let text = self.text(call)?;
        let in_url = matches!(self, Self::Query(_) | Self::Form(_));
        if in_url && encoding.is_percent_encoded() {
            return Ok(Cow::Owned(percent_decode(&text).collect()));
        }
        Ok(text)
    }

    fn of_header<'a>(
        &self,
        call: &Call<'a>,
        name: &str,
        part: Option<&str>,
    ) -> Result<Cow<'a, [u8]>, Refusal> {
        let header = self.only(call.header(name))?;
        match part {
            None => Ok(Cow::Borrowed(header.trim_ascii())),
            Some(part) => header_part(header, part)
                .map_err(|()| Refusal::Repeated(self.to_string()))?
                .map(Cow::Borrowed)
                .ok_or_else(|| Refusal::Missing(self.to_string())),
        }
    }
}

/// The values of the pairs that begin with `name=`, as written.
pub(super) fn in_query<'a>(call: &Call<'a>, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = call.query().split('&');
    pairs.filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::as_bytes)
}

/// The value of `part` in `t=1,v1=abc`; an error if it is there twice.
pub(super) fn header_part<'a>(header: &'a [u8], part: &str) -> Result<Option<&'a [u8]>, ()> {
    let mut values = header.split(|byte| *byte == b',').filter_map(|pair| {
        let rest = pair.trim_ascii().strip_prefix(part.as_bytes())?;
        rest.strip_prefix(b"=").map(<[u8]>::trim_ascii)
    });
    let value = values.next();
    if values.next().is_some() { Err(()) } else { Ok(value) }
}

/// For people, with its name in backticks.
impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(name) => write!(out, "parameter `{name}` in the URL"),
            Self::Form(name) => write!(out, "parameter `{name}`"),
            Self::Json(path) => write!(out, "`{path}` in the JSON body"),
            Self::Header { name, part: None } => write!(out, "header `{name}`"),
            Self::Header { name, part: Some(part) } => write!(out, "part `{part}` of the header `{name}`"),
        }
    }
}
