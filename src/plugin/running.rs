//! Which plugin has the workers' thread just now, for whoever sees that the thread does not come back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The names of the plugins in use; a mark is a place in it, counted from 1.
static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The mark of the plugin that is asked; 0: none is.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Stands for a plugin's name. Telling that it is asked, and that it has answered, takes a few instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(usize);

impl Mark {
    /// The mark of the plugin with that name.
    pub(crate) fn of(name: &str) -> Self {
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let at = names.iter().position(|it| it == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        Self(at + 1)
    }

    /// The plugin is asked until the guard goes.
    pub(crate) fn asked(self) -> Asked {
        Asked { before: ASKED.swap(self.0, Ordering::Relaxed) }
    }
}

/// A plugin is asked. Another thread may ask at the same time what an event would become; it puts back what it found.
#[derive(Debug)]
pub(crate) struct Asked {
    before: usize,
}

impl Drop for Asked {
    fn drop(&mut self) {
        ASKED.store(self.before, Ordering::Relaxed);
    }
}

/// The name of the plugin that is asked just now.
pub(crate) fn name() -> Option<String> {
    let asked = ASKED.load(Ordering::Relaxed);
    let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    asked.checked_sub(1).and_then(|at| names.get(at).cloned())
}
