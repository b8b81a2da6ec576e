//! When an app that answers 410 is disabled.
//!
//! An app answers 410 for one deleted user as well as after it was shut down. One user must not stop everybody's
//! credits, so the app is disabled only after 410 for several users in a row, with no acknowledgement in between.

use std::collections::BTreeSet;

use super::schedule::Class;

/// Number of different users with 410, with no acknowledgement in between, after which the app is disabled.
pub const USERS_IN_A_ROW: usize = 3;

/// The run of users for whom the app answered 410.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run<'a> {
    /// True if an acknowledgement ended the run that was stored before.
    pub begins_anew: bool,
    /// Users with 410 since then.
    pub users: BTreeSet<&'a str>,
}

impl<'a> Run<'a> {
    /// From finished calls of one app (user and class), in the order in which they ended.
    pub fn of(ended: impl IntoIterator<Item = (&'a str, Class)>) -> Self {
        let mut run = Self::default();
        for (user, class) in ended {
            if class.is_yes() {
                run = Self { begins_anew: true, users: BTreeSet::new() };
            } else if class == Class::Gone {
                run.users.insert(user);
            }
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<'a>(ended: &[(&'a str, Class)]) -> (bool, Vec<&'a str>) {
        let run = Run::of(ended.iter().copied());
        (run.begins_anew, run.users.into_iter().collect())
    }

    #[test]
    fn a_user_counts_once_however_often_they_are_gone() {
        assert_eq!(
            run(&[("a", Class::Gone), ("a", Class::Gone), ("b", Class::Gone)]),
            (false, vec!["a", "b"])
        );
    }

    #[test]
    fn a_yes_ends_the_run_and_nothing_else_does() {
        let ended = [("a", Class::Gone), ("b", Class::Delivered), ("c", Class::Gone)];
        assert_eq!(run(&ended), (true, vec!["c"]));
        assert_eq!(run(&[("a", Class::Gone), ("b", Class::Duplicate)]), (true, vec![]));
        for class in Class::ALL.into_iter().filter(|class| !class.is_yes() && *class != Class::Gone) {
            assert_eq!(run(&[("a", Class::Gone), ("b", class)]), (false, vec!["a"]), "{class:?}");
        }
    }
}
