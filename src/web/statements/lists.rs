//! Lists of a statement's lines, made page by page while they are sent, so that a long one needs no memory.

use bytes::Bytes;
use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::text::visible;
use domain::time::TimestampMs;
use futures_util::{Stream, stream};
use store::Store;
use store::statements::BreakRow;
use warp::Reply;
use warp::reply::Response;

use super::StatementSummary;
use crate::export::csv_line;
use crate::files::{CSV, TEXT, download};

/// Lines that are read at once.
const PAGE: i64 = 1_000;

/// The first line of the list for the account manager, as CSV.
pub const MISSING_HEAD: &str = "line,tx_id,user_id,offer_id,amount,currency,time";

/// One line of it.
pub fn missing_csv_line(row: &BreakRow) -> String {
    let line = row.line.map(|line| line.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (tx, user, offer) = (text(&row.tx_id), text(&row.user_id), text(&row.offer_id));
    let amount = Amount(row.amount_micros).to_string();
    csv_line(&[&line, &tx, &user, &offer, &amount, &row.currency, &time(row)])
}

/// The opening of the letter with the list, ready to be sent.
pub fn missing_text_head(file_name: &str) -> String {
    format!(
        "We did not receive postbacks for the transactions below, which are in your statement {file_name}. Please send \
         them again.\n",
        file_name = visible(file_name)
    )
}

/// One line of it.
pub fn missing_text_line(row: &BreakRow) -> String {
    let text = |text: &Option<String>| visible(text.as_deref().unwrap_or("-")).into_owned();
    format!(
        "{}  transaction {}, user {}, offer {}: {} {}",
        time(row),
        text(&row.tx_id),
        text(&row.user_id),
        text(&row.offer_id),
        Amount(row.amount_micros),
        visible(&row.currency)
    )
}

fn time(row: &BreakRow) -> String {
    row.happened_at.map(|at| TimestampMs(at).rfc3339()).unwrap_or_default()
}

/// The first line of a list of all that is known of lines.
pub(crate) const LINES_HEAD: &str = "subject,state,rule,kind,tx_id,user_id,offer_id,amount,currency,time,day,reward_id,theirs_usd,ours_usd,\
     difference_usd,accepted_by,accepted_reason";

/// One line of it.
pub(crate) fn line(row: &BreakRow) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let amount = Amount(row.amount_micros).to_string();
    let (theirs, ours) = (Amount(row.theirs_micros), Amount(row.ours_micros));
    let fields = [
        row.subject.clone(),
        row.state.clone(),
        row.rule.clone(),
        row.kind.clone(),
        text(&row.tx_id),
        text(&row.user_id),
        text(&row.offer_id),
        amount,
        row.currency.clone(),
        time(row),
        text(&row.day),
        row.reward_id.map(|id| id.to_string()).unwrap_or_default(),
        theirs.to_string(),
        ours.to_string(),
        (theirs - ours).to_string(),
        text(&row.accepted_by),
        text(&row.accepted_reason),
    ];
    csv_line(&fields.each_ref().map(String::as_str))
}

/// A list as bytes: `head`, then each line of a state as `write` has it, each with its end.
pub(crate) fn listed(
    store: Store,
    id: i64,
    pending_from: String,
    state: LineState,
    head: String,
    write: fn(&BreakRow) -> String,
) -> impl Stream<Item = Result<Bytes, store::Error>> + Send + Sync + 'static {
    let begun = (Some(head), 0_i64);
    let pages = stream::try_unfold(
        (store, pending_from, begun),
        move |(store, pending_from, (head, after))| async move {
            if let Some(head) = head {
                return Ok(Some((Bytes::from(head + "\r\n"), (store, pending_from, (None, after)))));
            }
            let rows = store.statement_breaks(id, &pending_from, state, after, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(None) };
            let after = last.place;
            let text: String = rows.iter().map(|row| write(row) + "\r\n").collect();
            Ok(Some((Bytes::from(text), (store, pending_from, (None, after)))))
        },
    );
    SyncStream::of(pages)
}

