//! What finance does in the browser: a statement from upload to payment, a day signed off, files that add up to the page.

use std::fs;
use std::io::Cursor;

use base64::Engine as _;
use calamine::{Data, Reader as _, Xlsx};

use super::browser::Look;
use super::{PASSWORD, Team};
use crate::finance::{days_ago, line};
use crate::support::database::Kind;
use crate::support::network::{Event, deliver};

on_both_databases!(
    a_controller_uploads_looks_imports_accepts_pays_and_downloads,
    a_statement_is_uploaded_and_imported_without_script,
    days_and_payments_are_asked_about_without_script,
    a_closed_day_is_signed_off_once_and_its_files_match_the_page,
    risk_reads_what_finance_does_and_changes_nothing,
);

const HEADER: &str = "tx_id,status,user_id,offer_id,amount,currency,time\n";

/// Three credits, and a statement that differs in every second line.
fn statement(team: &Team) -> String {
    for tx in ["T-1", "T-2", "T-3"] {
        deliver(team.up.address, &Event::honest("u-1", tx, 10).credit());
    }
    team.api.await_processing();
    let mut file = HEADER.to_owned();
    file += &line("T-1", "approved", "u-1", "1.00");
    file += &line("T-2", "approved", "u-1", "1.50");
    file += &line("NEVER", "approved", "u-2", "7.25");
    file + "T-9,approved,u-1,,much,USD,\n"
}

/// The figure of the line that says `what`.
fn summary(book: &mut Xlsx<Cursor<Vec<u8>>>, what: &str) -> String {
    let sheet = book.worksheet_range("Summary").expect("a summary");
    let row = sheet.rows().find(|row| row[0] == Data::String(what.into())).expect(what);
    match row[1] {
        Data::Float(figure) => figure.to_string(),
        ref other => panic!("{what}: {other:?}"),
    }
}

/// A file that the browser gets by the session of its page.
fn fetched(browser: &super::browser::Browser, path: &str) -> Vec<u8> {
    let script = format!(
        "return (async () => {{
             const bytes = new Uint8Array(await (await fetch('{path}')).arrayBuffer());
             let text = '';
             for (const byte of bytes) text += String.fromCharCode(byte);
             return btoa(text);
         }})()"
    );
    let encoded = browser.ask(&script);
    base64::engine::general_purpose::STANDARD.decode(encoded.as_str().expect("a file")).expect("base64")
}

fn a_controller_uploads_looks_imports_accepts_pays_and_downloads(on: Kind) {
    let team = Team::new(on);
    let path = team.gate.path("november.csv");
    fs::write(&path, statement(&team)).expect("room for a file");
    let fin = team.signed_in("fin");
    fin.go("/reports");
    fin.choose("[name=file]", &path);
    fin.click("[action='/reports/statements'] button");
    fin.says("Nothing is imported yet.");
    fin.says("3 lines can be read, 1 cannot.");
    fin.says("`amount` is `much`");
    fin.says("NEVER");
    fin.click("[action$='/import'] button");
    fin.says("Open differences: ");
    // What weighs most is shown first: the line that never came.
    fin.says("Missing here");
    assert_eq!(fin.text_of("#lines"), "Missing here");
    fin.click_link("Amount differs");
    fin.says("line 3");
    fin.fill("[action$='/accept'] [name=reason]", "a bonus for the month");
    fin.click("[action$='/accept'] button");
    fin.says("accepted by fin: a bonus for the month");
    fin.fill("[action$='/paid'] [name=amount]", "9.75");
    fin.fill("[action$='/paid'] [name=note]", "wire 17");
    fin.click("[action$='/paid'] button");
    fin.says("$0.00 unpaid");
    let list = String::from_utf8(fetched(&fin, "/reports/statements/1/missing.txt")).expect("text");
    assert!(list.contains("transaction NEVER, user u-2, offer -: 7.25 USD"), "{list}");
    let original = fetched(&fin, "/reports/statements/1/original.csv");
    assert_eq!(original, fs::read(&path).expect("a file"));
    // What the workbook adds up to is what the page says.
    let mut book: Xlsx<_> =
        Xlsx::new(Cursor::new(fetched(&fin, "/reports/statements/1/statement.xlsx"))).expect("a workbook");
    let figures = [
        summary(&mut book, "statement, USD"),
        summary(&mut book, "ledger, USD"),
        summary(&mut book, "difference open, USD"),
        summary(&mut book, "paid, USD"),
    ];
    assert_eq!(figures, ["9.75", "3", "7.25", "9.75"]);
    fin.says("$9.75");
    let lines = book.worksheet_range("Missing here").expect("a sheet for each state");
    assert_eq!(lines.rows().count(), 2);
    // The same file again leads to the first.
    fin.go("/reports");
    fin.choose("[name=file]", &path);
    fin.click("[action='/reports/statements'] button");
    fin.says("received before, as statement 1");
    // The network sends again what it was asked for.
    deliver(team.up.address, &Event::honest("u-2", "NEVER", 10).credit());
    fin.until("the line closes", |browser| {
        browser.go("/reports/statements/1?state=amount_differs");
        browser.text().contains("closed when its postback arrived")
    });
    fin.go("/audit?action=statement_paid");
    fin.says("9.75 USD: wire 17");
}

