//! # domain: decides what a postback means and what is to happen
//!
//! Pure and deterministic: no async, no clock, no SQL, no HTTP. `now` is always an argument, and every function
//! answers with a plain value that says everything that is to happen; it never does it. The manifest is the proof:
//! nothing in it can open a socket or a file.
//!
//! ## The map, in the order a postback meets it
//!
//! | module | what it answers |
//! |---|---|
//! | [`postback`] | what a network says: its signature, its parameters, the event they mean, and why one cannot be mapped |
//! | [`dashboard`] | what is to stand in the network's dashboard |
//! | [`country`], [`address`] | which country a code or a name stands for; the address in what a network sends as one |
//! | [`location`] | what is known of an IP address, and whether it agrees with the reported country |
//! | [`policy`] | rules, thresholds and points, by source and offer, with a version |
//! | [`skew`] | is it our clock that is wrong? |
//! | [`rules`], [`signal`] | each rule: facts in, one signal out |
//! | [`verdict`] | credit or hold, with every signal |
//! | [`reward`] | the status of a reward and the only steps there are |
//! | [`ledger`] | the transfers of each step |
//! | [`batch`] | a whole batch: mapped postbacks and known rewards in, everything to be saved out |
//! | [`delivery`] | what the app is told, in which order, and what follows from each attempt |
//! | [`review`] | what waits for a person, and what they can decide |
//! | [`proof`] | do the balances follow from the transfers, and the transfers from the statuses? |
//! | [`report`] | the reconciliation of a business day |
//! | [`statement`] | the network's own list of transactions, matched with ours |
//! | [`caller`], [`proxies`] | does the network call from this address, and which proxies are believed when they say who called |
//! | [`access`], [`actor`], [`audit`] | who may do what; who acts, by what means and from where; what is noted of it |
//! | [`money`], [`time`], [`text`], [`masked`] | exact amounts, instants and business days, words for people |

pub mod access;
pub mod actor;
pub mod address;
pub mod audit;
pub mod batch;
pub mod caller;
pub mod country;
pub mod dashboard;
pub mod delivery;
pub mod ledger;
pub mod location;
pub mod masked;
pub mod money;
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
pub mod verdict;
