//! What the workers of a fleet have in common.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::limits::LONGEST_FLEET;

/// The workers of which this is one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Fleet {
    #[schemars(extend("format" = "fleet", "minLength" = 1, "maxLength" = LONGEST_FLEET))]
    pub name: String,
    /// Whether this worker tells and shows what the workers of the fleet do.
    pub view: bool,
    /// Whether operators can pause this worker.
    pub pause: bool,
}

impl Fleet {
    /// The exchange by which workers tell each other; the names of their queues begin with this and a dot.
    #[must_use]
    pub fn exchange(&self) -> String {
        format!("{}.fleet", self.name)
    }

    /// The exchange for commands to all workers, and the stream that keeps them.
    #[must_use]
    pub fn control(&self) -> String {
        format!("{}.fleet.control", self.name)
    }
}