/// A list of a statement as a file; `None` if there is none of that name.
pub(crate) fn list_file(
    store: &Store,
    known: &StatementSummary,
    name: &str,
    state: Option<&str>,
) -> Option<Response> {
    let missing = LineState::MissingHere;
    let head = missing_text_head(&known.row.file_name);
    let (state, head, write, kind): (_, _, fn(&BreakRow) -> String, _) = match name {
        "missing.csv" => (missing, MISSING_HEAD.to_owned(), missing_csv_line, CSV),
        "missing.txt" => (missing, head, missing_text_line, TEXT),
        "lines.csv" => (LineState::parse(state?)?, LINES_HEAD.to_owned(), line, CSV),
        _ => return None,
    };
    let list = listed(store.clone(), known.row.id, known.pending_from.clone(), state, head, write);
    Some(download(
        &format!("statement-{}-{name}", known.row.id),
        kind,
        warp::reply::stream(list).into_response(),
    ))
}

/// The file of a statement as it was received.
pub(crate) fn file(
    store: Store,
    id: i64,
) -> impl Stream<Item = Result<Bytes, store::Error>> + Send + Sync + 'static {
    let pieces = stream::try_unfold((store, 0_i64), move |(store, seq)| async move {
        let piece = store.statement_piece(id, seq).await?;
        Ok(piece.map(|piece| (Bytes::from(piece.content), (store, seq + 1))))
    });
    SyncStream::of(pieces)
}

/// A stream that can be shared, because a body has to be; it never is.
pub(crate) struct SyncStream<S: ?Sized>(std::sync::Mutex<std::pin::Pin<Box<S>>>);

impl<S> SyncStream<S> {
    pub(crate) fn of(stream: S) -> Self {
        Self(std::sync::Mutex::new(Box::pin(stream)))
    }
}

impl<S: Stream + ?Sized> Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        match self.get_mut().0.get_mut() {
            Ok(stream) => stream.as_mut().poll_next(context),
            Err(poisoned) => poisoned.into_inner().as_mut().poll_next(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(nasty: Option<String>) -> BreakRow {
        BreakRow {
            subject: "line 2".into(),
            place: 2,
            line: Some(2),
            state: "missing_here".into(),
            rule: "id".into(),
            kind: "credit".into(),
            tx_id: nasty.clone(),
            user_id: nasty.clone(),
            offer_id: nasty.clone(),
            currency: "USD".into(),
            amount_micros: 1_000_000,
            happened_at: Some(0),
            day: None,
            reward_id: None,
            theirs_micros: 0,
            ours_micros: 1_500_000,
            closed_at: None,
            counted_in: None,
            accepted_by: Some("fay".into()),
            accepted_reason: nasty,
        }
    }

    #[test]
    fn the_letter_shows_what_hides_in_ids_and_file_names() {
        let mut row = row(Some("T\u{202e}1\nForged: line".to_owned()));
        row.currency = "US\u{1b}[2KD".into();
        let line = missing_text_line(&row);
        assert!(line.contains("transaction T\\u{202e}1\\u{a}Forged: line, user T\\u{202e}1"), "{line}");
        assert!(line.ends_with("US\\u{1b}[2KD"), "{line}");
        assert!(missing_text_head("a\r\nb.csv").contains("a\\u{d}\\u{a}b.csv"));
        assert!(missing_csv_line(&row).contains('\u{202e}'), "a program reads what was sent");
    }

    #[test]
    fn no_text_of_the_network_breaks_a_line_or_is_a_formula() {
        let row = BreakRow { currency: "=1+1,\"X\"".into(), ..row(Some("=1+1,\"x\"\n".to_owned())) };
        let columns = LINES_HEAD.split(',').count();
        for (line, columns) in
            [(line(&row), columns), (missing_csv_line(&row), MISSING_HEAD.split(',').count())]
        {
            let (mut quoted, mut fields) = (false, vec![String::new()]);
            for letter in line.chars() {
                match letter {
                    '"' => quoted = !quoted,
                    ',' if !quoted => fields.push(String::new()),
                    other => fields.last_mut().expect("a field").push(other),
                }
            }
            assert_eq!(fields.len(), columns, "{line}");
            assert!(fields.iter().all(|field| !field.starts_with('=')), "{line}");
        }
        assert!(line(&row).contains(",-1.5,fay,"), "an amount stays one: {}", line(&row));
    }
}
