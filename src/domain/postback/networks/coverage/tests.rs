//! What the signatures of known networks protect.

use super::*;
use crate::postback::networks::shipped;

fn of(name: &str) -> Coverage {
    let definition = shipped::definition(name).expect("it ships").unwrap_or_else(|faults| panic!("{faults}"));
    definition.coverage()
}

fn covered(name: &str) -> String {
    of(name).covered().map(Field::name).collect::<Vec<_>>().join(" ")
}

#[test]
fn coverage_follows_from_what_is_signed() {
    for (name, expected) in [
        ("targo", "user_id tx_id reward payout status offer_id"),
        ("bitlabs", "user_id tx_id ref_tx_id reward payout state offer_id"),
        ("ayet-studios", "user_id tx_id reward payout status offer_id"),
        ("cpx-research", "tx_id"),
        ("lootably", "user_id reward payout"),
        ("offertoro", "user_id offer_id"),
        ("md5-family", "user_id tx_id reward"),
        ("revtoo", "user_id tx_id reward"),
        ("kiwiwall", "user_id reward"),
        ("timewall", "user_id payout"),
        ("sparkwall", "user_id tx_id payout"),
        ("inbrain", "user_id tx_id"),
        ("tapjoy", "user_id tx_id reward"),
        ("pubscale", "user_id tx_id"),
        ("digital-turbine", "user_id tx_id reward"),
        ("acorn-ads", "user_id tx_id offer_id"),
        ("playtimeads", "user_id reward offer_id"),
        ("pollfish", "user_id tx_id reward payout status"),
        ("mmolove", "user_id tx_id reward"),
        ("admob", "user_id tx_id reward offer_id"),
        ("monlix", ""),
        ("adgate", ""),
    ] {
        assert_eq!(covered(name), expected, "{name}");
    }
}

#[test]
fn a_kind_that_is_not_signed_can_be_changed() {
    for (name, kind) in [
        ("targo", Protection::Whole),
        ("tapjoy", Protection::Whole),
        ("cpx-research", Protection::Nothing),
        ("md5-family", Protection::Nothing),
        // The status does not decide alone: debug is not signed.
        ("pollfish", Protection::Nothing),
    ] {
        assert_eq!(of(name).kind, kind, "{name}");
    }
}

#[test]
fn plain_words_name_what_is_open() {
    assert_eq!(
        of("targo").words(),
        "The signature protects everything: user, transaction, reward, payout, status, offer."
    );
    assert_eq!(
        of("pubscale").words(),
        "The signature protects: user, transaction. Not protected: reward behind the point."
    );
    assert_eq!(
        of("kiwiwall").words(),
        "The signature protects: user, reward. Not protected: transaction, payout, status, offer. The kind of a captured \
         call can be changed: a credit into a reversal, a test into a credit. A captured call can be repeated with another \
         transaction."
    );
    assert!(of("md5-family").words().ends_with("so one can lend characters to its neighbour."));
    assert!(of("monlix").words().starts_with("Nothing is signed: the secret itself"));
    assert!(of("adgate").words().starts_with("Nothing is signed: only the caller's address"));
}
