//! `/people` for admins, and everybody's own password.

use askama::Template;
use domain::access::{Role, is_person_name};
use store::people::{NewPerson, PersonChange};

use super::Console;
use super::answer::{Answer, Answered, page as render};
use super::frame::{Frame, refusal};
use super::password;
use super::request::Request;
use super::session::Viewer;
use super::show::{Moment, moment};

struct Row {
    name: String,
    role: &'static str,
    added: Moment,
    disabled: Option<Moment>,
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

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    fault: Option<String>,
    min: usize,
}

fn not_yours(viewer: &Viewer) -> Answer {
    refusal(viewer, 403, "This is for admins", "Nothing was changed: managing people needs the role admin.")
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
    let people = console.store.people().await?;
    let rows = people.into_iter().map(|person| Row {
        role: person.role.name(),
        added: moment(person.created_at.0, now),
        disabled: person.disabled_at.map(|at| moment(at.0, now)),
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
        return show(console, viewer, "", "Choose a role.").await;
    };
    if !is_person_name(&name) {
        return show(console, viewer, "", "A name has 1 to 40 letters, digits, dots, dashes or underscores.")
            .await;
    }
    let password = request.password("password");
    if let Err(bad) = password::check(password) {
        return show(console, viewer, "", &format!("Nobody was added: {bad}.")).await;
    }
    let password_hash = password::hash_apart(password.to_owned()).await?;
    let person = NewPerson { name: name.clone(), role, password_hash };
    let actor = viewer.actor();
    if console.store.add_person(person, actor, console.clock.now()).await? {
        show(console, viewer, &format!("{name} may sign in now."), "").await
    } else {
        show(
            console,
            viewer,
            "",
            "This name, or one that looks the same, is taken or was once: names in the evidence are never given again.",
        )
        .await
    }
}

/// `POST /people/{name}/disable|enable|password`
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
    let change = match what {
        "disable" if name == viewer.name() => {
            return show(console, viewer, "", "Nobody disables themselves: ask another admin.").await;
        }
        "disable" => PersonChange::Disable,
        "enable" => PersonChange::Enable,
        "password" => {
            let password = request.password("password");
            if let Err(bad) = password::check(password) {
                return show(console, viewer, "", &format!("Nothing was changed: {bad}.")).await;
            }
            PersonChange::Password(password::hash_apart(password.to_owned()).await?)
        }
        _ => return Ok(refusal(viewer, 404, "There is no such page", "Nothing was changed.")),
    };
    let actor = viewer.actor();
    let changed = console.store.change_person(name.to_owned(), change, actor, console.clock.now()).await?;
    let said = if changed {
        format!("Done. The sessions of {name} have ended.")
    } else {
        "There was nothing to change.".into()
    };
    show(console, viewer, &said, "").await
}

/// `GET /password`
pub(crate) fn own_password(viewer: &Viewer) -> Answered {
    let frame = Frame::bare(viewer, "");
    render(&PasswordPage { frame, fault: None, min: password::MIN_PASSWORD_LEN })
}

/// `POST /password`: ends all sessions of this person, this one too.
pub(crate) async fn change_own_password(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    let fault = |fault: String| {
        let frame = Frame::bare(viewer, "");
        render(&PasswordPage { frame, fault: Some(fault), min: password::MIN_PASSWORD_LEN })
    };
    if !console.logins.admits(viewer.name(), request.address) {
        return fault("Too many tries. Wait a minute, then try again.".into());
    }
    let known = console.store.person_to_sign_in(viewer.name()).await?;
    let old = request.password("old").to_owned();
    if !password::verify(old, known.map(|(_, hash)| hash)).await? {
        return fault("Nothing was changed: the old password is not right.".into());
    }
    let new = request.password("new");
    if let Err(bad) = password::check(new) {
        return fault(format!("Nothing was changed: {bad}."));
    }
    let change = PersonChange::Password(password::hash_apart(new.to_owned()).await?);
    let name = viewer.person.name.clone();
    console.store.change_person(name, change, viewer.actor(), console.clock.now()).await?;
    Ok(Answer::WithSession("/login".into(), String::new()))
}
