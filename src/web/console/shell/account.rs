//! `/password`: one's own password and sessions, and what was tried in vain with one's name.

use askama::Template;
use domain::access::MANY_FAILED_TRIES;
use store::access::sessions::session_id;

use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, later, page as render, with_status};
use crate::console::shell::frame::Frame;
use crate::console::shell::password;
use crate::console::shell::request::Request;
use crate::console::shell::session::{Viewer, next_page};
use crate::console::shell::show::{Moment, moment};
use crate::console::shell::sign_in::{TOO_MANY, note_failure, seconds};
use crate::limits::Caller;

struct Row {
    id: String,
    from: String,
    began: Moment,
    seen: Moment,
    is_this: bool,
}

#[derive(Template)]
#[template(path = "password.html")]
struct AccountPage {
    frame: Frame,
    fault: Option<String>,
    said: &'static str,
    min: usize,
    sessions: Vec<Row>,
}

/// `GET /password`
pub(crate) async fn page(console: &Console, viewer: &Viewer) -> Answered {
    show(console, viewer, None, "").await
}

async fn show(console: &Console, viewer: &Viewer, fault: Option<String>, said: &'static str) -> Answered {
    let now = console.clock.now();
    let sessions = console.store.sessions_of(viewer.name(), now).await?;
    let sessions = sessions.into_iter().map(|row| Row {
        is_this: row.id == session_id(viewer.token_hash()),
        from: row.began_from.unwrap_or_else(|| "unknown".into()),
        began: moment(row.began_at, now),
        seen: moment(row.seen_at, now),
        id: row.id,
    });
    render(&AccountPage {
        frame: Frame::bare(viewer, ""),
        fault,
        said,
        min: password::MIN_PASSWORD_LEN,
        sessions: sessions.collect(),
    })
}

/// `POST /password`: ends all sessions of this person, this one too.
pub(crate) async fn change_password(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    let fault = async |status, words: String| {
        show(console, viewer, Some(words), "").await.map(|page| with_status(status, page))
    };
    let logins = &console.logins;
    let keys = logins.throttle.keys(viewer.name(), Caller::of(request.address));
    // A session is a place where one is known.
    let mut ticket = match logins.throttle.admit(keys, true, console.clock.now()) {
        Ok(ticket) => ticket,
        Err(wait_ms) => return Ok(later(seconds(wait_ms), fault(429, TOO_MANY.into()).await?)),
    };
    let (person, hash) = console.store.person_to_sign_in(viewer.name()).await?.unzip();
    let turn = logins.known.turn(keys.pair).await?;
    ticket.spend();
    if !password::verify(turn, request.password("old").to_owned(), hash).await? {
        note_failure(console, Some(viewer.person.id), viewer.name(), request.address).await?;
        return fault(200, "Nothing was changed: the current password is incorrect.".into()).await;
    }
    ticket.give_back();
    let new = request.password("new");
    if let Err(bad) = password::check(new) {
        return fault(200, format!("Nothing was changed: {bad}.")).await;
    }
    let hash = password::hash_apart(logins.known.turn(keys.pair).await?, new.to_owned()).await?;
    // If somebody else was first, with that password too, this session is over and the page for signing in says so.
    if let Some(person) = person {
        console.store.change_own_password(person, hash, viewer.actor(), console.clock.now()).await?;
    }
    Ok(Answer::WithSession("/login".into(), String::new()))
}

/// `POST /password/sessions/{id}/end`
pub(crate) async fn end_session(console: &Console, viewer: &Viewer, id: &str) -> Answered {
    let (name, actor) = (viewer.name().to_owned(), viewer.actor());
    let ended = console.store.end_sessions(name, Some(id.to_owned()), actor, console.clock.now()).await?;
    if id == session_id(viewer.token_hash()) {
        return Ok(Answer::WithSession("/login".into(), String::new()));
    }
    let said = if ended > 0 { "The session was ended." } else { "The session had already ended." };
    show(console, viewer, None, said).await
}

/// `POST /password/sign-out`: everywhere, here too.
pub(crate) async fn sign_out_everywhere(console: &Console, viewer: &Viewer) -> Answered {
    let (name, actor) = (viewer.name().to_owned(), viewer.actor());
    console.store.end_sessions(name, None, actor, console.clock.now()).await?;
    Ok(Answer::WithSession("/login".into(), String::new()))
}

/// `POST /password/seen`: the notice of wrong passwords was read.
pub(crate) async fn saw(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    let tries = request.field("tries").and_then(|tries| tries.parse().ok());
    if let Some(tries) = tries.filter(|tries| *tries > 0) {
        console
            .store
            .saw_failed_sign_ins(viewer.person.clone(), tries, viewer.actor(), console.clock.now())
            .await?;
    }
    Ok(Answer::To(next_page(request.came_from.as_deref())))
}

/// Notice to a person about failed attempts with their name.
#[derive(Debug)]
pub(crate) struct Warning {
    pub(crate) tries: i64,
    pub(crate) since: String,
    pub(crate) last_at: String,
    pub(crate) last_from: String,
}

impl Warning {
    pub(crate) fn of(viewer: &Viewer) -> Option<Self> {
        let failed = viewer.person.failed.as_ref().filter(|failed| failed.tries >= MANY_FAILED_TRIES)?;
        let exact = |at| moment(at, failed.last_at).exact;
        Some(Self {
            tries: failed.tries,
            since: exact(failed.since.0),
            last_at: exact(failed.last_at.0),
            last_from: failed.last_from.clone(),
        })
    }
}