fn a_statement_is_uploaded_and_imported_without_script(on: Kind) {
    let team = Team::new(on);
    let path = team.gate.path("november.csv");
    fs::write(&path, statement(&team)).expect("room for a file");
    let fin = team.browser(Look { without_script: true, ..Look::default() });
    fin.sign_in("fin", PASSWORD);
    fin.go("/reports");
    fin.choose("[name=file]", &path);
    fin.click("[action='/reports/statements'] button");
    fin.says("Nothing is imported yet.");
    fin.click("[action$='/discard'] button");
    fin.says("No statements yet.");
    fin.choose("[name=file]", &path);
    fin.click("[action='/reports/statements'] button");
    fin.click("[action$='/import'] button");
    fin.until("it is matched", |browser| {
        browser.go("/reports/statements/2");
        browser.text().contains("Open differences: ")
    });
    fin.go("/reports/statements/2?state=missing_here");
    fin.fill("[action$='/accept-all'] [name=reason]", "a test of theirs");
    fin.click("[action$='/accept-all'] button");
    fin.says("accepted by fin: a test of theirs");
}

fn days_and_payments_are_asked_about_without_script(on: Kind) {
    let team = Team::new(on);
    let today = days_ago(0).date().to_string();
    let strange = line("T-3", "approved", "u-1", "1.00").replace(&today, "1970-01-01");
    let path = team.gate.path("november.csv");
    fs::write(&path, statement(&team) + &strange).expect("room for a file");
    let fin = team.browser(Look { without_script: true, ..Look::default() });
    fin.sign_in("fin", PASSWORD);
    fin.go("/reports");
    fin.choose("[name=file]", &path);
    fin.click("[action='/reports/statements'] button");
    fin.says("Which period does it cover?");
    fin.says("1970-01-01");
    // The days that hold the bulk of the lines stand in the form: sending it states them.
    fin.click("[action$='/import'] button");
    fin.until("the next page", |browser| !browser.text().contains("Which period does it cover?"));
    fin.until("it is matched", |browser| {
        browser.go("/reports/statements/1");
        browser.text().contains("Open differences: ")
    });
    fin.says(&today);
    let pay = |amount: &str| {
        fin.fill("[action$='/paid'] [name=amount]", amount);
        fin.fill("[action$='/paid'] [name=note]", "wire 17");
        fin.click("[action$='/paid'] button");
    };
    pay("1,5");
    fin.says("is not an amount such as 1234.50");
    pay("30000");
    fin.says("Confirm this payment.");
    fin.says("more than the 10.75 USD open on statement 1");
    fin.go("/reports/statements/1");
    fin.says("No payments yet.");
    pay("30000");
    fin.says("Confirm this payment.");
    fin.click("[action$='/paid'] button");
    fin.says("Reverse payment");
    fin.fill("[action$='/take-back'] [name=reason]", "three of it");
    fin.click("[action$='/take-back'] button");
    fin.says("reverses payment 1");
    fin.says("$10.75 of this statement is unpaid.");
    // Nothing is left of it that counts, so that it may be discarded.
    fin.click("details.discard summary");
    fin.click("[action$='/discard'] button");
    fin.says("No statements yet.");
    team.gate.assert_proven();
}

