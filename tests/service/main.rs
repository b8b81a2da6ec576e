//! The executable as the world sees it: real processes, asserted only from outside – HTTP, exit codes, standard
//! output, and the command line's own answers.
//!
//! | module | what it shows |
//! |---|---|
//! | [`pages`] | the pages, in a real browser |
//! | [`path`] | one postback from the network to the books, and the decisions on it |
//! | [`personas`] | the log of a population, and the settings beside it |
//! | [`answers`], [`vectors`] | the answers to networks; the published signatures, and every forgery |
//! | [`own_network`] | a network of the publisher's own, out of a file |
//! | [`networks`] | every network that ships: signed, repeated, taken back, forged |
//! | [`details`] | no credit and no reversal is lost to a detail of how it is written |
//! | [`baselines`] | what is normal for an offer is drawn, taken up, and named by verdicts |
//! | [`evidence`] | what is kept stays bounded, and nobody is shown what would let them send it again |
//! | [`assess`] | the calls in a log have the effect that they had live |
//! | [`import`] | history is settled once, and no app is told |
//! | [`strays`] | calls that never were a postback are kept, too |
//! | [`tokens`], [`rights`] | whose a token is, and for how long; who may do what |
//! | [`reversals`] | every order of credit and reversal |
//! | [`exactly_once`], [`kills`] | one effect for each event: with many workers, and with killed processes |
//! | [`forward`], [`forward_crowd`] | every credit and reversal is delivered to the app |
//! | [`outage`], [`poison`] | the database goes and comes back; one postback that cannot be booked |
//! | [`trouble`] | the server, the disk, the clock, and work that piles up |
//! | [`check`] | what `check` finds before the first postback |
//! | [`network_commands`] | `networks list`, `show` and `test`, and `diagnose` of networks of every kind |
//! | [`sandbox`] | the network gives up, and sends again when it is asked |
//! | [`starting`], [`stopping`] | settings and the command line; SIGTERM |
//! | [`replay`] | refused and quarantined postbacks are replayed after the fix |
//! | [`finishing`] | people complete quarantined postbacks, over the API and on the command line |
//! | [`finance`] | statements over the API, reports and imports that are killed, the mail after a night |
//! | [`statement_columns`] | the settings that are proposed for a file |
//! | [`statement_life`] | statements: questions, failures, discarding, payments |
//! | [`small_holds`] | small holds that the policy releases when nobody decided |
//! | [`retention`] | expired data is deleted |
//! | [`callers`], [`watching`] | how much one caller may use; health and metrics |
//! | [`crowds`], [`downloads`] | who is disconnected when connections run out; long answers |
//! | [`headers`], [`manners`] | the headers of every answer; HTTP as specified |
//! | [`document`], [`support::schema`] | every call of the API, correct and wrong, checked against its document |
//! | [`geo_files`] | files that are replaced while a process runs |
//! | [`alerts`], [`units`] | the alert rules, the dashboard and the systemd units that are shipped |
//! | [`listeners`], [`lists`], [`proof`], [`secrecy`] | addresses; the API's lists; `verify`; what logs never contain |
//!
//! `TEST_POSTGRES_URL` must name a Postgres server that databases can be made on; `tests/run` starts one.

/// Makes a test on SQLite and a test on Postgres of each rule, which is a function of the database's kind.
macro_rules! on_both_databases {
    ($($rule:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $rule() { super::$rule(crate::support::database::Kind::Sqlite); })+
        }
        mod postgres {
            $(#[test] fn $rule() { super::$rule(crate::support::database::Kind::Postgres); })+
        }
    };
}

#[cfg(test)]
mod alerts;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod apps;
#[cfg(test)]
mod assess;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod baselines;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod check;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod details;
#[cfg(test)]
mod document;
#[cfg(test)]
mod downloads;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod exactly_once;
#[cfg(test)]
mod finance;
#[cfg(test)]
mod finishing;
#[cfg(test)]
mod forward;
#[cfg(test)]
mod forward_crowd;
#[cfg(test)]
mod geo_files;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod import;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod listeners;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod manners;
#[cfg(test)]
mod network_commands;
#[cfg(test)]
mod networks;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod own_network;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod path;
#[cfg(test)]
mod personas;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod reversals;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod secrecy;
#[cfg(test)]
mod small_holds;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod statement_columns;
#[cfg(test)]
mod statement_files;
#[cfg(test)]
mod statement_life;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod strays;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod units;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod watching;
