//! A connection for one operation of an operator.

use lapin::{Channel, ConnectionStatus};

use super::link::Link;
use super::wire::Notes;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::{Broker, bounded, open_channel};

/// Closed when the operation is over, and also when whoever waited for it goes away.
#[derive(Debug)]
pub(in crate::rabbitmq) struct Line(Link);

impl Line {
    pub(in crate::rabbitmq) async fn open(
        broker: &Broker,
        purpose: &str,
    ) -> Result<Self, SourceError> {
        broker.connect(purpose).await.map(Self)
    }

    pub(in crate::rabbitmq) async fn channel(&self) -> Result<Channel, SourceError> {
        open_channel(&self.0).await
    }

    /// What was changed of its deliveries.
    pub(in crate::rabbitmq) const fn notes(&self) -> &Notes {
        self.0.notes()
    }

    /// Bytes that a frame may have; 0 is any.
    pub(in crate::rabbitmq) fn frame_max(&self) -> u32 {
        self.0.configuration().frame_max()
    }

    /// What is known of the connection; it goes on being so while it lasts.
    pub(in crate::rabbitmq) fn status(&self) -> ConnectionStatus {
        self.0.status().clone()
    }

    pub(in crate::rabbitmq) async fn close(self) {
        // It may be gone already.
        let _ = bounded("closing the connection", self.0.close(200, "bye".into())).await;
    }
}
