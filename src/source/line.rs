//! A connection that ends with its owner.

use lapin::{Channel, Connection};

use super::SourceError;
use super::connection::{Broker, bounded};

/// lapin's own connection stays open when it is dropped, with all that its channels hold. This
/// one is closed then, as it has to be where whoever waited for an operation goes away.
#[derive(Debug)]
pub(super) struct Line(Option<Connection>);

impl Line {
    pub(super) async fn open(broker: &Broker, purpose: &str) -> Result<Self, SourceError> {
        broker.connect(purpose).await.map(|connection| Self(Some(connection)))
    }

    pub(super) async fn channel(&self) -> Result<Channel, SourceError> {
        match &self.0 {
            Some(connection) => bounded("opening a channel", connection.create_channel()).await,
            None => Err(SourceError("the connection is closed".to_owned())),
        }
    }

    pub(super) async fn close(mut self) {
        if let Some(connection) = self.0.take() {
            // It may be gone already.
            let _ = bounded("closing the connection", connection.close(200, "bye".into())).await;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { connection.close(200, "left".into()).await });
        }
    }
}
