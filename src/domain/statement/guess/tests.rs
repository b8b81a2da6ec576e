//! Small files in the shapes that networks write, and what is proposed for each.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::*;
use crate::postback::event::Kind;

fn guess(text: &str) -> Guess {
    Guess::of(text.as_bytes(), true, &Hints::default()).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// Of a file that leaves nothing open.
fn complete(text: &str) -> Guess {
    let guess = guess(text);
    assert!(guess.is_complete(), "{:#?}\n{}", guess.doubts, guess.section());
    guess
}

fn column<'g>(guess: &'g Guess, field: &str) -> Option<&'g str> {
    guess.format.columns.get(field).map(String::as_str)
}

fn doubt<'g>(guess: &'g Guess, key: &str) -> &'g Doubt {
    let found = guess.doubts.iter().find(|doubt| doubt.key == key);
    found.unwrap_or_else(|| panic!("no doubt about {key}: {:#?}\n{}", guess.doubts, guess.section()))
}

/// Bookings with these ids, of no particular time.
fn bookings(ids: &[&str]) -> HashMap<String, crate::time::TimestampMs> {
    ids.iter().map(|&id| (id.to_owned(), crate::time::TimestampMs(0))).collect()
}

/// Transaction, kind, amount and time of each line as the proposal reads it; it must read all.
fn read(guess: &Guess, text: &str) -> Vec<(String, Kind, String, String)> {
    let read = guess.read(text.as_bytes()).unwrap_or_else(|why| panic!("{why}\n{}", guess.section()));
    assert_eq!(read.faults, [], "{}", guess.section());
    let lines = read.lines.into_iter().map(|line| {
        let at = line.at.map(crate::time::TimestampMs::rfc3339).unwrap_or_default();
        (line.tx_id.unwrap_or_default(), line.kind, line.amount.to_string(), at)
    });
    lines.collect()
}

/// The proposal parses as settings of the same names.
fn settings(guess: &Guess) -> toml::Table {
    let text = guess.section();
    let table: toml::Table = text.parse().unwrap_or_else(|why| panic!("{why}\n{text}"));
    table["sources"]["statement"].as_table().cloned().expect("a section")
}

const SEMICOLONS: &str = "Transaktion;Buchungsdatum;Kunde;Status;Betrag\n\
                          A-1;23.11.2026 12:00;u-1;approved;1.234,50\n\
                          A-2;24.11.2026 13:30;u-2;approved;0,99\n\
                          A-3;24.11.2026 13:31;u-1;chargeback;2,00\n";

#[test]
fn semicolons_with_decimal_commas_are_read() {
    let text = SEMICOLONS.replace("Transaktion", "Transaction").replace("Buchungsdatum", "Date");
    let text = text.replace("Kunde", "User");
    let guess = complete(&text);
    assert_eq!((guess.format.delimiter, guess.format.decimal_comma), (';', true));
    assert_eq!(guess.format.time, "%d.%m.%Y %H:%M");
    assert_eq!((column(&guess, "tx_id"), column(&guess, "amount")), (Some("Transaction"), Some("Betrag")));
    assert_eq!(guess.format.reversals, ["chargeback"]);
    let zone = doubt(&guess, "zone");
    assert!(!zone.is_required && zone.what.contains("ask the network"), "{zone:?}");
    let lines = read(&guess, &text);
    assert_eq!(lines[0], ("A-1".into(), Kind::Credit, "1234.5".into(), "2026-11-23T12:00:00.000Z".into()));
    assert_eq!(lines[2].1, Kind::Reversal);
    let settings = settings(&guess);
    assert_eq!(settings["delimiter"].as_str(), Some(";"));
    assert!(!settings.contains_key("zone"), "what is not known is commented out");
    assert!(guess.section().contains("# zone = \"UTC\""), "{}", guess.section());
}

#[test]
fn a_file_without_a_header_is_known_by_its_content() {
    let text = "T-1001,2026-11-23T12:00:00Z,approved,USD,1.50,player-7\n\
                T-1002,2026-11-23T12:05:00Z,reversed,USD,2.00,player-8\n\
                T-1003,2026-11-23T12:06:00Z,approved,USD,0.25,player-7\n\
                T-1004,2026-11-23T12:09:00Z,approved,USD,0.25,player-7\n";
    let guess = complete(text);
    assert!(!guess.format.header);
    let columns = ["tx_id", "time", "status", "currency", "amount"].map(|field| column(&guess, field));
    assert_eq!(columns, [Some("1"), Some("2"), Some("3"), Some("4"), Some("5")]);
    // By content alone a user is like an offer: it is said, and not taken.
    assert_eq!((column(&guess, "user_id"), doubt(&guess, "columns.user_id").is_required), (None, false));
    assert_eq!(read(&guess, text).len(), 4);
}

