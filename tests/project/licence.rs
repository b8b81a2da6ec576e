//! SPDX expressions: `(MIT OR Apache-2.0) AND Unicode-3.0`.

/// Which licences hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Licence {
    /// One, with its exception: `Apache-2.0 WITH LLVM-exception`.
    One(String),
    /// All of them.
    All(Vec<Licence>),
    /// One of them, at the choice of whoever uses it.
    Any(Vec<Licence>),
}

impl Licence {
    /// Reads an expression; `/` is the old way to write `OR`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words = spaced.split_whitespace().peekable();
        let licence = any(&mut words)?;
        match words.next() {
            Some(word) => Err(format!("`{word}` is unexpected in `{text}`")),
            None => Ok(licence),
        }
    }

    /// Whether it can be kept with licences of this list alone.
    pub(crate) fn is_allowed(&self, allowed: &[String]) -> bool {
        match self {
            Self::One(name) => allowed.contains(name),
            Self::All(parts) => parts.iter().all(|part| part.is_allowed(allowed)),
            Self::Any(parts) => parts.iter().any(|part| part.is_allowed(allowed)),
        }
    }
}

type Words<'t> = std::iter::Peekable<std::str::SplitWhitespace<'t>>;

fn any(words: &mut Words<'_>) -> Result<Licence, String> {
    let mut parts = vec![all(words)?];
    while words.next_if_eq(&"OR").is_some() {
        parts.push(all(words)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Licence::Any(parts) })
}

/// `AND` binds closer than `OR`.
fn all(words: &mut Words<'_>) -> Result<Licence, String> {
    let mut parts = vec![one(words)?];
    while words.next_if_eq(&"AND").is_some() {
        parts.push(one(words)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Licence::All(parts) })
}

fn one(words: &mut Words<'_>) -> Result<Licence, String> {
    match words.next() {
        Some("(") => {
            let inner = any(words)?;
            words.next_if_eq(&")").ok_or("a `(` is not closed")?;
            Ok(inner)
        }
        Some(name) if !["OR", "AND", "WITH", ")"].contains(&name) => {
            if words.next_if_eq(&"WITH").is_none() {
                return Ok(Licence::One(name.to_owned()));
            }
            match words.next() {
                Some(exception) if !["OR", "AND", "WITH", "(", ")"].contains(&exception) => {
                    Ok(Licence::One(format!("{name} WITH {exception}")))
                }
                _ => Err(format!("no exception follows `{name} WITH`")),
            }
        }
        Some(word) => Err(format!("`{word}` stands where a licence should")),
        None => Err("a licence is missing at the end".to_owned()),
    }
}

/// The licence whose text this is, compared with the ones of this repository; whose copyright it is makes no difference.
pub(crate) fn of_text(text: &str, known: &[(&str, &str)]) -> Option<Licence> {
    let plain = |text: &str| -> String {
        let from = ["Permission is hereby granted", "Apache License"]
            .iter()
            .filter_map(|start| text.find(start))
            .min();
        let body = from.map_or(text, |from| &text[from..]);
        body.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let known = known.iter().find(|(_, theirs)| plain(theirs) == plain(text));
    known.map(|(name, _)| Licence::One((*name).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str) -> bool {
        let list = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"].map(str::to_owned);
        Licence::parse(text).expect(text).is_allowed(&list)
    }

    #[test]
    fn a_licence_is_accepted_if_a_choice_of_accepted_ones_keeps_it() {
        for text in [
            "MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 / MIT",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "MIT AND (GPL-3.0 OR (Unicode-3.0 AND Apache-2.0))",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
            "GPL-3.0 AND ISC OR MIT",
        ] {
            assert!(allowed(text), "{text}");
        }
        for text in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT AND (GPL-3.0 OR ISC)",
            "(GPL-3.0 OR MIT) AND ISC",
            "MIT WITH LLVM-exception",
            "ISC OR GPL-3.0 AND MIT",
            "mit",
        ] {
            assert!(!allowed(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_no_licence() {
        for text in
            ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT Apache-2.0", "MIT WITH", "MIT WITH OR ISC", "()"]
        {
            assert!(Licence::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_is_known_whoever_holds_the_copyright() {
        let mit = "MIT License\n\nCopyright (c) 2020 A\n\nPermission is hereby granted, free\nof charge.\n";
        let known = [("MIT", "Copyright 2026 B\n\nPermission is hereby granted, free of charge.")];
        assert_eq!(of_text(mit, &known), Some(Licence::One("MIT".to_owned())));
        assert_eq!(of_text("Permission is hereby granted, to some.", &known), None);
    }
}
