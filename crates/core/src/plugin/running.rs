//! Records which plugin is running on the workers' thread, so that health can name one that blocks.

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

/// Begins to record the plugins that run on this thread. Other threads, such as the page's, only do dry runs.
pub fn watch_this_thread() {
    IS_WATCHED.set(true);
}

/// The number of a plugin's name, so that recording its start and end takes a few instructions.
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

/// Records that a plugin is called.
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

/// The name of the plugin that is running.
pub fn name() -> Option<String> {
    let asked = ASKED.load(Ordering::Relaxed);
    let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    asked.checked_sub(1).and_then(|at| names.get(at).cloned())
}
