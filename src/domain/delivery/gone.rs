//! When an app that answers 410 is switched off.
//!
//! 410 is said of one user who was deleted as well as of an app that is no more. One user must not stop everybody's
//! credits, so the app is switched off only when it says so of several users, with no yes in between.

use std::collections::BTreeSet;

use super::schedule::Class;

/// Of so many users the app must say 410, with no yes in between, to be switched off.
pub const USERS_IN_A_ROW: usize = 3;

/// What calls that have ended mean for the run of users whom the app calls gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run<'a> {
    /// True if the app said yes to somebody: whoever was gone before that counts no more.
    pub begins_anew: bool,
    /// Users who are gone since then, in order.
    pub users: BTreeSet<&'a str>,
}

impl<'a> Run<'a> {
    /// Of calls of one app (user and class), in the order in which they ended.
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
