//! Tables as files: CSV, and XLSX with a sheet for each table and typed cells. The same tables give the same bytes.

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
    let fields: Vec<_> = fields.iter().map(|text| field(&harmless(text))).collect();
    fields.join(",")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Open => String::from("open"),
        Value::Text(text) => field(&harmless(text)),
        Value::Count(count) => count.to_string(),
        Value::Money(amount) => amount.to_string(),
    }
}

/// A text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, "CSV Injection").
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// RFC 4180.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Every table as a sheet of one workbook. `title` stands in its properties.
pub fn xlsx(title: &str, sheets: &[Sheet]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // Left alone, the time of writing stands in the file, and no two are the same.
    let written = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_title(title).set_creation_datetime(&written));
    let head = Format::new().set_bold();
    let money = Format::new().set_num_format(MONEY_FORMAT);
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
