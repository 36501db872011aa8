//! Which plugin has the workers' thread just now, for whoever sees that the thread does not come back.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The names of the plugins in use; a mark is a place in it, counted from 1.
static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The mark of the plugin that is asked; 0: none is.
static ASKED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this is the thread that is seen from outside.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// What is asked on this thread is told from now on. Others, such as the page's, only ask what an event would become.
pub fn watch_this_thread() {
    IS_WATCHED.set(true);
}

/// Stands for a plugin's name. Telling that it is asked, and that it has answered, takes a few instructions.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl Mark {
    /// The mark of the plugin with that name.
    pub fn of(name: &str) -> Self {
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let at = names.iter().position(|it| it == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        Self(at + 1)
    }

    /// The plugin is asked until the guard goes.
    pub fn asked(self) -> Asked {
        let is_watched = IS_WATCHED.get();
        if is_watched {
            ASKED.store(self.0, Ordering::Relaxed);
        }
        Asked { is_watched }
    }
}

/// A plugin is asked.
#[derive(Debug)]
pub struct Asked {
    is_watched: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.is_watched {
            ASKED.store(0, Ordering::Relaxed);
        }
    }
}

/// The name of the plugin that is asked just now.
pub fn name() -> Option<String> {
    let asked = ASKED.load(Ordering::Relaxed);
    let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    asked.checked_sub(1).and_then(|at| names.get(at).cloned())
}
