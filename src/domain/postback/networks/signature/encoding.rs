//! How the bytes of a signature are written.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::text::hex;

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal digits in either case.
    Hex,
    /// Hexadecimal digits in lower case only (`case = "lower"`).
    LowerHex,
    /// Base64, with or without `=`.
    Base64,
    /// Base64 with `-` and `_`, with or without `=`; written without.
    Base64Url,
}

impl Encoding {
    /// Every encoding with its name in a definition; lower-case hexadecimal has no name of its own.
    pub const ALL: [(&'static str, Self); 3] =
        [("hex", Self::Hex), ("base64", Self::Base64), ("base64url", Self::Base64Url)];

    /// The name in a definition.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hex | Self::LowerHex => "hex",
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
        }
    }

    /// For a message: what a signature of this encoding is.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Hex => "the right number of hexadecimal digits",
            Self::LowerHex => "the right number of lower-case hexadecimal digits",
            Self::Base64 => "base64 of the right length",
            Self::Base64Url => "base64url of the right length",
        }
    }

    /// The bytes of `text`; `None` if it has another letter, an odd length, or bits that no encoder writes.
    pub fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => decode_hex(text),
            Self::LowerHex => decode_hex(text).filter(|_| !text.iter().any(u8::is_ascii_uppercase)),
            Self::Base64 => engine(&STANDARD, false).decode(text).ok(),
            Self::Base64Url => engine(&URL_SAFE, false).decode(text).ok(),
        }
    }

    /// `bytes` as a network writes them.
    pub fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex | Self::LowerHex => hex(bytes),
            Self::Base64 => engine(&STANDARD, true).encode(bytes),
            Self::Base64Url => engine(&URL_SAFE, false).encode(bytes),
        }
    }

    /// Whether `%2B` and the like are decoded before the text is read: hexadecimal digits never need it.
    pub(super) fn is_percent_encoded(self) -> bool {
        matches!(self, Self::Base64 | Self::Base64Url)
    }
}

fn engine(alphabet: &Alphabet, padded: bool) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(padded)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_reads_what_it_writes_and_no_other_letters() {
        let bytes = [0xfb, 0xff, 0x00, 0x3e];
        for (encoding, text) in
            [(Encoding::Hex, "fbff003e"), (Encoding::Base64, "+/8APg=="), (Encoding::Base64Url, "-_8APg")]
        {
            assert_eq!(encoding.encode(&bytes), text);
            assert_eq!(encoding.decode(text.as_bytes()).as_deref(), Some(&bytes[..]));
        }
        assert_eq!(Encoding::Hex.decode(b"FBff003E").as_deref(), Some(&bytes[..]));
        assert_eq!(Encoding::LowerHex.decode(b"FBff003E"), None);
        assert_eq!(Encoding::Base64.decode(b"+/8APg").as_deref(), Some(&bytes[..]), "without padding");
        for (encoding, text) in [
            (Encoding::Hex, "fbf"),
            (Encoding::Hex, "fg"),
            (Encoding::Hex, "+f"),
            (Encoding::Base64, "-_8APg=="),
            (Encoding::Base64Url, "+/8APg"),
            (Encoding::Base64Url, "-_8APh"),
            (Encoding::Base64, "+/8A Pg=="),
        ] {
            assert_eq!(encoding.decode(text.as_bytes()), None, "{text}");
        }
    }
}
