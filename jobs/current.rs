//! What a process decides by, and replaces while it decides.

use std::sync::{Arc, PoisonError, RwLock};

/// The current value of something that is replaced as a whole. Cheap to clone; all clones show the same.
#[derive(Debug, Default)]
pub struct Current<T>(Arc<RwLock<Arc<T>>>);

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Current<T> {
    /// The value now.
    pub fn get(&self) -> Arc<T> {
        // Only whole values are ever put in, so a panic elsewhere leaves a good one.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows `value` from now on.
    pub fn replace(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}
