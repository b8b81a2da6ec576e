//! Routes of the pages for signed-in people.

use domain::audit::Action;

use super::Console;
use super::admin::{audit, deliveries, people, policy, postbacks, quarantine};
use super::finance::{report, reports, statement};
use super::review::{decide, lists, queue, reversals, reward, rewards, today, user};
use super::shell::answer::{self, Answer};
use super::shell::request::Request;
use super::shell::session::{self, Viewer};
use super::shell::{account, frame, help};
use super::sources;
use super::unfit::NO_SUCH_PAGE;

impl Console {
    /// The answer to a request of `viewer`; the parts of its path are in `path`.
    pub(super) async fn answer_to(
        &self,
        viewer: &Viewer,
        request: &Request,
        is_post: bool,
        path: &[&str],
    ) -> Answer {
        if is_post && !viewer.form_is_ours(request) {
            return frame::refusal(
                viewer,
                403,
                "This form has expired",
                "Nothing was changed: the form's token is missing or belongs to another session. Reload the page \
                 and try again.",
            );
        }
        let answered = match (is_post, path) {
            (true, ["logout"]) => session::sign_out(self, viewer, request).await,
            (false, []) => today::page(self, viewer).await,
            (false, ["review"]) => Box::pin(queue::page(self, viewer, request)).await,
            (false, ["review", "new"]) => queue::new(self, request).await,
            (true, ["review", "decide"]) => decide::decide(self, viewer, request).await,
            (true, ["decisions", id, "undo"]) => decide::undo(self, viewer, request, id).await,
            (false, ["review", "reversals"]) => reversals::page(self, viewer, request).await,
            (true, ["review", "reversals", id]) => reversals::decide(self, viewer, request, id).await,
            (false, ["rewards"]) => rewards::page(self, viewer, request).await,
            (false, ["rewards", id]) => reward::page(self, viewer, request, id).await,
            (true, ["rewards", id, "skip"]) => decide::skip(self, viewer, request, id).await,
            (true, ["rewards", id, "overturn"]) => decide::overturn(self, viewer, request, id).await,
            (false, ["users", id]) => user::of_any_app(self, viewer, id).await,
            (false, ["users", app, id]) => user::page(self, viewer, app, id).await,
            (false, ["postbacks"]) => postbacks::page(self, viewer, request).await,
            (true, ["postbacks", id, "replay"]) => postbacks::replay(self, viewer, id).await,
            (true, ["postbacks", "set-aside"]) => quarantine::set_many_aside(self, viewer, request).await,
            (false, ["postbacks", id]) => quarantine::page(self, viewer, request, id).await,
            (true, ["postbacks", id, act]) => quarantine::act(self, viewer, request, id, act).await,
            (true, ["postbacks", "refused", id, "replay"]) => {
                postbacks::replay_refused(self, viewer, id).await
            }
            (false, ["sources"]) => sources::page(self, viewer, request).await,
            (true, ["sources"]) => sources::try_call(self, viewer, request).await,
            (false, ["deliveries"]) => deliveries::page(self, viewer, request).await,
            (true, ["deliveries", "resend"]) => deliveries::resend_failed(self, viewer, request).await,
            (true, ["deliveries", id, "resend"]) => deliveries::resend(self, viewer, id).await,
            (true, ["deliveries", id, "give-up"]) => deliveries::give_up(self, viewer, request, id).await,
            (true, ["deliveries", "apps", app, "enable"]) => deliveries::enable(self, viewer, app).await,
            (false, ["reports"]) => reports::page(self, viewer, request).await,
            (false, ["reports", name]) => report::page(self, viewer, name).await,
            (true, ["reports", date, "sign-off"]) => report::sign_off(self, viewer, request, date).await,
            (false, ["reports", "statements", id]) => statement::page(self, viewer, request, id).await,
            (false, ["reports", "statements", id, file]) => {
                statement::file(self, viewer, request, id, file).await
            }
            (true, ["reports", "statements", id, act]) => {
                statement::act(self, viewer, request, id, act).await
            }
            (false, ["lists"]) => lists::page(self, viewer, request).await,
            (true, ["lists"]) => lists::add(self, viewer, request).await,
            (true, ["lists", "import"]) => lists::import(self, viewer, request).await,
            (true, ["lists", id, "remove"]) => lists::remove(self, viewer, request, id).await,
            (false, ["policy"]) => policy::page(self, viewer).await,
            (false, ["audit"]) => audit::page(self, viewer, request).await,
            (false, ["audit", "audit.csv"]) => audit::file(self, viewer, request).await,
            (false, ["help"]) => help::contents(viewer, request),
            (false, ["help", name]) => Ok(help::chapter(viewer, name)),
            (false, ["people"]) => people::page(self, viewer).await,
            (true, ["people"]) => people::add(self, viewer, request).await,
            (true, ["people", name, what]) => people::change(self, viewer, request, name, what).await,
            (false, ["password"]) => account::page(self, viewer).await,
            (true, ["password"]) => account::change_password(self, viewer, request).await,
            (true, ["password", "seen"]) => account::saw(self, viewer, request).await,
            (true, ["password", "sign-out"]) => account::sign_out_everywhere(self, viewer).await,
            (true, ["password", "sessions", id, "end"]) => account::end_session(self, viewer, id).await,
            _ => Ok(frame::refusal(viewer, NO_SUCH_PAGE.status, NO_SUCH_PAGE.title, &NO_SUCH_PAGE.words)),
        };
        let answer = answered.unwrap_or_else(|error| answer::fault(&error));
        if matches!(answer, Answer::Page(403, _)) {
            let method = if is_post { "POST" } else { "GET" };
            self.note_refused(viewer, format!("{method} /{}", path.join("/"))).await;
        }
        answer
    }

    /// Records in the audit that the viewer's role does not allow `what`.
    async fn note_refused(&self, viewer: &Viewer, what: String) {
        self.refusals.note(&self.store, viewer.actor(), Action::RightRefused, what, self.clock.now()).await;
    }
}