#[test]
fn times_are_told_in_each_format_and_unit() {
    for (format, cells) in [
        ("unix", ["1795435200", "1795435260", "1795435320"]),
        ("unix_ms", ["1795435200000", "1795435260000", "1795435320123"]),
        ("unix_us", ["1795435200000000", "1795435260000000", "1795435320000000"]),
        ("excel", ["46349.5", "46349.75", "46350"]),
        ("rfc3339", ["2026-11-23T12:00:00+01:00", "2026-11-23T12:00:01+01:00", "2026-11-23T12:00:02+01:00"]),
        ("%Y-%m-%d %H:%M:%S", ["2026-11-23 12:00:00", "2026-11-23 12:00:01", "2026-12-01 00:00:00"]),
        ("%Y-%m-%d", ["2026-11-23", "2026-11-24", "2026-12-01"]),
        ("%m/%d/%Y %I:%M %p", ["11/23/2026 01:00 PM", "11/23/2026 02:00 AM", "11/24/2026 12:00 AM"]),
        ("%d/%m/%Y", ["23/11/2026", "01/12/2026", "02/12/2026"]),
        ("%Y%m%d", ["20261123", "20261124", "20261201"]),
        (
            "%Y-%m-%d %H:%M:%S UTC",
            ["2026-11-23 12:00:00 UTC", "2026-11-23 12:00:01 UTC", "2026-12-01 00:00:00 UTC"],
        ),
    ] {
        let lines: Vec<_> =
            cells.iter().enumerate().map(|(place, cell)| format!("T{place};1.50;{cell}\n")).collect();
        let text = format!("tx_id;amount;time\n{}", lines.concat());
        let guess = complete(&text);
        assert_eq!(guess.format.time, format, "{}", guess.section());
        assert_eq!(read(&guess, &text).len(), 3);
    }
}

#[test]
fn a_date_that_may_be_of_two_kinds_is_left_to_a_person() {
    let guess = guess("tx_id,amount,date\nA,1.50,01/02/2026\nB,1.50,03/04/2026\n");
    let doubt = doubt(&guess, "time");
    assert!(doubt.is_required && !guess.is_complete());
    assert_eq!(doubt.alternatives, ["\"%d/%m/%Y\"", "\"%m/%d/%Y\""]);
    assert!(!settings(&guess).contains_key("time"));
    // One day after the twelfth settles it.
    assert_eq!(complete("tx_id,amount,date\nA,1.50,01/02/2026\nB,1.50,03/14/2026\n").format.time, "%m/%d/%Y");
}

#[test]
fn the_zone_is_taken_from_where_the_file_names_it() {
    for (head, name, cell, zone) in [
        ("", "Date (UTC)", "2026-11-23 12:00", "UTC"),
        ("", "Date (America/New_York)", "2026-11-23 12:00", "America/New_York"),
        ("Time zone: Europe/Berlin\n\n", "Date", "2026-11-23 12:00", "Europe/Berlin"),
        ("", "Date", "2026-11-23T12:00:00Z", "UTC"),
    ] {
        let guess = complete(&format!("{head}tx_id;amount;{name}\nA;1.50;{cell}\nB;1.60;{cell}\n"));
        assert_eq!(guess.format.zone, zone, "{}", guess.section());
        assert!(guess.notes.iter().any(|note| note.contains(zone)), "{:?}", guess.notes);
        assert!(guess.doubts.is_empty(), "{:?}", guess.doubts);
    }
    let unix = complete("tx_id,amount,time\nA,1.5,1795435200\nB,1.5,1795435201\n");
    assert!(doubt(&unix, "zone").what.contains("in which zone the network counts days"));
}

#[test]
fn quoted_cells_and_a_byte_order_mark_change_nothing() {
    let text = "\u{feff}\"Transaction ID\",\"Offer, and goal\",\"Payout (USD)\",\"State\"\r\n\
                \"T1\",\"Play, then \"\"win\"\"\",\"1,234.50\",\"approved\"\r\n\
                \"T2\",\"line\nbreak\",\"2.00\",\"approved\"\r\n";
    let guess = complete(text);
    assert_eq!((guess.format.delimiter, guess.format.decimal_comma), (',', false));
    assert_eq!(column(&guess, "amount"), Some("Payout (USD)"));
    assert_eq!(read(&guess, text).iter().map(|line| line.2.as_str()).collect::<Vec<_>>(), ["1234.5", "2"]);
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let same = Guess::of(&utf16, true, &Hints::default()).expect("text");
    assert_eq!(same.format, guess.format);
    assert_eq!(same.read(&utf16).expect("read").lines.len(), 2);
}

