//! Amounts as networks write them. A form that could mean something else is read only if the settings name it;
//! otherwise the fault says what to set.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::money::{Micros, MoneyError};
use crate::report::amount::Amount;

/// How far an amount may be from the micro that it is read as, in decimals after the sixth: a spreadsheet that
/// computes in binary writes 1.14 as 1.1400000000000001. Three zeros or three nines are less than 10⁻⁹.
const EXACT_DECIMALS: usize = 3;

/// A way to write amounts besides `-1,234.50`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountForm {
    /// `(12.00)` is below zero.
    Parentheses,
    /// `12.00-` is below zero.
    TrailingMinus,
    /// `$12.00`, `12,00 €`.
    CurrencySign,
    /// `USD 12.00`, `12.00 USD`.
    CurrencyCode,
    /// `1 234.50`, also with a blank that does not break.
    BlankGroups,
    /// `1'234.50`.
    ApostropheGroups,
}

impl AmountForm {
    /// Every form, with its name in the settings.
    pub const ALL: [(&'static str, Self); 6] = [
        ("parentheses", Self::Parentheses),
        ("trailing_minus", Self::TrailingMinus),
        ("currency_sign", Self::CurrencySign),
        ("currency_code", Self::CurrencyCode),
        ("blank_groups", Self::BlankGroups),
        ("apostrophe_groups", Self::ApostropheGroups),
    ];

    /// The name in the settings.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, form)| *form == self).map_or("", |(name, _)| name)
    }
}

/// Signs of currencies, the longer ones first, and the currencies that each can mean; the first one unless the line says
/// another.
const SIGNS: [(&str, &[&str]); 15] = [
    ("US$", &["USD"]),
    ("R$", &["BRL"]),
    ("C$", &["CAD"]),
    ("A$", &["AUD"]),
    ("$", &["USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP"]),
    ("€", &["EUR"]),
    ("£", &["GBP"]),
    ("¥", &["JPY", "CNY"]),
    ("₹", &["INR"]),
    ("₽", &["RUB"]),
    ("₩", &["KRW"]),
    ("₺", &["TRY"]),
    ("₫", &["VND"]),
    ("₴", &["UAH"]),
    ("zł", &["PLN"]),
];

/// An amount that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    /// True if it is below zero.
    pub(super) is_negative: bool,
    /// Without its sign.
    pub(super) size: Amount,
    /// The currencies that its sign or code can mean; empty without one.
    pub(super) currencies: Vec<String>,
    /// True if it was less than 10⁻⁹ away from what it is read as.
    pub(super) is_rounded: bool,
}

/// Why an amount cannot be read, and the forms that the settings would have to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoAmount {
    /// What is wrong, as part of a sentence.
    pub(super) why: String,
    /// The forms that it is written in; empty if no form helps.
    pub(super) forms: BTreeSet<AmountForm>,
    /// True if it reads with the other sign for decimals.
    pub(super) other_point: bool,
}

/// Signs and currencies around the digits.
#[derive(Default)]
struct Around {
    is_negative: bool,
    has_sign: bool,
    currencies: Vec<String>,
    forms: BTreeSet<AmountForm>,
}

/// Reads an amount in any form. `decimal_comma`: written as `1.234,50`.
pub(super) fn read(text: &str, decimal_comma: bool, allowed: &[AmountForm]) -> Result<Figure, NoAmount> {
    let found = in_any_form(text, decimal_comma);
    let (figure, forms) = found.map_err(|why| NoAmount {
        why,
        forms: BTreeSet::new(),
        other_point: in_any_form(text, !decimal_comma).is_ok(),
    })?;
    if forms.iter().all(|form| allowed.contains(form)) {
        return Ok(figure);
    }
    let forms: BTreeSet<_> = allowed.iter().copied().chain(forms).collect();
    Err(NoAmount {
        why: "is not an amount in a form that the settings allow".into(),
        forms,
        other_point: false,
    })
}

fn in_any_form(text: &str, decimal_comma: bool) -> Result<(Figure, BTreeSet<AmountForm>), String> {
    const NO_AMOUNT: &str = "is not an amount";
    let mut around = Around::default();
    let mut digits = text.trim();
    while let Some(rest) = around.strip(digits) {
        digits = rest?.trim();
    }
    let (plain, grouped_by) = ungrouped(digits, decimal_comma).ok_or(NO_AMOUNT)?;
    around.forms.extend(grouped_by);
    let parsed = Micros::parse(&plain).map_err(|error| match error {
        MoneyError::TooLarge => error.to_string(),
        _ => NO_AMOUNT.to_owned(),
    })?;
    if parsed.rounded {
        let decimals = plain.split_once('.').map_or("", |(_, decimals)| decimals);
        let seventh_on = decimals.get(6..).unwrap_or_default().get(..EXACT_DECIMALS);
        if !matches!(seventh_on, Some("000" | "999")) {
            return Err("has more than six decimals".to_owned());
        }
    }
    let Around { is_negative, currencies, forms, .. } = around;
    let is_negative = is_negative && parsed.amount.0 != 0;
    let figure =
        Figure { is_negative, size: Amount(parsed.amount.0), currencies, is_rounded: parsed.rounded };
    Ok((figure, forms))
}

