//! Whatever the bytes of a file are: it is read, line by line faulty, or refused with a reason; nothing panics, no line is
//! counted twice, and what is kept of it is the file.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::format::Format;
use super::pieces::{MAX_LINES, Piece, PieceLines};
use super::reading::{pieces, read};

/// A header and what a statement is made of, in any order: the more likely a file is, the deeper it gets.
fn statement() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        8 => prop::sample::select(vec![
            "T1", "T2,approved,u,o,,1.00,USD,2026-11-23T10:00:00Z", ",", "\n", "\r", "\r\n", "\"", "\"\"", "1.00", "-1",
            "1.23457E+15", "Total", "#", " ", "approved", "reversed", "2026-11-23T10:00:00Z", "tx_id,status", "é", "\0",
            "T3,approved,\"a\nb\",o,,1.00,USD,2026-11-23T10:00:00Z\n", "(1)", "$", "1,234", ";", "\u{feff}", "\u{2028}",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    let header = prop_oneof![
        4 => Just(&b"tx_id,status,user_id,offer_id,event_id,amount,currency,time\n"[..]),
        1 => Just(&b"Report\r\rtx_id,amount\r"[..]),
        1 => Just(&b""[..]),
    ];
    (header, prop::collection::vec(part, 0..60))
        .prop_map(|(header, parts)| [header.to_vec(), parts.concat()].concat())
}

fn format() -> impl Strategy<Value = Format> {
    (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop::sample::select(vec!["rfc3339", "unix", "excel", "%d.%m.%Y"]),
    )
        .prop_map(|(daily_sums, decimal_comma, header, time)| {
            let numbers =
                [("tx_id", "1"), ("amount", "6")].map(|(field, place)| (field.to_owned(), place.to_owned()));
            let columns = if header { Format::default().columns } else { numbers.into() };
            let controls = [("total".to_owned(), "Total".to_owned())].into();
            Format {
                daily_sums,
                decimal_comma,
                header,
                columns,
                controls,
                time: time.into(),
                ..Format::default()
            }
        })
}

/// What is always so of a file that was read.
fn holds(read: &PieceLines) -> Result<(), TestCaseError> {
    let mut seen = BTreeSet::new();
    let numbers = read.lines.iter().map(|line| line.number);
    let others = read.faults.iter().chain(&read.asides).map(|(number, _)| *number);
    for number in numbers.chain(others).chain(read.controls.iter().map(|(number, ..)| *number)) {
        prop_assert!((1..=MAX_LINES).contains(&number));
        prop_assert!(seen.insert(number), "line {number} is two things");
    }
    for line in &read.lines {
        let texts = [
            &line.tx_id,
            &line.user_id,
            &line.offer_id,
            &line.event_id,
            &line.day,
            &Some(line.currency.clone()),
        ];
        prop_assert!(
            texts.into_iter().flatten().all(|text| !text.contains('\0') && text.len() <= 256),
            "{line:?}"
        );
        prop_assert!(line.amount.0 >= 0);
        prop_assert!(line.day.as_ref().is_none_or(|day| day.len() == 10), "{line:?}");
    }
    let reasons = read.faults.iter().chain(&read.asides).chain(&read.marks);
    for (_, reason) in reasons {
        prop_assert!(!reason.contains('\0') && reason.len() < 1_000, "{reason}");
    }
    Ok(())
}

fn any_bytes_end_well(format: &Format, file: &[u8]) -> Result<(), TestCaseError> {
    match read(format, file) {
        Ok(read) => holds(&read)?,
        Err(refused) => {
            let refused = refused.to_string();
            prop_assert!(
                !refused.is_empty() && !refused.contains('\0') && refused.len() < 8_000,
                "{refused}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_bytes_are_read_or_refused_with_a_reason(file in prop::collection::vec(any::<u8>(), 0..2_000), format in format()) {
        any_bytes_end_well(&format, &file)?;
    }

    #[test]
    fn anything_like_a_statement_is_read_or_refused(file in statement(), format in format()) {
        any_bytes_end_well(&format, &file)?;
    }

    #[test]
    fn what_is_kept_is_the_file_and_reads_the_same(file in statement(), step in 1_usize..200) {
        let format = Format::default();
        let Ok(whole) = pieces(&format, &file, usize::MAX) else { return Ok(()) };
        prop_assert_eq!(&pieces(&format, &file, step).expect("it is cut"), &whole);
        let kept: Vec<u8> = whole.iter().flat_map(|piece| Piece::of_stored(1, piece.stored().into_owned()).content).collect();
        prop_assert_eq!(kept, file);
    }

    #[test]
    fn a_good_line_after_anything_is_read_unless_quotation_marks_have_it(noise in "[^\"\\p{Cc}]{0,80}") {
        let file = format!("tx_id,amount\n{noise}\nT7,1.25\n");
        let read = read(&Format::default(), file.as_bytes()).expect("it has a header");
        prop_assert!(read.lines.iter().any(|line| line.tx_id.as_deref() == Some("T7") && line.number == 3));
    }
}

/// Cut in pieces or at once, the same lines are read: with marks that are never closed all over the file.
#[test]
fn a_long_file_full_of_stray_marks_reads_the_same_however_it_is_cut() {
    let mut file = b"tx_id,user_id,amount\n".to_vec();
    for number in 0..30_000_u32 {
        let user = match number % 7 {
            0 => "\"open",
            1 => "\"a\nb\"",
            2 => "55\" TV",
            3 => "\"a\"\"b\"",
            4 => "\"x\ry\r\nz\"",
            _ => "plain",
        };
        file.extend(format!("T{number},{user},1\n").bytes());
    }
    let format = Format::default();
    let cut = pieces(&format, &file, 5_000).expect("it is cut");
    assert!(cut.len() > 5);
    let reader = format.reader_of(&cut[0].content).expect("columns");
    let whole = format.read(&reader, &Piece { first_line: 1, content: file.clone() });
    let in_pieces = read(&format, &file).expect("it is read");
    assert_eq!(in_pieces.lines, whole.lines);
    assert_eq!(in_pieces.faults, whole.faults);
    assert_eq!(whole.lines.len() + whole.faults.len(), 30_000);
}
