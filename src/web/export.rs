//! Tables as files: CSV, and XLSX with a sheet for each table and typed cells. The same tables give the same bytes.

use std::borrow::Cow;
use std::fmt::Write as _;

use domain::report::sheets::{Sheet, Value};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

/// The widest column, in characters.
const MAX_WIDTH: usize = 48;
/// The largest amount that a cell holds exactly as a number, in micros: cells are doubles. Beyond it, text.
const MAX_EXACT_MICROS: u64 = 1 << 53;
/// Amounts with two to six decimals.
const MONEY_FORMAT: &str = "#,##0.00####;[Red]-#,##0.00####";

/// Every table in one CSV file, a cell a line: `sheet,row,column,value`. Rows count from 1.
pub fn csv(sheets: &[Sheet]) -> String {
    let mut out = String::from("sheet,row,column,value\r\n");
    for sheet in sheets {
        for (number, row) in sheet.rows.iter().enumerate() {
            for (column, value) in sheet.columns.iter().zip(row) {
                let (name, column) = (field(sheet.name), field(column));
                let _ = write!(out, "{name},{},{column},{}\r\n", number + 1, cell(value));
            }
        }
    }
    out
}

/// One table as a CSV file.
pub fn csv_of(sheet: &Sheet) -> String {
    let line = |fields: Vec<String>| fields.join(",") + "\r\n";
    let mut out = line(sheet.columns.iter().map(|column| field(column)).collect());
    for row in &sheet.rows {
        out.push_str(&line(row.iter().map(cell).collect()));
    }
    out
}

/// One line of a CSV file without its end; no field is taken for a formula.
pub fn csv_line(fields: &[&str]) -> String {
    let fields: Vec<_> = fields.iter().map(|text| field(text)).collect();
    fields.join(",")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Open => String::from("open"),
        Value::Text(text) => field(text),
        Value::Count(count) => count.to_string(),
        Value::Money(amount) => amount.to_string(),
    }
}

/// One field: no formula, and quoted (RFC 4180) wherever it holds what some spreadsheet takes for the end of a cell.
fn field(text: &str) -> String {
    let text = harmless(text);
    if text.contains(ENDS_A_CELL) || text.contains('"') || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}

/// Characters that end a cell in some locale.
const ENDS_A_CELL: [char; 6] = [',', ';', '|', '\t', '\r', '\n'];
/// Characters that begin a formula; some spreadsheets also accept the full-width forms.
const BEGINS_A_FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Puts an apostrophe in front of everything that a spreadsheet could take for a formula (OWASP, "CSV Injection"): at the
/// beginning, and after each separator, because quotes do not help if the file is opened with another separator.
fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(BEGINS_A_FORMULA) && !text.starts_with(['\t', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 1);
    // Some spreadsheets treat a leading tab or line break as a formula.
    if text.starts_with(['\t', '\r']) {
        out.push('\'');
    }
    for part in text.split_inclusive(ENDS_A_CELL) {
        if is_formula(part.trim_end_matches(ENDS_A_CELL)) {
            out.push('\'');
        }
        out.push_str(part);
    }
    Cow::Owned(out)
}

/// True if a spreadsheet could take the cell for a formula; false for a plain number such as `-1.5`.
fn is_formula(cell: &str) -> bool {
    let begins = |letter: char| letter.is_whitespace() || letter.is_control() || is_left_out(letter);
    cell.trim_start_matches(begins).starts_with(BEGINS_A_FORMULA) && !is_negative_number(cell)
}

/// Quotes and invisible characters, which a spreadsheet may ignore at the beginning of a cell.
fn is_left_out(letter: char) -> bool {
    matches!(letter, '"' | '\'' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn is_negative_number(cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    cell.strip_prefix('-').is_some_and(|number| match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    })
}

/// Every table as a sheet of one workbook. `title` stands in its properties.
pub fn xlsx(title: &str, sheets: &[Sheet]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // Left alone, the time of writing stands in the file, and no two are the same.
    let written = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_title(title).set_creation_datetime(&written));
    let head = Format::new().set_bold();
    let money = Format::new().set_num_format(MONEY_FORMAT);
    // The mark of a text: it stays one when somebody edits the cell, or saves the sheet as CSV.
    let words = Format::new().set_quote_prefix();
    for table in sheets {
        let sheet = workbook.add_worksheet();
        sheet.set_name(table.name)?;
        sheet.set_freeze_panes(1, 0)?;
        for (column, name) in (0_u16..).zip(&table.columns) {
            let width = table.rows.iter().filter_map(|row| row.get(usize::from(column))).map(width).max();
            let width = width.unwrap_or_default().max(name.chars().count()).min(MAX_WIDTH) + 2;
            sheet.set_column_width(column, u32::try_from(width).unwrap_or(u32::MAX))?;
            sheet.write_string_with_format(0, column, name, &head)?;
        }
        for (row, cells) in (1_u32..).zip(&table.rows) {
            for (column, value) in (0_u16..).zip(cells) {
                match value {
                    Value::Open => sheet.write_string(row, column, "open")?,
                    Value::Text(text) if matches!(harmless(text), Cow::Owned(_)) => {
                        sheet.write_string_with_format(row, column, text, &words)?
                    }
                    Value::Text(text) => sheet.write_string(row, column, text)?,
                    Value::Count(count) => match number(count.unsigned_abs(), &count.to_string()) {
                        Some(number) => sheet.write_number(row, column, number)?,
                        None => sheet.write_string(row, column, count.to_string())?,
                    },
                    Value::Money(amount) => match number(amount.0.unsigned_abs(), &amount.to_string()) {
                        Some(number) => sheet.write_number_with_format(row, column, number, &money)?,
                        None => sheet.write_string(row, column, amount.to_string())?,
                    },
                };
            }
        }
    }
    workbook.save_to_buffer()
}