impl Around {
    /// Strips one sign or currency from either end; `None` if there is none.
    fn strip<'t>(&mut self, text: &'t str) -> Option<Result<&'t str, &'static str>> {
        let minus = |letter: char| matches!(letter, '-' | '\u{2212}');
        if let Some(rest) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            self.forms.insert(AmountForm::Parentheses);
            return Some(self.sign(true).map(|()| rest));
        }
        if let Some(rest) = text.strip_prefix(minus) {
            return Some(self.sign(true).map(|()| rest));
        }
        if let Some(rest) = text.strip_prefix('+') {
            return Some(self.sign(false).map(|()| rest));
        }
        if let Some(rest) = text.strip_suffix(minus) {
            self.forms.insert(AmountForm::TrailingMinus);
            return Some(self.sign(true).map(|()| rest));
        }
        for (sign, currencies) in SIGNS {
            if let Some(rest) = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign)) {
                self.forms.insert(AmountForm::CurrencySign);
                let currencies = currencies.iter().map(|&code| code.to_owned()).collect();
                return Some(self.currency(currencies).map(|()| rest));
            }
        }
        let is_code = |code: &str| code.bytes().all(|byte| byte.is_ascii_alphabetic());
        let first = text.get(..3).filter(|code| is_code(code)).map(|code| (code, text.get(3..)));
        let from = text.len().checked_sub(3);
        let last = || {
            let from = from?;
            text.get(from..).filter(|code| is_code(code)).map(|code| (code, text.get(..from)))
        };
        let (code, rest) = first.or_else(last)?;
        self.forms.insert(AmountForm::CurrencyCode);
        let rest = rest.unwrap_or_default();
        Some(self.currency(vec![code.to_ascii_uppercase()]).map(|()| rest))
    }

    fn sign(&mut self, is_negative: bool) -> Result<(), &'static str> {
        self.is_negative = is_negative;
        if std::mem::replace(&mut self.has_sign, true) { Err("has two signs") } else { Ok(()) }
    }

    fn currency(&mut self, currencies: Vec<String>) -> Result<(), &'static str> {
        let before = std::mem::replace(&mut self.currencies, currencies);
        if before.is_empty() || before.iter().any(|code| self.currencies.contains(code)) {
            self.currencies.retain(|code| before.is_empty() || before.contains(code));
            Ok(())
        } else {
            Err("names two currencies")
        }
    }
}

