//! Whole files, as networks and spreadsheets write them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::controls::Control;
use super::format::Format;
use super::pieces::{Cutter, Piece, PieceLines, SameReason};
use super::{Unreadable, kind_name};

/// A file that comes in steps of so many bytes.
pub(super) fn pieces(format: &Format, file: &[u8], step: usize) -> Result<Vec<Piece>, Unreadable> {
    let mut cutter = Cutter::new(format.clone());
    let mut pieces = Vec::new();
    for bytes in file.chunks(step) {
        pieces.extend(cutter.push(bytes)?);
    }
    pieces.extend(cutter.finish()?);
    Ok(pieces)
}

/// All that its pieces say.
pub(super) fn read(format: &Format, file: &[u8]) -> Result<PieceLines, Unreadable> {
    let pieces = pieces(format, file, 7_777)?;
    let reader = format.reader_of(&pieces.first().ok_or(Unreadable::Empty)?.content)?;
    let mut all = PieceLines::default();
    for piece in &pieces {
        let read = format.read(&reader, piece);
        all.lines.extend(read.lines);
        all.faults.extend(read.faults);
        all.controls.extend(read.controls);
        all.asides.extend(read.asides);
        all.marks.extend(read.marks);
        all.proposals.extend(read.proposals);
    }
    Ok(all)
}

fn of(file: &str) -> PieceLines {
    read(&Format::default(), file.as_bytes()).expect("it can be read")
}

/// Number and transaction of each line that was read.
fn transactions(read: &PieceLines) -> Vec<(i64, &str)> {
    read.lines.iter().map(|line| (line.number, line.tx_id.as_deref().unwrap_or_default())).collect()
}

fn numbers<T>(list: &[(i64, T)]) -> Vec<i64> {
    list.iter().map(|(number, _)| *number).collect()
}

#[test]
fn pieces_are_the_file_however_it_comes() {
    let mut text = "\u{feff}tx_id,amount,user_id\n".to_owned();
    for number in 0..20_000 {
        let end = ["\n", "\r\n", "\r"][number % 3];
        let _ = write!(text, "T{number},1.5,\"a{end}é\"{end}");
    }
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for file in [text.into_bytes(), utf16] {
        let format = Format::default();
        let whole = pieces(&format, &file, 10_000_000).expect("it is cut");
        assert!(whole.len() > 4, "{}", whole.len());
        for step in [999, 65_536] {
            assert_eq!(pieces(&format, &file, step).expect("it is cut"), whole);
        }
        let all: Vec<u8> = whole.iter().flat_map(|piece| piece.content.clone()).collect();
        assert_eq!(all, file);
        let read = read(&format, &file).expect("it is read");
        assert_eq!((read.lines.len(), read.faults.as_slice()), (20_000, &[][..]));
        // Two lines of the file for each of its records, and the header.
        let last = read.lines.last().expect("a line");
        assert_eq!((last.number, last.tx_id.as_deref()), (40_000, Some("T19999")));
    }
}

#[test]
fn any_piece_can_be_kept_as_a_text() {
    for content in [&b"plain"[..], b"", b"caf\xe9", b"a\0b", "\u{1}base64:AAAA".as_bytes(), "é".as_bytes()] {
        let piece = Piece { first_line: 7, content: content.to_vec() };
        let stored = piece.stored().into_owned();
        assert!(!stored.contains('\0'));
        assert_eq!(Piece::of_stored(7, stored), piece);
    }
}

#[test]
fn faulty_lines_are_named_and_the_rest_goes_on() {
    let read = of("tx_id,amount\nT1,1\nT2,one\n\nT3\nT4,4\n");
    assert_eq!(transactions(&read), [(2, "T1"), (6, "T4")]);
    assert_eq!(numbers(&read.faults), [3, 5]);
}

#[test]
fn a_carriage_return_alone_ends_a_line_too() {
    for file in
        ["tx_id,amount\rT1,1\rT2,2\r", "tx_id,amount\nT1,1\rT2,2\nT3,x\r\n", "tx_id,amount\r\nT1,1\nT2,2"]
    {
        let read = of(file);
        assert_eq!(transactions(&read), [(2, "T1"), (3, "T2")], "{file:?}");
    }
}

