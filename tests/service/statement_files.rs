//! Statement files over the API that are no files: each ends, and the next one is imported.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use crate::finance::line;
use crate::support::api::json_of;
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::network::{Event, deliver};
use crate::support::wait::until;

on_both_databases!(
    any_bytes_as_a_statement_end_and_the_next_file_is_imported,
    a_file_that_is_no_text_or_has_other_columns_is_refused_with_the_cure,
);

const HEADER: &str = "tx_id,status,user_id,offer_id,amount,currency,time\n";

/// Bytes among lines, line ends and quotation marks of a statement.
fn any_file(random: &mut StdRng) -> Vec<u8> {
    const PARTS: [&str; 12] = [
        "T-1,approved,u-1,,1.00,USD,\n",
        "T-2,approved,\"u-1,,1.00,USD,\n",
        "\"",
        "\n",
        "\r",
        ",",
        "\0",
        "Total,,,,9,,\n",
        "1.23457E+15,approved,u-1,,1.00,USD,\n",
        "\u{e9}",
        "-1",
        "T-3,reversed,\"a\nb\",,1.00,USD,\n",
    ];
    let mut file = if random.random_range(0..4_u8) == 0 { Vec::new() } else { HEADER.as_bytes().to_vec() };
    for _ in 0..random.random_range(1..200_u32) {
        if random.random_range(0..5_u8) == 0 {
            file.extend((0..random.random_range(1..30_u32)).map(|_| random.random::<u8>()));
        } else {
            file.extend(PARTS[random.random_range(0..PARTS.len())].bytes());
        }
    }
    file
}

fn any_bytes_as_a_statement_end_and_the_next_file_is_imported(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 10).credit());
    api.await_processing();
    let mut random = StdRng::seed_from_u64(11);
    let mut taken = Vec::new();
    for n in 0..25 {
        let answer =
            api.post_bytes(&format!("statements?source=targo&name=noise-{n}.csv"), &any_file(&mut random));
        match answer.status {
            202 => taken.push(json_of(&answer)["id"].as_i64().expect("an id")),
            400 | 409 => {}
            other => panic!("file {n}: {other} {}", answer.body),
        }
    }
    assert!(taken.len() > 5, "{taken:?}");
    let good = api.import("good.csv", &(HEADER.to_owned() + &line("T-1", "approved", "u-1", "1.00")));
    assert_eq!(api.get(&format!("statements/{good}"))["lines"], json!(1));
    for id in taken {
        until("an end of every file", || {
            let statement = api.get(&format!("statements/{id}"));
            let state = statement["state"].as_str().unwrap_or_default().to_owned();
            (state != "importing" && state != "matching").then_some(())
        });
    }
    gate.assert_proven();
}

fn a_file_that_is_no_text_or_has_other_columns_is_refused_with_the_cure(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for (file, cure) in [
        (&b"PK\x03\x04\x14\0\x06\0workbook"[..], "CSV"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<!doctype html><title>Log in</title>", "HTML"),
        (b"tx_id,State,amount\nT1,approved,1.00\n", r#"set sources[0].statement.columns.status = \"State\""#),
        (b"tx_id,amount,amount\nT1,1.00,2.00\n", r#"columns.amount = \"2\""#),
        (b"tx_id;status;amount\nT1;approved;1.00\n", r#"delimiter = \";\""#),
    ] {
        let answer = api.post_bytes("statements?source=targo", file);
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body.contains(cure), "{} has no {cure}", answer.body);
    }
    let utf16: Vec<u8> =
        "\u{feff}tx_id,amount\nT1,($1.00)\nTotal,1.00\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let preview = api.post_bytes("statements?source=targo&preview=true", &utf16);
    assert_eq!(preview.status, 200, "{}", preview.body);
    for part in ["UTF-16", r#"amounts = [\"parentheses\", \"currency_sign\"]"#, "it is a total"] {
        assert!(preview.body.contains(part), "{} has no {part}", preview.body);
    }
}
