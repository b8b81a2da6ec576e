//! # domain: decides what a postback means and what follows from it
//!
//! Pure and deterministic: no async, no clock, no SQL, no HTTP. `now` is always an argument, and every function
//! returns a plain value that describes what to do; it never does it. The manifest proves it: no dependency can open
//! a socket or a file.
//!
//! ## Modules, in the order a postback passes them
//!
//! | module | what it answers |
//! |---|---|
//! | [`postback`] | what a network says: its signature, its parameters, the event they mean, and why one cannot be mapped |
//! | [`dashboard`] | the URL for the network's dashboard, and what is wrong with one |
//! | [`country`], [`address`] | which country a code or a name stands for; the address in what a network sends as one |
//! | [`location`] | what the geo databases say of an IP address, and whether it matches the reported country |
//! | [`history`] | what earlier rewards say of a user, an address, and of times that are the same to the second |
//! | [`policy`] | rules, thresholds and points, by source and offer, with a version |
//! | [`skew`] | whether our own clock is slow |
//! | [`baseline`] | what is normal for each source, offer and event |
//! | [`rules`], [`signal`] | the rules: facts in, one signal out of each |
//! | [`verdict`], [`evidence`] | credit or hold, with every signal; the facts it rests on, as they are stored |
//! | [`lists`] | whom and what people trust, watch or block, and which entries match an event |
//! | [`reward`] | the status of a reward, and every step between them |
//! | [`ledger`] | the transfers of each step |
//! | [`batch`] | a batch: mapped postbacks and existing rewards in, everything to save out |
//! | [`delivery`] | what the app is notified of, in which order, and when to retry |
//! | [`review`] | what waits for a person, and what they can decide |
//! | [`proof`] | do the balances follow from the transfers, and the transfers from the statuses? |
//! | [`report`] | the reconciliation of a business day |
//! | [`traffic`] | how much a source sends, and whether it fell silent |
//! | [`past`], [`assessment`] | calls in the logs that a publisher already has; what would have been done with them |
//! | [`statement`] | the network's own list of transactions, matched with the books |
//! | [`caller`], [`proxies`] | the addresses a network calls from, and which proxies are trusted to name the caller |
//! | [`access`], [`actor`], [`audit`] | who may do what; who acts, how and from where; the audit |
//! | [`money`], [`time`], [`text`], [`masked`] | exact amounts, instants and business days, text for people, URLs without secrets |

pub mod access;
pub mod actor;
pub mod address;
pub mod assessment;
pub mod audit;
pub mod baseline;
pub mod batch;
pub mod caller;
pub mod country;
pub mod dashboard;
pub mod delivery;
pub mod evidence;
pub mod history;
pub mod ledger;
pub mod lists;
pub mod location;
pub mod masked;
pub mod money;
pub mod past;
pub mod policy;
pub mod postback;
pub mod proof;
pub mod proxies;
pub mod report;
pub mod review;
pub mod reward;
pub mod rules;
pub mod signal;
pub mod skew;
pub mod statement;
pub mod text;
pub mod time;
pub mod traffic;
pub mod verdict;
