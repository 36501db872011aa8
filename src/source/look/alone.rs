//! Whether a look is the only one.

use tokio::task::JoinHandle;

use super::super::SourceError;
use super::super::line::Line;
use super::super::queue_state::QueueState;

/// Asked for beside the look, on a channel of its own: on the look's, the answer would come
/// after all messages, which would have to be kept until then.
#[derive(Debug)]
pub(super) enum Alone {
    Asked(JoinHandle<Result<(), SourceError>>),
    Known(Result<(), SourceError>),
}

impl Alone {
    /// `ours` are the consumers that there should be.
    pub(super) async fn ask(line: &Line, queue: &str, ours: u32) -> Result<Self, SourceError> {
        let channel = line.channel().await?;
        let queue = queue.to_owned();
        let asking = tokio::spawn(async move {
            let state = QueueState::answered(&channel, &queue).await?;
            if state.consumers > ours {
                return Err(SourceError(format!(
                    "another look at queue `{queue}` began in the same moment; try again"
                )));
            }
            Ok(())
        });
        Ok(Self::Asked(asking))
    }

    pub(super) async fn confirm(&mut self) -> Result<(), SourceError> {
        if let Self::Asked(asking) = self {
            let gone = |_| Err(SourceError("nobody asked whether the look is alone".to_owned()));
            let known = asking.await.unwrap_or_else(gone);
            *self = Self::Known(known);
        }
        match self {
            Self::Known(known) => known.clone(),
            Self::Asked(_) => Ok(()),
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Self::Asked(asking) = self {
            asking.abort();
        }
    }
}
