//! # contract: what the store promises, on SQLite and on Postgres
//!
//! "Supports both" means: every rule here holds on both. A rule is an async function whose name is the rule; it gets
//! a [`Home`](support::database::Home), a fresh database with its schema, and works through the store's public methods.
//! What the store has no method for (a tampered balance, a lock held by somebody else) is done in plain SQL on a
//! connection of its own, as an operator would.
//!
//! Postgres is named by `TEST_POSTGRES_URL`, which `tests/run with COMMAND` sets. Without it these tests fail: a
//! database that is not tested is not supported.
//!
//! | file | what it is about |
//! |---|---|
//! | [`support::database`], [`support::place`], [`support::raw`] | a fresh database for every rule, where it is made, plain SQL on it |
//! | [`support::postbacks`], [`support::processing`] | building postbacks; recording and processing them, reading the results |
//! | `recording`, `settling`, `conflicts`, `quarantine` | from the inbox to rewards |
//! | `books`, `proof`, `verdicts` | what is booked and recorded permanently |
//! | `audit` | the chain of who did what |
//! | `baselines` | what is normal for an offer |
//! | `reviews`, `decisions` | a person's decision on one reward, and on many at once |
//! | `second_people` | who counts as a second person, and one person's sums of a day |
//! | `cases` | reversals that do not simply reverse |
//! | `history` | what is remembered of users, addresses and times |
//! | `holds`, `searching` | the queue; searches in a long one |
//! | `deliveries`, `resending` | deliveries to apps: ordered, leased, cancelled, sent again |
//! | `failing` | a failed batch saves nothing |
//! | `rewards`, `postbacks`, `refused`, `tokens`, `policies` | reading back |
//! | `tallies`, `source_tallies` | faults of data by source and rule; what each source sends, and its silences |
//! | `finishing` | people complete or set aside quarantined postbacks |
//! | `replay` | refused and quarantined postbacks are replayed |
//! | `reports`, `reconciled` | the reconciliation of a business day, and thirty of them against a naive computation |
//! | `statements` | the network's own list of transactions, matched with ours |
//! | `statement_life` | which of them count: parts, versions, failing, discarding, coming back |
//! | `statement_payments` | what was paid for them, once for each key, and taken back |
//! | `scheduled`, `retention` | scheduled jobs; expired data is deleted |
//! | `volume` | long queues and statements; `cargo bench --bench volume` measures much longer ones |
//! | `workers`, `waking` | many at once |
//! | `schema`, `durability`, `outages` | what the store requires of its database, and survives |
//! | `moments` | answers made of several queries are of one moment |
//! | `dropping`, [`support::proxy`] | callers that go away in the middle |

/// Makes one test of each rule for each database: `both: a_rule, another;`. A rule that is about one of them alone
/// stands after `sqlite:` or `postgres:`.
#[cfg(test)]
macro_rules! contract {
    (@tests $database:ident: $($rule:ident),*) => {
        $(
            #[test]
            fn $rule() {
                crate::support::database::check(crate::support::place::Kind::$database, super::$rule);
            }
        )*
    };
    (both: $($rule:ident),+ $(,)?; $(sqlite: $($lite:ident),+ $(,)?;)? $(postgres: $($post:ident),+ $(,)?;)?) => {
        mod sqlite {
            contract!(@tests Sqlite: $($rule),+ $(, $($lite),+)?);
        }
        mod postgres {
            contract!(@tests Postgres: $($rule),+ $(, $($post),+)?);
        }
    };
}

#[cfg(test)]
mod apps;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod baselines;
#[cfg(test)]
mod books;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod conflicts;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod dropping;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod failing;
#[cfg(test)]
mod finishing;
#[cfg(test)]
mod history;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod moments;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod past;
#[cfg(test)]
mod people;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod postbacks;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod quarantine;
#[cfg(test)]
mod reconciled;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod resending;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod reviews;
#[cfg(test)]
mod rewards;
#[cfg(test)]
mod scheduled;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod searching;
#[cfg(test)]
mod second_people;
#[cfg(test)]
mod settling;
#[cfg(test)]
mod source_tallies;
#[cfg(test)]
mod statement_files;
#[cfg(test)]
mod statement_life;
#[cfg(test)]
mod statement_payments;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tallies;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod verdicts;
#[cfg(test)]
mod volume;
#[cfg(test)]
mod waking;
#[cfg(test)]
mod workers;
