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
//! | [`signature`] | was this URL signed with one of our secrets? |
//! | [`diagnosis`] | if not: what the network must have signed instead |
//! | [`carried`] | which fields came in a body instead, where nothing is signed |
//! | [`dashboard`] | what is to stand in the network's dashboard |
//! | [`macros`] | URLs with macros, and their values percent-encoded |
//! | [`query`] | which parameters stand in it, decoded |
//! | [`queue`] | what waits for a person: in which groups, how long, and when two persons must agree |
//! | [`network`] | how this network names its fields and states ([`network::targo`]) |
//! | [`cleaning`], [`unfilled`] | a value as it can be used; whether it is a macro that nobody filled in |
//! | [`event`] | what the postback says: a credit or a reversal of one reward, or why it cannot be mapped |
//! | [`country`], [`address`] | which country a code or a name stands for; the address in what a network sends as one |
//! | [`stated`] | what a person states of a quarantined postback, and what it would become |
//! | [`location`] | what is known of an IP address, and whether it agrees with the reported country |
//! | [`policy`] | rules, thresholds and points, by source and offer, with a version |
//! | [`skew`] | is it our clock that is wrong? |
//! | [`rules`] | each rule: facts in, one signal out |
//! | [`verdict`] | credit or hold, with every signal |
//! | [`reward`] | the status of a reward and the only steps there are |
//! | [`reversal`] | reversals that do not simply reverse: what a person can do about each |
//! | [`ledger`] | the transfers of each step |
//! | [`settlement`] | a whole batch: mapped postbacks and known rewards in, everything to be saved out |
//! | [`delivery`] | what the app is told, in which order, and what follows from each attempt |
//! | [`proof`] | do the balances follow from the transfers, and the transfers from the statuses? |
//! | [`report`] | the reconciliation of a business day |
//! | [`statement`] | the network's own list of transactions, matched with ours |
//! | [`caller`] | does the network call from this address? |
//! | [`proxies`] | which proxies are believed when they say who called |
//! | [`review`], [`access`] | a person's decision on a held reward, and who may make it |
//! | [`actor`], [`audit`] | who acts, by what means and from where; what is noted of it, and the chain of the audit |
//! | [`queue`] | what waits for a person: in which groups, how long, and when two persons must agree |
//! | [`money`], [`time`], [`text`] | exact amounts, instants and business days, words for people |

pub mod access;
pub mod actor;
pub mod address;
pub mod audit;
pub mod caller;
pub mod carried;
pub mod cleaning;
pub mod country;
pub mod dashboard;
pub mod delivery;
pub mod diagnosis;
pub mod event;
pub mod ledger;
pub mod location;
pub mod macros;
mod mapping;
pub mod masked;
pub mod money;
pub mod network;
pub mod policy;
pub mod proof;
pub mod proxies;
pub mod query;
pub mod queue;
pub mod report;
pub mod reversal;
pub mod review;
pub mod reward;
pub mod rules;
pub mod settlement;
pub mod signature;
pub mod skew;
pub mod stated;
pub mod statement;
pub mod text;
pub mod time;
pub mod unfilled;
pub mod verdict;