#[test]
fn titles_and_totals_are_not_taken_for_transactions() {
    let text = "Publisher report;;;\nPeriod;November 2026;;\n\nTransaction;User;Status;Payout\nA1;u1;paid;1,50\n\
                A2;u2;paid;2,50\nA3;u2;refunded;2,50\n\nTotal;;;6,50\n";
    let guess = complete(text);
    assert_eq!((guess.format.header, guess.format.decimal_comma), (true, true));
    assert_eq!(
        (&guess.format.credits[..], &guess.format.reversals[..]),
        (&["paid".into()][..], &["refunded".into()][..])
    );
    assert_eq!(read(&guess, text).len(), 3);
}

#[test]
fn two_columns_that_could_be_the_amount_are_left_to_a_person() {
    let text = "tx_id,user_id,Payout,Revenue,time\nA,u,1.50,2.50,2026-11-23\nB,v,1.60,2.60,2026-11-24\n";
    let guess = guess(text);
    let doubt = doubt(&guess, "columns.amount");
    assert_eq!(
        doubt.what,
        "Column 3 (Payout), e.g. `1.50`, `1.60`; or column 4 (Revenue), e.g. `2.50`, `2.60` could be amount."
    );
    assert_eq!(doubt.alternatives, ["\"Payout\"", "\"Revenue\""]);
    assert!(!guess.is_complete() && column(&guess, "amount").is_none());
    let section = guess.section();
    assert!(section.contains("# amount = \"Payout\"\n# amount = \"Revenue\"\n"), "{section}");
    // The users' currency is not the network's, even if it is called `amount`.
    assert!(!super::tests::guess(&text.replace("Revenue", "Amount")).is_complete());
    // A name that is only similar does not compete.
    assert_eq!(column(&complete(&text.replace("Revenue", "Reward amount")), "amount"), Some("Payout"));
}

#[test]
fn whether_a_comma_means_thousands_is_left_to_a_person() {
    let guess = guess("tx_id;amount\nA;1,234\nB;2,345\n");
    let doubt = doubt(&guess, "decimal_comma");
    assert!(doubt.is_required && doubt.what.contains("`1,234`"), "{doubt:?}");
    assert!(!settings(&guess).contains_key("decimal_comma"));
    assert!(!complete("tx_id;amount\nA;1,234\nB;2,345.50\n").format.decimal_comma);
    assert!(complete("tx_id;amount\nA;1.234\nB;2.345,50\n").format.decimal_comma);
    let mixed = super::tests::guess("tx_id;amount\nA;1.50\nB;2,75\n");
    assert!(
        mixed.doubts.iter().any(|doubt| doubt.key == "decimal_comma" && doubt.what.contains("some a comma"))
    );
}

#[test]
fn forms_of_amounts_are_named() {
    let guess = complete("tx_id,amount\nA,$1.50\nB,($2.00)\nC,$3.10\n");
    let names: Vec<_> = guess.format.amounts.iter().map(|form| form.name()).collect();
    assert_eq!(names, ["parentheses", "currency_sign"]);
    assert!(
        guess.notes.iter().any(|note| note.contains("an amount below zero is a reversal")),
        "{:?}",
        guess.notes
    );
}

#[test]
fn an_unknown_status_is_left_to_a_person_and_a_known_one_is_not() {
    let text = "tx_id,status,amount\nA,approved,1.50\nB,Z9,2.50\nC,pending,1.00\n";
    let guess = guess(text);
    let credits = doubt(&guess, "credits");
    assert!(
        credits.is_required && credits.what.contains("status `Z9` of 1 line is not known"),
        "{credits:?}"
    );
    assert_eq!(credits.alternatives, ["[\"approved\", \"Z9\"]"]);
    assert_eq!(settings(&guess)["credits"].as_array().map(Vec::len), Some(1), "what is known stays set");
    assert!(guess.notes.iter().any(|note| note.contains("`pending`")), "{:?}", guess.notes);
    let hints = Hints { credits: vec!["z9".into()], reversals: vec!["z0".into()] };
    let guess = Guess::of(text.as_bytes(), true, &hints).expect("text");
    assert!(guess.is_complete(), "{:?}", guess.doubts);
    assert_eq!((guess.format.credits.len(), &guess.format.reversals[..]), (2, &["z0".to_owned()][..]));
}

