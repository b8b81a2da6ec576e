//! What was looked up once and never changes: remembered by a text, and forgotten all at once when it becomes too much.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How many values a process remembers.
const MAX_REMEMBERED: usize = 64;

/// Values by their text, shared by all clones.
#[derive(Debug)]
pub(crate) struct Remembered<V>(Arc<Mutex<BTreeMap<String, V>>>);

impl<V> Default for Remembered<V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<V> Clone for Remembered<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V: Clone> Remembered<V> {
    pub(crate) fn get(&self, text: &str) -> Option<V> {
        self.0.lock().ok()?.get(text).cloned()
    }

    pub(crate) fn insert(&self, text: String, value: V) {
        let Ok(mut values) = self.0.lock() else { return };
        if values.len() >= MAX_REMEMBERED {
            values.clear();
        }
        values.insert(text, value);
    }
}
