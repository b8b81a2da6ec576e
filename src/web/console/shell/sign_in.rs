//! `POST /login`.
//!
//! In this order, so that each step costs no more than the one before has earned: the form's token, lengths, who it is
//! and whether they are known there, how often they may fail, a turn to hash, the hash, the session.

use std::net::IpAddr;

use domain::access::{MAX_PERSON_NAME_LEN, csrf_token, same_text, token_hash};
use domain::actor::{Actor, NOBODY, Via};
use domain::audit::Action;
use store::access::audit::Line;
use store::access::sign_ins::NewSession;

use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, later};
use crate::console::shell::hashing::NotHashed;
use crate::console::shell::kept::{self, Kept};
use crate::console::shell::logins::place;
use crate::console::shell::password;
use crate::console::shell::request::{LOGIN_COOKIE, Request};
use crate::console::shell::session::{Viewer, again, new_token, next_page};
use crate::limits::Caller;

const WRONG: &str = "Incorrect name or password.";
/// Message after too many failed attempts.
pub(crate) const TOO_MANY: &str = "Too many attempts. Wait a minute, then try again.";
const BUSY: &str =
    "Too many people are signing in. Your password was not checked; try again in a few seconds.";

/// `POST /login`
pub(crate) async fn sign_in(console: &Console, request: &Request) -> Answer {
    try_to(console, request).await.unwrap_or_else(|error| crate::console::shell::answer::fault(&error))
}

async fn try_to(console: &Console, request: &Request) -> Answered {
    // No other site can send both: a cookie of ours and the same token in the form.
    let cookie = request.cookie(LOGIN_COOKIE).unwrap_or_default();
    if cookie.is_empty() || !request.field("csrf").is_some_and(|token| same_text(token, cookie)) {
        return again(request, 403, "This form has expired. Try again.");
    }
    let name = request.field("name").unwrap_or_default();
    let password = request.password("password");
    if name.len() > MAX_PERSON_NAME_LEN || password.len() > password::MAX_PASSWORD_LEN {
        // Nobody has either, and everybody may know that.
        return again(request, 401, WRONG);
    }
    let (logins, store, now) = (&console.logins, &console.store, console.clock.now());
    let caller = Caller::of(request.address);
    let place = place(name, caller);
    let found = store.person_to_sign_in(name).await?;
    let (person, hash) = found.map_or((None, None), |(person, hash)| (Some(person), Some(hash)));
    // Also asked about nobody, so that the time taken does not tell who exists.
    let is_known = store.knows_place(person.as_ref().map_or(0, |person| person.id), &place, now).await?;
    let keys = logins.throttle.keys(name, caller);
    let mut ticket = match logins.throttle.admit(keys, is_known, now) {
        Ok(ticket) => ticket,
        Err(wait_ms) => return Ok(later(seconds(wait_ms), again(request, 429, TOO_MANY)?)),
    };
    let (lane, share) = if is_known { (&logins.known, keys.pair) } else { (&logins.strangers, keys.address) };
    let turn = match lane.turn(share).await {
        Ok(turn) => turn,
        Err(NotHashed::Busy { retry_after_s }) => {
            return Ok(later(retry_after_s, again(request, 429, BUSY)?));
        }
        Err(failed) => return Err(failed.into()),
    };
    ticket.spend();
    let is_right = password::verify(turn, password.to_owned(), hash).await?;
    let person_id = person.as_ref().map(|person| person.id);
    if let Some(person) = person.filter(|_| is_right) {
        let token = new_token();
        let failed = logins.failures.take(person.id);
        let token_hash = token_hash(&token);
        let new = NewSession {
            token_hash: token_hash.clone(),
            person: person.clone(),
            from: Some(request.address),
            place,
            failed,
        };
        // Not if the password was changed while it was being checked.
        if store.begin_session(new, console.clock.now()).await? {
            ticket.give_back();
            let next = next_page(request.field("next"));
            let kept = Kept::of_login(request);
            if kept.is_empty() {
                return Ok(Answer::WithSession(next, token));
            }
            let csrf = csrf_token(&token);
            let viewer = Viewer { person, address: request.address, csrf, token_hash };
            return kept::page(&viewer, &kept, next, token);
        }
    }
    note_failure(console, person_id, name, request.address).await?;
    again(request, 401, WRONG)
}

/// Writes down that a password was wrong, now or with a later one.
pub(crate) async fn note_failure(
    console: &Console,
    person_id: Option<i64>,
    name: &str,
    from: IpAddr,
) -> store::Result<()> {
    let now = console.clock.now();
    let network = domain::location::shortened(from).to_string();
    let Some(due) = console.logins.failures.note(person_id, &network, now) else { return Ok(()) };
    // Somebody else's text: kept short and on one line, and never as the actor.
    let tried = name.escape_debug();
    let unsaid = match due.unsaid {
        0 => String::new(),
        more => format!("and {more} more since the line before"),
    };
    let nobody = Actor::new(NOBODY, Via::Page, Some(from));
    let line = Line::new(&nobody, Action::SignInRefused, format!("person {tried}"), unsaid);
    console.store.note_failed_sign_ins(line, due.people, now).await
}

/// Whole seconds until then.
pub(crate) fn seconds(wait_ms: i64) -> u64 {
    u64::try_from(wait_ms).unwrap_or_default().div_ceil(1_000)
}