#[test]
fn an_unclosed_quotation_mark_costs_its_own_line() {
    let mut file = "tx_id,user_id,amount\n".to_owned();
    for number in 2..=5_000 {
        let user = if number == 1_000 { "\"open" } else { "\"closed\"" };
        let _ = writeln!(file, "T{number},{user},1");
    }
    let read = of(&file);
    assert_eq!((read.lines.len(), numbers(&read.faults)), (4_998, vec![1_000]));
    assert!(read.faults[0].1.contains("never closed"), "{:?}", read.faults);
}

#[test]
fn inches_in_a_long_file_lose_no_line() {
    let mut file = "tx_id,offer_name,amount\n".to_owned();
    for number in 0..60_000 {
        let _ = writeln!(file, "T{number},55\" TV and more of it,1.00");
    }
    let read = of(&file);
    assert_eq!((read.lines.len(), read.faults.len()), (60_000, 0));
}

#[test]
fn every_encoding_is_read_and_a_zero_byte_is_a_fault_of_its_line() {
    let text = "tx_id,user_id,amount\nT1,Zoë,1\nT2,b,2\n";
    let says = |file: &[u8]| {
        let read = read(&Format::default(), file).expect("it is read");
        let users: Vec<_> = read.lines.iter().filter_map(|line| line.user_id.clone()).collect();
        (users, read.marks.len(), read.faults.len())
    };
    let both = vec!["Zoë".to_owned(), "b".to_owned()];
    assert_eq!(says(text.as_bytes()), (both.clone(), 0, 0));
    for unit in [u16::to_le_bytes, u16::to_be_bytes] {
        let file: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect();
        assert_eq!(says(&file), (both.clone(), 0, 0));
        assert_eq!(says(&file[2..]), (both.clone(), 0, 0), "without a mark");
    }
    let latin: Vec<u8> =
        text.chars().map(|letter| u8::try_from(u32::from(letter)).expect("Latin-1")).collect();
    assert_eq!(says(&latin), (both, 1, 0));
    assert_eq!(says(b"tx_id,user_id,amount\nT1,a\0,1\nT2,b,2\n"), (vec!["b".to_owned()], 0, 1));
}

#[test]
fn how_a_file_is_read_is_said_in_sentences() {
    let description =
        |file: &[u8]| Format::default().reader_of(file).expect("columns").description().join(" ");
    let says = description(b"Report\n\ntx_id,Note,amount\nT1,x,1\n");
    for part in [
        "UTF-8.",
        "Line 3 is the header.",
        "tx_id from `tx_id`",
        "Not in the file: status, user_id",
        "Ignored columns: `Note`",
    ] {
        assert!(says.contains(part), "{says}");
    }
    let utf16: Vec<u8> = "\u{feff}tx_id,amount\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert!(description(&utf16).contains("UTF-16, with a byte order mark"));
}

#[test]
fn what_is_no_transaction_counts_nothing_and_is_listed() {
    let read = of(
        "Statement of November\n\ntx_id,amount\nT1,1.00\n# a remark\nT2,1.00\ntx_id,amount\nT3,1\n,3.00\n\
                   Grand Total,3.00\nPage 1 of 1,\n",
    );
    assert_eq!(transactions(&read), [(4, "T1"), (6, "T2"), (8, "T3")]);
    assert_eq!(numbers(&read.asides), [1, 5, 7, 9, 10, 11]);
    assert_eq!(read.faults, []);
    let controls = [("opening".to_owned(), "Opening balance".to_owned())].into();
    let format = Format { controls, ..Format::default() };
    let before = self::read(&format, b"Opening balance,,5.00\ntx_id,amount\nT1,1.00\n").expect("it is read");
    assert_eq!(before.controls, [(1, Control::Opening, 5_000_000)]);
    let ids = of("tx_id,amount\n#1,1.00\n#2,1.00\n");
    assert_eq!(transactions(&ids), [(2, "#1"), (3, "#2")]);
}

#[test]
fn empty_fields_at_the_end_may_be_left_out_and_more_may_not_stand_there() {
    let read = of("tx_id,amount,user_id,currency\nT1,1.00\nT2,1.00,u\nT3,1.00,u,EUR,,\nT4,1,50,u,EUR\n");
    assert_eq!(transactions(&read), [(2, "T1"), (3, "T2"), (4, "T3")]);
    assert_eq!(
        read.lines.iter().map(|line| line.currency.as_str()).collect::<Vec<_>>(),
        ["USD", "USD", "EUR"]
    );
    assert!(read.faults[0].1.contains("5 fields and the header names 4"), "{:?}", read.faults);
}

