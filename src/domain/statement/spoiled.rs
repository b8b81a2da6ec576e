//! Ids that a spreadsheet damaged when it opened the file, and ids that are quoted to prevent that.

/// The fault of a line with a damaged id. The id is not named, so that all such lines share one reason.
pub(super) const SPOILED: &str = "a spreadsheet has damaged the id (long numbers become 1.23457E+15), so it cannot be matched: use the \
     file as the network sent it, or format the column as text before opening it";

/// Cells that a spreadsheet shows instead of what it cannot compute.
const ERRORS: [&str; 8] = ["#NAME?", "#REF!", "#VALUE!", "#N/A", "#NUM!", "#NULL!", "#DIV/0!", "#ERROR!"];

/// True if a spreadsheet has made this of an id: a number with an exponent, an error, or a cell that was too narrow.
/// Without the sign before the exponent it may be an id: `1e5`.
pub(super) fn is_spoiled(id: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = id.split_once(['E', 'e']).is_some_and(|(mantissa, exponent)| {
        let (units, decimals) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
        let units = units.strip_prefix('-').unwrap_or(units);
        let exponent = exponent.strip_prefix('+').unwrap_or_default();
        units.len() == 1 && digits(units) && digits(decimals) && digits(exponent) && exponent.len() < 4
    });
    let is_narrow = id.len() > 2 && id.bytes().all(|byte| byte == b'#');
    is_number || is_narrow || ERRORS.contains(&id)
}

/// The text within `="00123"`, by which some exports keep a spreadsheet from changing it.
pub(super) fn unwrapped(text: &str) -> &str {
    text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_a_spreadsheet_has_changed_are_known() {
        for id in [
            "1.23457E+15",
            "1.2E+05",
            "1E+15",
            "9,87654E+18",
            "1.23457E+015",
            "1.5e+20",
            "#NAME?",
            "########",
            "#N/A",
        ] {
            assert!(is_spoiled(id), "{id}");
        }
        for id in [
            "1e5",
            "1E5",
            "12.5E+15",
            "5E+",
            "E+15",
            "1.E+15",
            "a1E+15",
            "1.23457E-15",
            "##",
            "#T1",
            "1234567890123456",
            "1.2E+05x",
        ] {
            assert!(!is_spoiled(id), "{id}");
        }
    }

    #[test]
    fn an_id_that_is_guarded_against_spreadsheets_is_the_id() {
        assert_eq!(unwrapped("=\"00123\""), "00123");
        for text in ["=1+1", "\"a\"", "=\"", "x=\"1\""] {
            assert_eq!(unwrapped(text), text);
        }
    }
}