#[test]
fn a_transaction_that_is_not_told_from_a_reference_is_left_to_a_person() {
    let mut guess = guess("ID,Conversion ID,Amount\n11,c-1,1.50\n12,c-2,1.60\n13,c-3,1.70\n");
    assert_eq!((guess.transactions.clone(), guess.is_complete()), (vec![0, 1], false));
    assert_eq!(guess.ids().len(), 6);
    let booked = guess.weigh(&bookings(&["c-1", "c-3", "other"]));
    let of = |place, booked| BookedColumn { place, lines: 3, booked };
    assert_eq!(booked, [of(0, 0), of(1, 2)]);
    assert!(guess.is_complete() && column(&guess, "tx_id") == Some("Conversion ID"));
    assert!(
        guess.notes.iter().any(|note| note.contains("only it holds ids that are booked (2)")),
        "{:?}",
        guess.notes
    );
}

#[test]
fn a_transaction_by_name_of_which_none_is_booked_is_doubted() {
    let text = "Transaction,Click,Amount\nt1,c-1,1.50\nt2,c-2,1.60\n";
    let mut guess = complete(text);
    assert_eq!((guess.transactions.clone(), column(&guess, "tx_id")), (vec![0, 1], Some("Transaction")));
    guess.weigh(&bookings(&["t1", "t2"]));
    assert!(guess.is_complete());
    guess.weigh(&bookings(&["c-1", "c-2"]));
    assert_eq!(doubt(&guess, "columns.tx_id").alternatives, ["\"Click\"", "\"Transaction\""]);
    assert!(!guess.is_complete() && guess.section().contains("# tx_id = \"Click\""));
    let mut none = complete(text);
    none.weigh(&bookings(&[]));
    assert!(
        none.is_complete()
            && none.notes.iter().any(|note| note.starts_with("No id in column 1 (Transaction) is booked"))
    );
}

#[test]
fn the_times_of_bookings_tell_zones_that_fit_and_leave_the_choice_to_a_person() {
    let text = "tx_id,amount,date\nA,1.50,2026-07-21 07:00\nB,1.50,2026-07-22 07:00\nC,1.50,2026-11-23 06:00\nD,1.50,2026-07-23 00:00\n";
    // 12:01 in UTC: seven hours before in summer, six in winter. The time of D is another one.
    let at = |text: &str| crate::time::TimestampMs::parse(text, Tz::UTC).expect("a time");
    let times =
        ["2026-07-21T12:01:00Z", "2026-07-22T12:01:00Z", "2026-11-23T12:01:00Z", "2026-07-23T05:01:00Z"];
    let booked: HashMap<_, _> =
        ["A", "B", "C", "D"].map(str::to_owned).into_iter().zip(times.map(at)).collect();
    let mut guess = complete(text);
    guess.weigh(&booked);
    let zone = doubt(&guess, "zone");
    assert_eq!(zone.alternatives, ["\"America/Chicago\""]);
    assert!(zone.what.contains("fits the times of 4 bookings") && !zone.is_required, "{zone:?}");
    assert!(!settings(&guess).contains_key("zone"), "it is proposed, not taken");
    let mut few = complete(text);
    few.weigh(&booked.into_iter().take(2).collect());
    assert_eq!(doubt(&few, "zone").alternatives, ["\"UTC\""], "too few");
}

#[test]
fn the_words_of_a_source_and_its_network_are_hints_unless_they_contradict_each_other() {
    let network =
        crate::postback::networks::shipped::definition("bitlabs").expect("it ships").expect("no fault");
    let hints = Hints::of(
        &Format { credits: vec!["ok".into()], reversals: vec!["Completed".into()], ..Format::default() },
        &network,
    );
    assert!(
        hints.credits.contains(&"ok".to_owned()) && hints.reversals.contains(&"RECONCILIATION".to_owned()),
        "{hints:?}"
    );
    assert!(
        !hints.credits.iter().chain(&hints.reversals).any(|word| word.eq_ignore_ascii_case("completed")),
        "{hints:?}"
    );
}