#[test]
fn spoiled_ids_have_one_sentence_and_are_not_asked_for() {
    let mut file = "tx_id,user_id,amount\n".to_owned();
    for number in 0..20 {
        let _ = writeln!(file, "1.2345{}E+15,u,1", number % 10);
    }
    file += "T1,1.2E+05,1\n=\"0012\",u,1\n";
    let read = of(&file);
    let sentences: BTreeMap<_, _> =
        read.faults.iter().map(|(line, reason)| (reason.as_str(), *line)).collect();
    assert_eq!((read.faults.len(), sentences.len()), (20, 1));
    let same: Vec<_> = SameReason::of(&read.faults).iter().map(SameReason::lines).collect();
    assert_eq!(same, ["2 and 19 more"]);
    assert_eq!(transactions(&read), [(22, "T1"), (23, "0012")]);
    assert_eq!((read.lines[0].user_id.as_deref(), numbers(&read.marks)), (None, vec![22]));
}

#[test]
fn amounts_in_another_form_are_proposed_once() {
    let file = "tx_id,amount\nT1,($12.00)\nT2,1.00-\nT3,3\nT4,1.1400000000000001\n";
    let read = of(file);
    assert_eq!((transactions(&read), numbers(&read.faults)), (vec![(4, "T3"), (5, "T4")], vec![2, 3]));
    assert_eq!(
        read.proposals,
        [
            "set sources.statement.amounts = [\"parentheses\", \"trailing_minus\", \"currency_sign\"] to read such amounts"
        ]
    );
    assert_eq!(numbers(&read.marks), [5]);
    let format: Format =
        serde_json::from_str(r#"{"amounts": ["parentheses", "trailing_minus", "currency_sign"]}"#)
            .expect("a format");
    let read = self::read(&format, file.as_bytes()).expect("it is read");
    let lines: Vec<_> =
        read.lines.iter().map(|line| (kind_name(line.kind), line.amount.to_string())).collect();
    let is = [("reversal", "12"), ("reversal", "1"), ("credit", "3"), ("credit", "1.14")];
    assert_eq!(lines, is.map(|(kind, amount)| (kind, amount.to_owned())));
}

#[test]
fn a_currency_that_the_amount_names_is_the_one_of_the_line() {
    let format: Format =
        serde_json::from_str(r#"{"amounts": ["currency_sign", "currency_code"]}"#).expect("a format");
    let file = "tx_id,amount,currency\nT1,€5,\nT2,$5,\nT3,$5,AUD\nT4,€5,USD\nT5,5 eur,\nT6,5,eur\n";
    let read = read(&format, file.as_bytes()).expect("it is read");
    let currencies: Vec<_> = read.lines.iter().map(|line| line.currency.as_str()).collect();
    assert_eq!((currencies, numbers(&read.faults)), (vec!["EUR", "USD", "AUD", "EUR", "EUR"], vec![5]));
}

#[test]
fn a_file_that_cannot_be_read_at_all_says_why() {
    let refused = |file: &[u8]| read(&Format::default(), file).expect_err("refused");
    assert_eq!(refused(b""), Unreadable::Empty);
    assert_eq!(refused(b"\xef\xbb\xbf\n\n"), Unreadable::Empty);
    assert!(matches!(refused(b"PK\x03\x04..."), Unreadable::NoText(_)));
    assert!(matches!(refused(b"a,b\n1,2\n"), Unreadable::Columns(_)));
    let long = ["tx_id,amount\n", &"x".repeat(super::pieces::MAX_LINE_LEN + 1)].concat();
    assert_eq!(refused(long.as_bytes()), Unreadable::LongLine(2));
    let many = format!("tx_id,amount\n{}", "\n".repeat(1_000_001));
    assert_eq!(refused(many.as_bytes()), Unreadable::TooManyLines);
    let refused = Format { zone: "Mars".into(), ..Format::default() }.reader_of(b"tx_id,amount\n");
    assert!(matches!(refused, Err(Unreadable::Settings(_))));
}
