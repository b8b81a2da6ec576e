//! Statement files as networks, spreadsheets and accidents write them: readable lines count, others are listed, and no
//! file stops the next one.

use chrono_tz::Tz;
use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::format::Format;
use domain::statement::matching::Tolerance;
use jobs::statements::work_off;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::statements::intake::{Intake, Refused};
use store::statements::notes::{NoteKind, Notes};
use store::statements::{Confirm, Confirmed, MatchTerms, NewStatement, Received, Supersedes, Then};

use crate::support::database::Home;
use crate::support::postbacks::{NOW, SOURCE, credit};

contract! {
    both:
        any_bytes_end_and_the_next_file_is_imported,
        every_kind_of_line_end_is_imported,
        a_zero_byte_costs_its_line_and_the_file_is_kept_as_it_came,
        what_is_no_transaction_counts_nothing_and_is_listed,
        a_file_that_is_read_anew_has_no_notes_of_another_reading,
        spoiled_ids_are_asked_for_from_nobody,
        a_file_that_no_setting_fits_any_more_says_why;
}

const TERMS: MatchTerms = MatchTerms {
    tolerance: Tolerance { absolute: Amount(0), relative_ppm: 0 },
    window_ms: 3_600_000,
    cut_off_days: 3,
    timezone: Tz::UTC,
};
/// A cut-off after which no booking is pending.
const OVERDUE: &str = "9999-12-31";
const TIME: &str = "2026-11-23T10:00:00Z";

fn new(name: &str, format: &Format) -> NewStatement {
    NewStatement {
        source: SOURCE.into(),
        file_name: name.into(),
        format: serde_json::to_string(format).expect("JSON"),
        period: None,
        actor: "fay".into(),
        now: NOW,
    }
}

/// Sends a file in chunks that end anywhere in a line.
async fn send(home: &Home, name: &str, file: &[u8], then: Then) -> Result<(i64, Received), Refused> {
    let format = Format::default();
    let mut intake = Intake::begin(&home.store, new(name, &format), format).await?;
    for bytes in file.chunks(7_001) {
        intake.push(bytes).await?;
    }
    intake.finish(then).await
}

async fn import(home: &Home, name: &str, file: &[u8]) -> i64 {
    let (id, received) = send(home, name, file, Then::Import).await.expect("it is received");
    assert_eq!(received, Received::New);
    work_off(&home.store, id, TERMS, || true).await.expect("it is matched");
    id
}

/// How many lines of a statement are in a state.
async fn count(home: &Home, id: i64, state: LineState) -> i64 {
    let rows = home.store.statement_totals(id, OVERDUE).await.expect("they are summed");
    let totals = store::statements::totals(rows).expect("known states");
    assert!(totals.ties_out());
    totals.states.iter().find(|of| of.state == state).map_or(0, |of| of.count)
}

async fn notes(home: &Home, id: i64, kind: NoteKind) -> Notes {
    home.store.statement_notes(id, kind, 100).await.expect("they are read")
}

/// `T0` to `T4` of a dollar each.
async fn five(home: &Home) {
    let credits: Vec<_> = (0..5).map(|n| credit(&format!("T{n}")).by("u").with("offer_id", "o")).collect();
    home.process(&credits).await;
}

/// Bytes that are no file, half a file, or almost one.
fn any_file(random: &mut StdRng) -> Vec<u8> {
    const PARTS: [&str; 18] = [
        "T1,approved,u,o,1.00,USD,2026-11-23T10:00:00Z\n",
        "T2,reversed,u,o,1.00,USD,\r",
        "\"",
        "\n",
        "\r",
        ",",
        "\0",
        "\"a\nb\",",
        "1.23457E+15,approved,u,o,1.00,USD,\n",
        "Grand Total,,,,9.00,,\n",
        "é",
        "T3",
        "999999999",
        "-1",
        "tx_id,status,user_id,offer_id,amount,currency,time\n",
        "# no\n",
        "\u{feff}",
        "TX,approved,\"open,o,1.00,USD,\n",
    ];
    let mut file = match random.random_range(0..4_u8) {
        0 => Vec::new(),
        1 => b"tx_id,amount\r".to_vec(),
        _ => b"tx_id,status,user_id,offer_id,amount,currency,time\n".to_vec(),
    };
    for _ in 0..random.random_range(0..300_u32) {
        if random.random_range(0..6_u8) == 0 {
            file.extend((0..random.random_range(1..40_u32)).map(|_| random.random::<u8>()));
        } else {
            file.extend(PARTS[random.random_range(0..PARTS.len())].bytes());
        }
    }
    if random.random_range(0..8_u8) == 0 {
        let text = String::from_utf8_lossy(&file).into_owned();
        file = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    }
    file
}

async fn any_bytes_end_and_the_next_file_is_imported(home: &Home) {
    five(home).await;
    let mut random = StdRng::seed_from_u64(7);
    let (mut read, mut refused) = (0, 0);
    for n in 0..40 {
        let file = any_file(&mut random);
        match send(home, &format!("{n}.csv"), &file, Then::Import).await {
            Ok((id, Received::New)) => {
                work_off(&home.store, id, TERMS, || true)
                    .await
                    .unwrap_or_else(|why| panic!("file {n}: {why}"));
                count(home, id, LineState::Matched).await;
                read += 1;
            }
            Ok((_, Received::Before(_))) => {}
            Err(Refused::File(why)) => {
                assert!(!why.to_string().is_empty());
                refused += 1;
            }
            Err(refused) => panic!("file {n}: {refused}"),
        }
    }
    assert!(read > 10 && refused > 0, "{read} were read and {refused} refused");
    assert_eq!(home.store.unfinished_statements().await.expect("they are listed"), [0_i64; 0]);
    let good = b"tx_id,status,amount\nGOOD,approved,7.00\nT0,approved,1.00\n";
    let id = import(home, "good.csv", good).await;
    assert_eq!(home.store.statement(id).await.expect("it is read").expect("a statement").state, "matched");
    assert_eq!(count(home, id, LineState::MissingHere).await, 1);
}

