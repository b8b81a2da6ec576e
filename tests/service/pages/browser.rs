//! A real Chromium, driven as a person would: by clicks and keys.
//!
//! Nobody acts on a page that is on its way out: whatever leads to another page (a form that is sent, a link, a key
//! that does either) waits until that page stands. A driver does not: it answers as soon as the click is made, and the
//! next look may still find the old page.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::wait::{DEADLINE, PAUSE};

/// Attempts to start a driver.
const DRIVER_STARTS: usize = 10;

/// True once the page is whole, its script has run, and no request of it is under way.
const STANDS: &str =
    "return document.readyState === 'complete' && !document.documentElement.hasAttribute('data-busy')";

/// True if a click on the element leads to another page: a link that is neither a file nor a place on this page (nor, to
/// a script, the row that is open already), or the button of a form that is filled in.
const LEADS: &str = r"
    const [element, hasScript] = arguments;
    const link = element.closest('a[href]');
    if (link && hasScript && link.matches('[data-item][aria-current] [data-open]')
        && link.getAttribute('href') === link.closest('[data-item]').dataset.peek) return false;
    if (link) return !link.getAttribute('href').startsWith('#') && !/[.](csv|xlsx|txt)([?]|$)/.test(link.href);
    const button = element.closest('button, input[type=submit]');
    return button !== null && button.form !== null && button.type === 'submit' && button.form.checkValidity();";

/// How a browser differs from the usual one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    /// Prefers dark pages.
    pub(crate) dark: bool,
    /// Runs no script of a page.
    pub(crate) without_script: bool,
    /// As wide as a small telephone: 360 px.
    pub(crate) narrow: bool,
}

/// One browser with a profile of its own.
pub(crate) struct Browser {
    pub(crate) runtime: Runtime,
    client: Option<Client>,
    driver: Child,
    origin: String,
    has_script: bool,
}

