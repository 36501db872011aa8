//! What comes through the fleet's exchange: a worker's report, or an operator's.

use jiff::Timestamp;

use super::{Ignored, OperatorReport, Report};

/// What somebody of the fleet says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A worker, of itself.
    Worker(Box<Report>),
    /// An operator's command, of the replay that it runs.
    Operator(Box<OperatorReport>),
}

impl Said {
    /// Reads what came, which may be anybody's.
    ///
    /// # Errors
    ///
    /// It is too large, or neither.
    pub fn read(body: &[u8]) -> Result<Self, Ignored> {
        match Report::read(body) {
            Ok(report) => Ok(report.into()),
            Err(Ignored::Malformed) => OperatorReport::read(body).map(Self::from),
            Err(why) => Err(why),
        }
    }

    /// Whether the worker or the command of this id says it.
    #[must_use]
    pub fn is_of(&self, id: &str) -> bool {
        self.head().0 == id
    }

    /// Whose it is, its number, and its time by the sender's clock.
    pub(super) fn head(&self) -> (&str, u64, Timestamp) {
        match self {
            Self::Worker(it) => (&it.id, it.sequence, it.at),
            Self::Operator(it) => (&it.id, it.sequence, it.at),
        }
    }
}

impl From<Report> for Said {
    fn from(report: Report) -> Self {
        Self::Worker(Box::new(report))
    }
}

impl From<OperatorReport> for Said {
    fn from(report: OperatorReport) -> Self {
        Self::Operator(Box::new(report))
    }
}
