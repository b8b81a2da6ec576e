//! The executable as the world sees it: real processes, asserted only from outside – HTTP, exit codes, standard
//! output, and the command line's own answers.
//!
//! | module | what it shows |
//! |---|---|
//! | [`pages`] | the pages, in a real browser |
//! | [`path`] | the way of one postback, and what people decide on it |
//! | [`answers`], [`vectors`] | what networks are answered; the published signatures, and every forgery |
//! | [`details`] | no credit and no reversal is lost to a detail of how it is written |
//! | [`evidence`] | what is kept stays bounded, and nobody is shown what would let them send it again |
//! | [`strays`] | calls that never were a postback are kept, too |
//! | [`tokens`], [`rights`] | whose a token is, and for how long; who may do what |
//! | [`reversals`] | every order of credit and reversal |
//! | [`exactly_once`], [`kills`] | one effect for each event: in a crowd, and whatever is killed meanwhile |
//! | [`forward`], [`forward_crowd`] | the app hears of every credit and reversal |
//! | [`outage`], [`poison`] | the database goes and comes back; one postback that cannot be booked |
//! | [`trouble`] | the server, the disk, the clock, and work that piles up |
//! | [`check`] | what `check` finds before the first postback |
//! | [`sandbox`] | the network gives up, and sends again when it is asked |
//! | [`starting`], [`stopping`] | settings and the command line; the end in good order |
//! | [`replay`] | what was put aside is taken once more after its cause is gone |
//! | [`finishing`] | what is quarantined is finished by people, over the API and on the command line |
//! | [`finance`] | statements over the API, reports and imports that are killed, the mail after a night |
//! | [`statement_life`] | what statements are asked about, what fails, is taken back, and is paid |
//! | [`small_holds`] | what the policy releases when nobody decided |
//! | [`retention`] | what leaves at the end of its term |
//! | [`callers`], [`watching`] | what a caller may take up; what monitoring sees |
//! | [`crowds`], [`downloads`] | who makes room when it is short; long answers |
//! | [`headers`], [`manners`] | what every answer carries; HTTP as it is meant |
//! | [`document`], [`support::schema`] | every call of the API, asked rightly and wrongly, beside its document |
//! | [`geo_files`] | files that are replaced while a process runs |
//! | [`alerts`], [`units`] | the alert rules, the dashboard and the systemd units that are shipped |
//! | [`listeners`], [`lists`], [`proof`], [`secrecy`] | who listens where; the API's lists; `verify`; what logs never hold |
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
mod audit;
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
mod kills;
#[cfg(test)]
mod listeners;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod manners;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod path;
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