/// The number that `text` says, if a cell can hold it exactly.
fn number(size: u64, text: &str) -> Option<f64> {
    if size <= MAX_EXACT_MICROS { text.parse().ok() } else { None }
}

fn width(value: &Value) -> usize {
    match value {
        Value::Open => 4,
        Value::Text(text) => text.chars().count(),
        Value::Count(count) => count.to_string().len(),
        Value::Money(amount) => amount.to_string().len() + 3,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader as _, Xlsx};
    use domain::report::amount::Amount;

    use super::*;

    fn table() -> Sheet {
        Sheet {
            name: "Figures",
            columns: vec!["source".into(), "count".into(), "net USD".into()],
            rows: vec![
                vec![Value::Text("=1+1".into()), Value::Count(7), Value::Money(Amount(-1_500_001))],
                vec![Value::Text("a \"b\", c".into()), Value::Open, Value::Money(Amount(i64::MAX))],
            ],
        }
    }

    #[test]
    fn csv_is_quoted_and_no_text_is_a_formula() {
        let expected =
            "source,count,net USD\r\n'=1+1,7,-1.500001\r\n\"a \"\"b\"\", c\",open,9223372036854.775807\r\n";
        assert_eq!(csv_of(&table()), expected);
        assert!(csv(&[table()]).contains("Figures,1,net USD,-1.500001\r\n"));
    }

    #[test]
    fn no_cell_of_a_csv_file_is_a_formula_whatever_separates_cells() {
        for (text, written) in [
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-cmd", "'-cmd"),
            ("-1+1", "'-1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "\"'\t'=1\""),
            ("\r=1", "\"'\r'=1\""),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\u{ff0b}1", "'\u{ff0b}1"),
            ("\u{ff0d}1", "'\u{ff0d}1"),
            ("\u{ff20}A1", "'\u{ff20}A1"),
            ("  =1", "'  =1"),
            ("\u{a0}\u{200b}=1", "'\u{a0}\u{200b}=1"),
            ("\"=1", "\"'\"\"=1\""),
            ("M;=cmd|' /C calc'!A0", "\"M;'=cmd|' /C calc'!A0\""),
            ("M; \"=1", "\"M;' \"\"=1\""),
            ("a,=1", "\"a,'=1\""),
            ("a\n=1", "\"a\n'=1\""),
            ("a\tb", "\"a\tb\""),
            ("a;b", "\"a;b\""),
            ("", ""),
            ("a=b", "a=b"),
            ("u-1", "u-1"),
            ("-5", "-5"),
            ("-1.500001", "-1.500001"),
            ("-1.", "'-1."),
            ("1;-2", "\"1;-2\""),
        ] {
            assert_eq!(csv_line(&[text]), written, "{text:?}");
            let sheet =
                Sheet { name: "S", columns: vec!["c".into()], rows: vec![vec![Value::Text(text.into())]] };
            assert_eq!(csv_of(&sheet), format!("c\r\n{written}\r\n"));
            assert_eq!(csv(&[sheet]), format!("sheet,row,column,value\r\nS,1,c,{written}\r\n"));
        }
    }

    #[test]
    fn a_workbook_has_typed_cells_and_the_same_bytes_every_time() {
        let bytes = xlsx("test", &[table()]).expect("it is written");
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.clone())).expect("it is read");
        let sheet = book.worksheet_range("Figures").expect("a sheet");
        assert_eq!(sheet.get_value((1, 0)), Some(&Data::String("=1+1".into())));
        assert_eq!(sheet.get_value((1, 2)), Some(&Data::Float(-1.500_001)));
        assert_eq!(sheet.get_value((2, 1)), Some(&Data::String("open".into())));
        // Beyond what a cell holds exactly.
        assert_eq!(sheet.get_value((2, 2)), Some(&Data::String("9223372036854.775807".into())));
        assert_eq!(xlsx("test", &[table()]).expect("it is written"), bytes);
    }
}