async fn every_kind_of_line_end_is_imported(home: &Home) {
    five(home).await;
    for (n, file) in [
        "tx_id,amount\nT0,1.00\rX0,1.00\n",
        "tx_id,amount\rT1,1.00\rX1,1.00\r",
        "tx_id,amount\r\nT2,1.00\r\nX2,1.00",
    ]
    .into_iter()
    .enumerate()
    {
        let id = import(home, &format!("{n}.csv"), file.as_bytes()).await;
        let found =
            (count(home, id, LineState::Matched).await, count(home, id, LineState::MissingHere).await);
        assert_eq!(found, (1, 1), "{file:?}");
        assert_eq!(home.store.statement_faults(id, 0, 10).await.expect("they are listed"), []);
    }
}

async fn a_zero_byte_costs_its_line_and_the_file_is_kept_as_it_came(home: &Home) {
    five(home).await;
    let latin = b"tx_id,offer_name,amount\nT0,Caf\xe9,1.00\nT1,x\0y,1.00\nT2,z,1.00\n".to_vec();
    let text = "\u{feff}tx_id,offer_name,amount\nT3,Zoë,1.00\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (n, (file, matched, faults)) in [(&latin, 2, vec![3]), (&utf16, 1, vec![])].into_iter().enumerate() {
        let id = import(home, &format!("{n}.csv"), file).await;
        assert_eq!(count(home, id, LineState::Matched).await, matched);
        let faulty = home.store.statement_faults(id, 0, 10).await.expect("they are listed");
        assert_eq!(faulty.iter().map(|(line, _)| *line).collect::<Vec<_>>(), faults);
        let piece = home.store.statement_piece(id, 0).await.expect("it is read").expect("a piece");
        assert_eq!(&piece.content, file);
    }
    assert_eq!(notes(home, 1, NoteKind::Mark).await.first.first().map(|(line, _)| *line), Some(2));
}

async fn what_is_no_transaction_counts_nothing_and_is_listed(home: &Home) {
    five(home).await;
    let file = "Statement of November\ntx_id,amount\nT0,1.00\nT1,1.0000000000000002\ntx_id,amount\nGrand Total,2.00\n,2.00\n";
    let id = import(home, "a.csv", file.as_bytes()).await;
    let rows = home.store.statement_totals(id, OVERDUE).await.expect("they are summed");
    assert_eq!(store::statements::totals(rows).expect("known states").theirs, Amount(2_000_000));
    let asides = notes(home, id, NoteKind::Aside).await;
    assert_eq!(
        (asides.count, asides.first.iter().map(|(line, _)| *line).collect::<Vec<_>>()),
        (4, vec![1, 5, 6, 7])
    );
    assert_eq!(notes(home, id, NoteKind::Mark).await.count, 1, "one was rounded");
    assert_eq!(count(home, id, LineState::MissingHere).await, 0, "nothing is asked for");
}

async fn a_file_that_is_read_anew_has_no_notes_of_another_reading(home: &Home) {
    let file = "tx_id,amount\nTotal,1.00\n";
    let id = import(home, "a.csv", file.as_bytes()).await;
    let mut raw = home.raw().await;
    raw.execute(&format!(
        "INSERT INTO statement_notes (statement_id, line, kind, reason) VALUES ({id}, 9, 'aside', 'of before');
         UPDATE statements SET state = 'importing', chunks_done = 0 WHERE id = {id}"
    ))
    .await;
    work_off(&home.store, id, TERMS, || true).await.expect("it is matched");
    assert_eq!(notes(home, id, NoteKind::Aside).await.count, 1);
}

async fn spoiled_ids_are_asked_for_from_nobody(home: &Home) {
    five(home).await;
    let lines: Vec<_> = (0..20).map(|n| format!("1.23457E+15,approved,u,{}.00,{TIME}\n", n + 1)).collect();
    let lines = lines.concat();
    let id = import(home, "a.csv", format!("tx_id,status,user_id,amount,time\n{lines}").as_bytes()).await;
    for state in [LineState::Duplicate, LineState::MissingHere, LineState::OrphanReversal] {
        assert_eq!(count(home, id, state).await, 0, "{}", state.name());
    }
    let reasons = home.store.statement_fault_reasons(id, 10).await.expect("they are read");
    assert_eq!((reasons.len(), reasons[0].count, reasons[0].line), (1, 20, 2));
    assert!(reasons[0].reason.contains("spreadsheet"), "{reasons:?}");
}

async fn a_file_that_no_setting_fits_any_more_says_why(home: &Home) {
    let (id, _) = send(home, "a.csv", b"tx_id,amount\nT0,1.00\n", Then::Ask).await.expect("it is received");
    let format = Format { columns: [("amount".to_owned(), "Payout".to_owned())].into(), ..Format::default() };
    let supersedes = Supersedes::Decide;
    let confirm = Confirm { format, period: None, supersedes, actor: "fay".into(), now: NOW };
    match home.store.confirm_statement(id, confirm).await.expect("an answer") {
        Confirmed::Unfit(why) => assert!(why.contains("`Payout`"), "{why}"),
        other => panic!("{other:?}"),
    }
    // The next one is read all the same.
    import(home, "b.csv", b"tx_id,amount\nT1,1.00\n").await;
}