fn a_closed_day_is_signed_off_once_and_its_files_match_the_page(on: Kind) {
    let team = Team::new(on);
    deliver(team.up.address, &Event::honest("u-1", "T-1", 10).credit());
    deliver(team.up.address, &Event::honest("u-2", "T-2", 10).credit());
    team.api.await_processing();
    let report = |date: &str| assert_eq!(team.gate.run(&["report", date]).status.code(), Some(0));
    let (today, closed) = (days_ago(0).date().to_string(), days_ago(3).date().to_string());
    report(&today);
    report(&closed);
    let fin = team.signed_in("fin");
    fin.go(&format!("/reports/{today}"));
    fin.says("ties out");
    fin.says("preliminary");
    assert_eq!(fin.count("[action$='/sign-off']"), 0, "it may still change");
    // The page, the workbook and the CSV file come to the same.
    let figures: Vec<String> = fin
        .ask("return Array.from(document.querySelectorAll('h2 + .scroll tbody tr')[0].cells, cell => cell.textContent)")
        .as_array()
        .expect("cells")
        .iter()
        .map(|cell| cell.as_str().expect("text").to_owned())
        .collect();
    assert_eq!(figures[..3], ["approved, USD", "2", "$2.00"]);
    let bytes = fetched(&fin, &format!("/reports/{today}.xlsx"));
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).expect("a workbook");
    assert_eq!(summary(&mut book, "approved, USD"), "2");
    let csv = String::from_utf8(fetched(&fin, &format!("/reports/{today}.csv"))).expect("text");
    assert!(csv.contains("Figures,1,approved USD,2\r\n"), "{csv}");
    fin.go(&format!("/reports/{closed}"));
    fin.says("final");
    fin.fill("[action$='/sign-off'] [name=note]", "nothing happened");
    fin.click("[action$='/sign-off'] button");
    fin.says("Signed off by fin");
    fin.says("nothing happened");
    let root = team.signed_in("root");
    root.go(&format!("/reports/{closed}"));
    root.says("Signed off by fin");
    assert_eq!(root.count("[action$='/sign-off']"), 0, "once");
    root.go("/reports");
    root.says("signed off by fin");
    assert!(root.count("figure svg.chart") > 0, "the days are drawn");
    root.go("/audit?action=report_signed");
    root.says(&format!("report {closed}"));
    root.go("/reports/2001-01-01");
    root.says("Report not found");
}

fn risk_reads_what_finance_does_and_changes_nothing(on: Kind) {
    let team = Team::new(on);
    let file = statement(&team);
    let id = team.api.import("november.csv", &file);
    let mara = team.signed_in("mara");
    mara.go("/reports");
    assert_eq!(mara.count("[action='/reports/statements']"), 0);
    mara.go(&format!("/reports/statements/{id}"));
    mara.says("Open differences: ");
    assert_eq!(mara.count("main form"), 0);
    mara.go("/password");
    let token = mara.ask("return document.querySelector('[name=csrf]').value");
    let token = token.as_str().expect("a token");
    for act in ["accept", "accept-all", "paid", "import", "discard"] {
        let script = format!(
            "return (async () => (await fetch('/reports/statements/{id}/{act}', {{method: 'POST', body: new URLSearchParams('csrf={token}&subject=line 3&reason=x&amount=1&note=x&state=missing_here')}})).status)()"
        );
        assert_eq!(mara.ask(&script), 403, "{act}");
    }
    let upload = |csrf: &str| {
        let script = format!(
            "const form = new FormData(); form.append('csrf', '{csrf}'); form.append('source', 'targo');
             form.append('file', new Blob(['tx_id,amount\\nT,1\\n']), 'x.csv');
             return (async () => (await fetch('/reports/statements', {{method: 'POST', body: form}})).status)()"
        );
        mara.ask(&script)
    };
    assert_eq!((upload(token), upload("")), (403.into(), 403.into()));
    let fin = team.signed_in("fin");
    let forged = fin.ask(
        "const form = new FormData(); form.append('source', 'targo');
         form.append('file', new Blob(['tx_id,amount\\nT,1\\n']), 'x.csv');
         return (async () => (await fetch('/reports/statements', {method: 'POST', body: form})).status)()",
    );
    assert_eq!(forged, 403, "without its token a form changes nothing");
    assert_eq!(team.api.all("statements", 10).len(), 1);
}