impl Browser {
    /// Opens a browser that will look at the pages at `address`.
    pub(crate) fn open(address: SocketAddr, look: Look) -> Self {
        let (driver, port) = start_driver();
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--window-size=1440,900".to_owned(),
        ];
        if look.dark {
            arguments.push("--force-dark-mode".to_owned());
        }
        let script = if look.without_script { 2 } else { 1 };
        let mut options = json!({
            "args": arguments,
            "prefs": { "profile.managed_default_content_settings.javascript": script },
        });
        if look.narrow {
            // No window gets this narrow, a screen does.
            // Without script a tap never ends in the driver, a click does.
            let touch = !look.without_script;
            let screen = json!({ "width": 360, "height": 780, "pixelRatio": 2.0, "touch": touch });
            options["mobileEmulation"] = json!({ "deviceMetrics": screen });
        }
        let capabilities = json!({ "goog:chromeOptions": options });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let client = runtime.block_on(async {
            let mut builder = ClientBuilder::new(connector());
            builder.capabilities(capabilities);
            builder.connect(&format!("http://127.0.0.1:{port}")).await
        });
        let client = Some(client.expect("a browser"));
        let has_script = !look.without_script;
        Self { runtime, client, driver, origin: format!("http://{address}"), has_script }
    }

    pub(crate) fn client(&self) -> &Client {
        self.client.as_ref().expect("open until it is dropped")
    }

    pub(crate) fn go(&self, path: &str) {
        self.runtime.block_on(self.client().goto(&format!("{}{path}", self.origin))).expect("the page loads");
    }

    /// Path and query of the page.
    pub(crate) fn path(&self) -> String {
        let url = self.runtime.block_on(self.client().current_url()).expect("a page");
        url.as_str().strip_prefix(&self.origin).unwrap_or_default().to_owned()
    }

    pub(crate) fn sign_in(&self, name: &str, password: &str) {
        self.go("/login");
        self.fill("[name=name]", name);
        self.fill("[name=password]", password);
        self.click("form button");
        self.until("somebody is signed in", |browser| !browser.path().starts_with("/login"));
    }

    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.stands();
        let typed = async {
            let field = self.client().find(Locator::Css(selector)).await?;
            field.clear().await?;
            field.send_keys(text).await
        };
        self.runtime.block_on(typed).unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Chooses a file.
    pub(crate) fn choose(&self, selector: &str, path: &Path) {
        self.stands();
        let path = path.to_str().expect("a path");
        let chosen = async { self.client().find(Locator::Css(selector)).await?.send_keys(path).await };
        self.runtime.block_on(chosen).unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// The text of one element.
    pub(crate) fn text_of(&self, selector: &str) -> String {
        self.stands();
        let text = async { self.client().find(Locator::Css(selector)).await?.text().await };
        self.runtime.block_on(text).unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Clicks on the element; if that leads to another page, waits until it stands.
    pub(crate) fn click(&self, selector: &str) {
        self.click_on(Locator::Css(selector), selector);
    }

    /// The same for the link with this text.
    pub(crate) fn click_link(&self, text: &str) {
        self.click_on(Locator::LinkText(text), text);
    }

    fn click_on(&self, locator: Locator<'_>, what: &str) {
        self.stands();
        let clicked = async {
            let element = self.client().find(locator).await?;
            let leads =
                self.client().execute(LEADS, vec![argument(&element), self.has_script.into()]).await?;
            let old = if leads == true { Some(self.main().await?) } else { None };
            element.click().await?;
            Ok::<_, CmdError>(old)
        };
        let place = self.path();
        let old = self.runtime.block_on(clicked).unwrap_or_else(|error| panic!("{what}: {error}"));
        if let Some(old) = old {
            self.gone(&old, &place, what);
        }
    }

    /// Presses keys one after the other, as fast as the browser takes them.
    pub(crate) fn press(&self, keys: &str) {
        self.stands();
        self.strike(keys);
    }

    /// Presses keys that lead to another page, and waits until it stands.
    pub(crate) fn press_to_go(&self, keys: &str) {
        self.stands();
        let (old, place) = (self.runtime.block_on(self.main()).expect("a page"), self.path());
        self.strike(keys);
        self.gone(&old, &place, keys);
    }

    /// The same as [`Self::press`] without waiting for the page.
    pub(crate) fn strike(&self, keys: &str) {
        let mut actions = KeyActions::new("keyboard".into());
        for value in keys.chars() {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.runtime.block_on(self.client().perform_actions(actions)).expect("the keys are pressed");
    }

    /// What every page has once and no two pages share.
    async fn main(&self) -> Result<Element, CmdError> {
        self.client().find(Locator::Css("main")).await
    }

    /// Waits until the page that `old` belongs to is gone, or is at another place than `place`, and the next one stands.
    fn gone(&self, old: &Element, place: &str, by: &str) {
        let is_there = || {
            let asked = self.client().execute("return arguments[0].isConnected", vec![argument(old)]);
            match self.runtime.block_on(asked) {
                Ok(connected) => connected == true,
                // Any other error is of a page on its way out: the next look knows.
                Err(error) => !error.is_stale_element_reference() && !error.is_no_such_element(),
            }
        };
        self.until(&format!("another page after {by:?}"), |browser| !is_there() || browser.path() != place);
        self.stands();
    }

    /// Waits until the page stands.
    pub(crate) fn stands(&self) {
        self.until("the page stands", |browser| {
            let stands = browser.runtime.block_on(browser.client().execute(STANDS, Vec::new()));
            stands.is_ok_and(|stands| stands == true)
        });
    }

    /// The result of a script.
    pub(crate) fn ask(&self, script: &str) -> Value {
        self.stands();
        self.runtime.block_on(self.client().execute(script, Vec::new())).expect("the script runs")
    }

    /// The number of elements that match.
    pub(crate) fn count(&self, selector: &str) -> usize {
        self.stands();
        self.runtime.block_on(self.client().find_all(Locator::Css(selector))).expect("looked for").len()
    }

    /// The text of the page.
    pub(crate) fn text(&self) -> String {
        let text = async { self.client().find(Locator::Css("body")).await?.text().await };
        // A page may be on its way out while it is read; then the next look finds the next one.
        self.runtime.block_on(text).unwrap_or_default()
    }

    pub(crate) fn says(&self, words: &str) {
        self.until(&format!("the page says {words:?}"), |browser| browser.text().contains(words));
    }

    /// Waits until `holds` is true.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(
                began.elapsed() < DEADLINE,
                "in vain: {what}; at {} stands:\n{}",
                self.path(),
                self.text()
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// The serious and critical violations that axe-core finds, as `rule: what, where`.
    pub(crate) fn barriers(&self) -> Vec<String> {
        let axe = std::env::var("AXE_CORE").expect("`tests/run` fetches it and says where");
        let axe = std::fs::read_to_string(axe).expect("axe-core");
        let script = format!(
            "{axe};
             const done = arguments[arguments.length - 1];
             axe.run(document, {{ resultTypes: ['violations'] }}).then(result => done(result.violations
                 .filter(it => ['serious', 'critical'].includes(it.impact))
                 .map(it => it.id + ': ' + it.help + ', ' + it.nodes.map(node => node.html).slice(0, 3).join(' | '))));"
        );
        let found =
            self.runtime.block_on(self.client().execute_async(&script, Vec::new())).expect("axe runs");
        let found = found.as_array().expect("a list").clone();
        found.iter().map(|it| it.as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// An element as an argument of a script.
fn argument(element: &Element) -> Value {
    serde_json::to_value(element).expect("an element is a word")
}

/// A driver and its port. It takes a free one itself, and ends if somebody else was faster: then the next tries.
fn start_driver() -> (Child, u16) {
    for _ in 0..DRIVER_STARTS {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: `tests/run` installs it");
        let lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            line.split("started successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()
        });
        if let Some(port) = port {
            return (driver, port);
        }
        let _ = driver.kill();
        let _ = driver.wait();
    }
    panic!("no driver started in {DRIVER_STARTS} tries");
}

/// The driver listens on this machine, without TLS.
fn connector() -> HttpConnector {
    HttpConnector::new()
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = self.runtime.block_on(client.close());
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