/// The digits without marks between thousands and with a point before decimals, and the form that such marks are;
/// `None` if a mark is not between thousands. `0,250` is not 250.
fn ungrouped(digits: &str, decimal_comma: bool) -> Option<(String, Option<AmountForm>)> {
    let (usual, point) = if decimal_comma { ('.', ',') } else { (',', '.') };
    let (units, decimals) = digits.split_once(point).unwrap_or((digits, ""));
    let mark = units.chars().find(|letter| !letter.is_ascii_digit());
    let is_whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_whole(decimals) {
        return None;
    }
    let Some(mark) = mark else { return Some((format!("{units}.{decimals}"), None)) };
    let form = match mark {
        mark if mark == usual => None,
        ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' => Some(AmountForm::BlankGroups),
        '\'' | '’' => Some(AmountForm::ApostropheGroups),
        _ => return None,
    };
    let mut groups = units.split(mark);
    let first = groups.next().unwrap_or_default();
    let leads = (1..=3).contains(&first.len()) && !first.starts_with('0') && is_whole(first);
    let follow = groups.clone().all(|group| group.len() == 3 && is_whole(group));
    (leads && follow).then(|| (format!("{first}{}.{decimals}", groups.collect::<String>()), form))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::AmountForm::{
        ApostropheGroups, BlankGroups, CurrencyCode, CurrencySign, Parentheses, TrailingMinus,
    };
    use super::*;

    fn micros(text: &str, decimal_comma: bool, forms: &[AmountForm]) -> Option<i64> {
        let figure = read(text, decimal_comma, forms).ok()?;
        Some(if figure.is_negative { -figure.size.0 } else { figure.size.0 })
    }

    #[test]
    fn a_mark_between_thousands_stands_between_thousands() {
        for (text, is) in [
            ("1,234", 1_234_000_000),
            ("1,234,567.5", 1_234_567_500_000),
            ("999,000.25", 999_000_250_000),
            ("-1,234.50", -1_234_500_000),
            ("+2", 2_000_000),
            ("\u{2212}2.5", -2_500_000),
            ("-0.00", 0),
        ] {
            assert_eq!(micros(text, false, &[]), Some(is), "{text}");
        }
        for text in [
            "0,250", "00,250", "01,250", "0,250.5", "1,5", "1,23", "1234,567", ",250", "1,,234", "1,23,456",
            "1.2,345", "1 ,234", "--1", "1-2",
        ] {
            assert_eq!(micros(text, false, &[]), None, "{text}");
        }
        assert_eq!(micros("0,250", true, &[]), Some(250_000));
        assert_eq!(micros("1.234,50", true, &[]), Some(1_234_500_000));
        assert_eq!(micros("0.250", true, &[]), None);
        assert!(read("0,250", false, &[]).expect_err("no amount").other_point);
        assert!(read("1.234,50", false, &[]).expect_err("no amount").other_point);
    }

    #[test]
    fn what_a_spreadsheet_added_in_binary_is_rounded_and_marked() {
        for (text, is) in [
            ("1.1400000000000001", 1_140_000),
            ("0.30000000000000004", 300_000),
            ("1.1399999999999999", 1_140_000),
            ("2.0000019999999999", 2_000_002),
            ("0.9999999999", 1_000_000),
        ] {
            let figure = read(text, false, &[]).expect("an amount");
            assert_eq!((figure.size, figure.is_rounded), (Amount(is), true), "{text}");
        }
        for text in ["0.0000001", "1.2345678", "1.1400001", "1.14000001"] {
            assert!(read(text, false, &[]).expect_err("not exact").why.contains("six decimals"), "{text}");
        }
        assert!(!read("1.1400000000", false, &[]).expect("an amount").is_rounded);
    }

    #[test]
    fn other_forms_are_read_only_if_the_settings_name_them() {
        for (text, is, forms) in [
            ("($12.00)", -12_000_000, &[Parentheses, CurrencySign][..]),
            ("$(12.00)", -12_000_000, &[Parentheses, CurrencySign]),
            ("$1.00", 1_000_000, &[CurrencySign]),
            ("-$1.00", -1_000_000, &[CurrencySign]),
            ("$-1.00", -1_000_000, &[CurrencySign]),
            ("US$ 1,000.50", 1_000_500_000, &[CurrencySign]),
            ("1.00-", -1_000_000, &[TrailingMinus]),
            ("1.00 -", -1_000_000, &[TrailingMinus]),
            ("USD 12", 12_000_000, &[CurrencyCode]),
            ("12 USD", 12_000_000, &[CurrencyCode]),
            ("-12USD", -12_000_000, &[CurrencyCode]),
            ("$12 USD", 12_000_000, &[CurrencySign, CurrencyCode]),
            ("1 234.50", 1_234_500_000, &[BlankGroups]),
            ("1\u{a0}234.50", 1_234_500_000, &[BlankGroups]),
            ("1\u{202f}234\u{202f}567", 1_234_567_000_000, &[BlankGroups]),
            ("1'234.50", 1_234_500_000, &[ApostropheGroups]),
        ] {
            assert_eq!(micros(text, false, forms), Some(is), "{text}");
            let refused = read(text, false, &[]).expect_err("no form is named");
            assert_eq!(refused.forms, forms.iter().copied().collect(), "{text}");
        }
        assert_eq!(micros("€1.234,56", true, &[CurrencySign]), Some(1_234_560_000));
        assert_eq!(read("€1.234,56", true, &[CurrencySign]).expect("an amount").currencies, ["EUR"]);
        assert_eq!(micros("1.234,56 €", true, &[CurrencySign]), Some(1_234_560_000));
    }

    #[test]
    fn what_no_form_explains_is_no_amount() {
        let all = AmountForm::ALL.map(|(_, form)| form);
        for text in [
            "", "-", "$", "()", "((1))", "-(1)", "(-1)", "-1-", "1e3", "12%", "€1 USD", "n/a", "USD", "0x10",
            "1..2", "١", "1 2", "0 250", "12 CR",
        ] {
            let refused = read(text, false, &all);
            assert!(refused.is_err(), "{text}: {refused:?}");
            assert!(refused.is_err_and(|refused| refused.forms.is_empty()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_amount_or_none(text in "[-−+(),. '$€USD0-9a-z]{0,20}", comma in any::<bool>()) {
            let all = AmountForm::ALL.map(|(_, form)| form);
            if let Ok(figure) = read(&text, comma, &all) {
                prop_assert!(text.bytes().any(|byte| byte.is_ascii_digit()));
                prop_assert!(figure.size.0 >= 0);
            }
        }

        #[test]
        fn a_grouped_amount_is_the_amount(micros in 0_i64..1_000_000_000_000_000) {
            let plain = Micros(micros).to_string();
            let (units, decimals) = plain.split_once('.').unwrap_or((&plain, "0"));
            let mut grouped = String::new();
            for (place, digit) in units.chars().enumerate() {
                if place > 0 && (units.len() - place) % 3 == 0 {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            prop_assert_eq!(read(&format!("{grouped}.{decimals}"), false, &[]).map(|it| it.size), Ok(Amount(micros)));
        }
    }
}