#[test]
fn a_day_with_its_sum_is_a_daily_sum() {
    let text = "Date,Conversions,Revenue\n2026-11-23,12,15.50\n2026-11-24,8,9.25\n";
    let guess = complete(text);
    assert!(guess.format.daily_sums && guess.notes.iter().any(|note| note.contains("daily_sums")));
    assert_eq!((column(&guess, "count"), read(&guess, text).len()), (Some("Conversions"), 2));
}

#[test]
fn a_column_of_another_content_is_not_read_and_that_is_said() {
    let guess = complete("tx_id,amount,Currency\nA,1.50,coins\nB,1.60,coins\n");
    assert_eq!(column(&guess, "currency"), Some(""));
    assert!(
        guess
            .notes
            .iter()
            .any(|note| note.contains("Column 3 (Currency) has a name like currency, but holds `coins`"))
    );
}

#[test]
fn names_that_are_not_known_are_settled_by_content_unless_it_is_money() {
    let guess = guess(SEMICOLONS);
    assert_eq!((column(&guess, "time"), column(&guess, "status")), (Some("Buchungsdatum"), Some("Status")));
    assert!(
        guess.notes.iter().any(|note| note.contains("(Buchungsdatum) is time by what it holds")),
        "{:?}",
        guess.notes
    );
    assert_eq!(doubt(&guess, "columns.tx_id").alternatives, ["\"Transaktion\""]);
    assert!(!guess.is_complete());
}

#[test]
fn a_file_without_money_says_what_is_missing() {
    let guess = guess("a,b\nx,y\nz,w\n");
    assert!(doubt(&guess, "columns.amount").what.contains("The file has column 1"), "{:?}", guess.doubts);
    assert!(!guess.is_complete());
    for (bytes, what) in [
        (&b""[..], "empty"),
        (b"tx_id,amount\n\n", "first lines is a transaction"),
        (b"PK\x03\x04", "workbook"),
        (b"<html>", "HTML"),
    ] {
        let refused = Guess::of(bytes, true, &Hints::default()).expect_err("no text").to_string();
        assert!(refused.contains(what), "{refused}");
    }
    let endless =
        Guess::of(&vec![b'x'; SAMPLE_LEN], false, &Hints::default()).expect_err("no line end").to_string();
    assert!(endless.contains("line 1 is longer"), "{endless}");
}

#[test]
fn two_delimiters_that_divide_alike_are_left_to_a_person() {
    let guess = guess("a|1;tx|2\nb|2;c|3\nd|3;e|4\n");
    assert!(doubt(&guess, "delimiter").is_required, "{:?}", guess.doubts);
    assert_eq!(complete("sep=;\ntx_id;amount\nA|x;1.5\nB|y;1.6\n").format.delimiter, ';');
}

#[test]
fn a_name_that_is_there_twice_is_replaced_by_its_number() {
    let guess = complete("tx_id,note,note,Payout\nA,n,m,1.50\nB,n,m,1.70\n");
    assert_eq!(guess.columns[1].setting, "2");
    assert_eq!(guess.columns[3].setting, "Payout");
}

#[test]
fn only_the_first_lines_are_judged() {
    let lines: Vec<_> = (0..5_000).map(|line| format!("T{line},1.50,u{line}\n")).collect();
    let text = format!("tx_id,amount,user_id\n{}", lines.concat());
    let guess = complete(&text);
    assert_eq!((guess.lines(), guess.transactions.clone()), (SAMPLE_LINES, vec![0, 2]));
    assert_eq!(guess.ids().len(), 2 * (SAMPLE_LINES - 1));
    assert_eq!(guess.read(text.as_bytes()).expect("read").lines.len(), SAMPLE_LINES - 1);
    // A line that is cut off is not judged.
    let cut = Guess::of(&text.as_bytes()[..100], false, &Hints::default()).expect("text");
    assert_eq!(cut.read(&text.as_bytes()[..100]).expect("read").faults, []);
}

proptest::proptest! {
    #[test]
    fn no_file_makes_guessing_panic(text in "([a-zA-Z0-9.,;:|\"$/ \t-]{0,12}[,;\n\r]){0,40}") {
        if let Ok(guess) = Guess::of(text.as_bytes(), true, &Hints::default()) {
            let parsed = guess.section().parse::<toml::Table>();
            proptest::prop_assert!(parsed.is_ok(), "{}", guess.section());
            if guess.is_complete() {
                let read = guess.read(text.as_bytes());
                proptest::prop_assert!(read.is_ok(), "{:?}\n{}", read, guess.section());
            }
        }
    }
}
