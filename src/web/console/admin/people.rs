//! `/people`: staff, for admins.

use std::collections::BTreeMap;

use askama::Template;
use domain::access::{Role, is_person_name};
use store::access::staff::{NewPerson, PersonChange};

use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, PageError, page as render};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::password;
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, moment};
use crate::limits::Caller;

struct Row {
    name: String,
    role: &'static str,
    added: Moment,
    disabled: Option<Moment>,
    sessions: i64,
    is_self: bool,
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    rows: Vec<Row>,
    said: String,
    fault: String,
}

fn not_yours(viewer: &Viewer) -> Answer {
    refusal(
        viewer,
        403,
        "Admin role required",
        "Nothing was changed: managing staff requires the role admin.",
    )
}

/// The hash of a password that this admin gives to somebody.
async fn hash(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    password: &str,
) -> Result<String, PageError> {
    let keys = console.logins.throttle.keys(viewer.name(), Caller::of(request.address));
    let turn = console.logins.known.turn(keys.pair).await?;
    Ok(password::hash_apart(turn, password.to_owned()).await?)
}

/// `GET /people`
pub(crate) async fn page(console: &Console, viewer: &Viewer) -> Answered {
    show(console, viewer, "", "").await
}

async fn show(console: &Console, viewer: &Viewer, said: &str, fault: &str) -> Answered {
    if !viewer.is_admin() {
        return Ok(not_yours(viewer));
    }
    let now = console.clock.now();
    let (people, counts) = tokio::try_join!(console.store.people(), console.store.session_counts(now))?;
    let counts: BTreeMap<String, i64> = counts.into_iter().collect();
    let rows = people.into_iter().map(|person| Row {
        role: person.role.name(),
        added: moment(person.created_at.0, now),
        disabled: person.disabled_at.map(|at| moment(at.0, now)),
        sessions: counts.get(&person.name).copied().unwrap_or_default(),
        is_self: person.name == viewer.name(),
        name: person.name,
    });
    render(&PeoplePage {
        rows: rows.collect(),
        frame: Frame::load(console, viewer, "/people").await?,
        said: said.to_owned(),
        fault: fault.to_owned(),
    })
}

/// `POST /people`: adds somebody.
pub(crate) async fn add(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    if !viewer.is_admin() {
        return Ok(not_yours(viewer));
    }
    let name = request.field("name").unwrap_or_default().to_owned();
    let Some(role) = request.field("role").and_then(Role::parse) else {
        return show(console, viewer, "", "Nobody was added: choose a role.").await;
    };
    if !is_person_name(&name) {
        return show(
            console,
            viewer,
            "",
            "Nobody was added: a name has 1 to 40 letters, digits, dots, dashes or underscores.",
        )
        .await;
    }
    let password = request.password("password");
    if let Err(bad) = password::check(password) {
        return show(console, viewer, "", &format!("Nobody was added: {bad}.")).await;
    }
    let password_hash = hash(console, viewer, request, password).await?;
    let person = NewPerson { name: name.clone(), role, password_hash };
    let actor = viewer.actor();
    if console.store.add_person(person, actor, console.clock.now()).await? {
        show(console, viewer, &format!("{name} was added and can sign in now."), "").await
    } else {
        show(
            console,
            viewer,
            "",
            "Nobody was added: this name, or one that looks the same, is or was in use. Names are never reused, so that the \
             audit stays unambiguous.",
        )
        .await
    }
}

/// `POST /people/{name}/disable|enable|password|sessions`
pub(crate) async fn change(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    name: &str,
    what: &str,
) -> Answered {
    if !viewer.is_admin() {
        return Ok(not_yours(viewer));
    }
    let actor = viewer.actor();
    if what == "sessions" {
        let ended = console.store.end_sessions(name.to_owned(), None, actor, console.clock.now()).await?;
        let said = match ended {
            0 => format!("{name} has no open session."),
            _ => format!("Done. The sessions of {name} have ended."),
        };
        return show(console, viewer, &said, "").await;
    }
    let change = match what {
        "disable" if name == viewer.name() => {
            return show(
                console,
                viewer,
                "",
                "Nothing was changed: you cannot disable yourself. Ask another admin.",
            )
            .await;
        }
        "disable" => PersonChange::Disable,
        "enable" => PersonChange::Enable,
        "password" => {
            let password = request.password("password");
            if let Err(bad) = password::check(password) {
                return show(console, viewer, "", &format!("Nothing was changed: {bad}.")).await;
            }
            PersonChange::Password(hash(console, viewer, request, password).await?)
        }
        _ => return Ok(refusal(viewer, 404, "Page not found", "Nothing was changed.")),
    };
    let actor = viewer.actor();
    let changed = console.store.change_person(name.to_owned(), change, actor, console.clock.now()).await?;
    let said = if changed {
        format!("Done. The sessions of {name} have ended.")
    } else {
        "Nothing was changed: this person does not exist, or is already in this state.".into()
    };
    show(console, viewer, &said, "").await
}
