//! The registry of plugins, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{DefaultPlugin, Plugin};

/// The plugins that `plugin_module` can name.
#[derive(Clone)]
pub struct Plugins {
    by_name: BTreeMap<String, Arc<dyn Plugin>>,
}

impl Plugins {
    /// Adds a plugin, in place of one that had this name.
    #[must_use]
    pub fn register(mut self, name: impl Into<String>, plugin: impl Plugin + 'static) -> Self {
        self.by_name.insert(name.into(), Arc::new(plugin));
        self
    }

    /// The plugin of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<dyn Plugin>> {
        self.by_name.get(name).cloned()
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl Default for Plugins {
    /// Only [`DefaultPlugin`].
    fn default() -> Self {
        Self { by_name: BTreeMap::new() }.register(DefaultPlugin::NAME, DefaultPlugin)
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
