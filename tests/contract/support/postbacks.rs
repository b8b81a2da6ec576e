//! Builds postbacks (a credit, a suspicious credit, a reversal) and the processor that decides on them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, LazyLock};

use domain::batch::{BatchOutcome, SourceTerms};
use domain::caller::CallerList;
use domain::lists::own::OwnNetworks;
use domain::money::MICROS_PER_UNIT;
use domain::policy::Policy;
use domain::postback::event::Params;
use domain::postback::networks::coverage::Unsigned;
use domain::postback::networks::kinds::Meaning;
use domain::time::TimestampMs;
use jobs::current::Current;
use jobs::lists::LiveLists;
use jobs::postbacks::process::{Processor, SourceSettings, process};
use store::Store;
use store::postbacks::inbox::{Claim, NewPostback};

/// When postbacks are processed and reviewed, unless a test says otherwise.
pub(crate) const NOW: TimestampMs = TimestampMs(1_795_428_000_000);
/// Its business day in the zone of [`processor`].
pub(crate) const TODAY: &str = "2026-11-23";
/// When a postback is received, unless [`Call::received`] says otherwise; unix milliseconds.
pub(crate) const RECEIVED_AT: i64 = NOW.0 - 60_000;

/// What a credit gives the user, in micros.
pub(crate) const REWARD: i64 = 500 * MICROS_PER_UNIT;
/// What the network pays for it, in micros.
pub(crate) const PAYOUT: i64 = MICROS_PER_UNIT;

/// The source of postbacks, unless [`Call::of_source`] says otherwise.
pub(crate) const SOURCE: &str = "targo";
/// A source of another app with terms of the same kind.
pub(crate) const SECOND_SOURCE: &str = "second";
/// A source of the same app as [`SOURCE`], in another currency.
pub(crate) const GEMS_SOURCE: &str = "gems";

/// The app that owns the users of `source`.
pub(crate) fn app_of(source: &str) -> &'static str {
    if source == SECOND_SOURCE { "other" } else { "main" }
}

/// A postback that is being built.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    source: String,
    received_at: i64,
    /// Seconds from the click to the postback.
    clicked_before_s: i64,
    /// Parameters by name; values are percent-encoded.
    params: BTreeMap<&'static str, String>,
}

/// A credit that no rule holds.
pub(crate) fn credit(tx_id: &str) -> Call {
    let params = [("user_id", "u1"), ("tx_id", tx_id), ("reward", "500"), ("payout", "1"), ("status", "1")];
    Call {
        source: SOURCE.into(),
        received_at: RECEIVED_AT,
        clicked_before_s: 300,
        params: params.map(|(name, value)| (name, value.to_owned())).into(),
    }
}

/// A credit a second after the click: too fast for a person, so it is held.
pub(crate) fn suspicious(tx_id: &str) -> Call {
    Call { clicked_before_s: 1, ..credit(tx_id) }
}

/// A reversal as networks send it: without amounts.
pub(crate) fn reversal(tx_id: &str) -> Call {
    credit(tx_id).with("status", "2").without("reward").without("payout")
}

/// A credit without a transaction id: it cannot be mapped.
pub(crate) fn unmappable() -> Call {
    credit("").without("tx_id")
}

/// A step on the way to a reward, which some networks report: it is information only.
pub(crate) fn without_money(tx_id: &str) -> Call {
    credit(tx_id).with("reward", 0).with("payout", 0)
}

impl Call {
    pub(crate) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.params.insert(name, value.to_string());
        self
    }

    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.params.remove(name);
        self
    }

    /// Sets the seconds from the click to the completion.
    pub(crate) fn after(self, clicked_before_s: i64) -> Self {
        Self { clicked_before_s, ..self }
    }

    pub(crate) fn by(self, user_id: &str) -> Self {
        self.with("user_id", user_id)
    }

    pub(crate) fn of_source(mut self, source: &str) -> Self {
        source.clone_into(&mut self.source);
        self
    }

    pub(crate) fn received(mut self, at: i64) -> Self {
        self.received_at = at;
        self
    }

    /// The parameter `name`; empty if there is none.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn received_at(&self) -> i64 {
        self.received_at
    }

    /// Path and query.
    pub(crate) fn target(&self) -> String {
        let clicked_at_s = self.received_at / 1_000 - self.clicked_before_s;
        let params = self.params.iter().map(|(name, value)| format!("{name}={value}&"));
        format!("/pb/{}?{}timestamp={clicked_at_s}", self.source, params.collect::<String>())
    }

    pub(crate) fn postback(&self) -> NewPostback {
        NewPostback {
            source: self.source.clone(),
            received_at: TimestampMs(self.received_at),
            method: "GET".into(),
            target: self.target(),
            body: None,
            body_counts: false,
            headers: None,
            body_left_out: None,
            remote_ip: "198.51.100.7".into(),
            request_id: "request".into(),
        }
    }
}

/// How long networks repeat postbacks that were not acknowledged.
pub(crate) const RETRY_HORIZON_MS: i64 = 30 * 3_600_000;

/// Processes the postbacks that `which` claims.
pub(crate) async fn processed(
    store: &Store,
    which: Claim,
    processor: Arc<Processor>,
    now: TimestampMs,
) -> store::Result<BatchOutcome> {
    Ok(process(store, processor, which, now).await?.outcome)
}

/// The usual processor: the built-in policy, registry data only, the business day of Berlin.
pub(crate) fn processor() -> Arc<Processor> {
    static PROCESSOR: LazyLock<Arc<Processor>> = LazyLock::new(|| processor_in(chrono_tz::Europe::Berlin));
    PROCESSOR.clone()
}

/// The same with the business day of another zone.
pub(crate) fn processor_in(timezone: chrono_tz::Tz) -> Arc<Processor> {
    processor_under(Policy::built_in().expect("the built-in policy"), timezone)
}

/// The usual processor with lists.
pub(crate) fn processor_of_lists(lists: &LiveLists) -> Arc<Processor> {
    let policy = Policy::built_in().expect("the built-in policy");
    processor_with(policy, chrono_tz::Europe::Berlin, lists.clone())
}

/// The same with another policy.
pub(crate) fn processor_under(policy: Policy, timezone: chrono_tz::Tz) -> Arc<Processor> {
    processor_with(policy, timezone, LiveLists::default())
}

fn processor_with(policy: Policy, timezone: chrono_tz::Tz, lists: LiveLists) -> Arc<Processor> {
    let source = |name: &str, currency: &str| {
        let terms = SourceTerms {
            name: name.into(),
            app: app_of(name).into(),
            currency: currency.into(),
            retry_horizon_ms: RETRY_HORIZON_MS,
            unsigned: Unsigned::default(),
        };
        let words = [("9".to_owned(), Meaning::Test)];
        let params = Params::shipped("targo").expect("it ships").with_statuses(&words.into());
        let params = params.expect("a good word");
        (name.to_owned(), SourceSettings { terms, params, callers: CallerList::default() })
    };
    let sources = [source(SOURCE, "coins"), source(SECOND_SOURCE, "coins"), source(GEMS_SOURCE, "gems")];
    Arc::new(Processor {
        sources: sources.into(),
        policy,
        geo: geo::Geo::open(&[]).expect("built-in registry data"),
        baseline: Current::default(),
        lists,
        own_networks: OwnNetworks::default(),
        timezone,
        observer: None,
    })
}
