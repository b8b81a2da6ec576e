//! The publisher's app, which a gate sends deliveries to.

use std::sync::LazyLock;

use domain::postback::signature::Secret;
use sandbox::app::{App, postback_url};
use tokio::runtime::Runtime;

use crate::support::settings::Settings;

/// The secret that deliveries are signed with.
pub(crate) const APP_SECRET: &str = "app-secret";
/// The variable that holds it.
const APP_SECRET_NAME: &str = "APP_SECRET";

/// Where the apps of all tests run.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});

/// An app that knows the secret.
pub(crate) fn app() -> App {
    app_with(vec![Secret::new(APP_SECRET).expect("not empty")])
}

/// An app that knows these secrets.
pub(crate) fn app_with(secrets: Vec<Secret>) -> App {
    RUNTIME.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        App::start(listener, secrets).expect("an app")
    })
}

impl Settings {
    /// Sends all deliveries to `app`, with these lines in its section; addresses of this machine are allowed.
    #[must_use]
    pub(crate) fn forwarding_to(self, app: &App, lines: &str) -> Self {
        self.with_tail("[deliveries]\nallow_networks = [\"127.0.0.0/8\", \"::1\"]")
            .forwarding_to_url(&app.origin(), lines)
    }

    /// The same at another origin, without allowing addresses of this machine.
    #[must_use]
    pub(crate) fn forwarding_to_url(self, origin: &str, lines: &str) -> Self {
        let url = postback_url(origin);
        self.with_variable(APP_SECRET_NAME, APP_SECRET).with_tail(&format!(
            "[[apps]]\nname = \"main\"\n[apps.forward]\nurl = \"{url}\"\nsecret = \"env:{APP_SECRET_NAME}\"\n{lines}"
        ))
    }
}
