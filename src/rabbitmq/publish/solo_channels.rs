//! Channels with confirms, each with one message on its way at most: then a message that is returned
//! can only be that one (`flight.rs` says why it may be another's otherwise).

use std::cell::RefCell;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Semaphore;

use crate::outcome::SourceError;
use crate::rabbitmq::connection::link::Link;
use crate::rabbitmq::connection::{bounded, open_channel, unless_blocked};

/// Enough for a broker that takes milliseconds for a confirm, and few beside the 2,047 that RabbitMQ
/// allows a connection.
const MOST: usize = 64;

/// Of one connection.
#[derive(Debug)]
pub(in crate::rabbitmq) struct SoloChannels {
    idle: RefCell<Vec<Channel>>,
    free: Semaphore,
}

impl Default for SoloChannels {
    fn default() -> Self {
        Self { idle: RefCell::default(), free: Semaphore::new(MOST) }
    }
}

impl SoloChannels {
    /// Publishes, mandatory, and waits for the confirm; before that for a channel, if all are in use.
    ///
    /// # Errors
    ///
    /// As [`unless_blocked`].
    pub(in crate::rabbitmq) async fn publish(
        &self,
        link: &Link,
        what: &str,
        blocked: impl FnOnce(SourceError),
        (exchange, routing_key): (&str, &str),
        (payload, properties): (&[u8], BasicProperties),
    ) -> Result<Confirmation, SourceError> {
        let _free = self.free.acquire().await;
        let channel = match self.take_idle() {
            Some(channel) => channel,
            None => open(link).await?,
        };
        let confirmation = unless_blocked(link, what, blocked, async {
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            channel
                .basic_publish(exchange.into(), routing_key.into(), options, payload, properties)
                .await?
                .await
        })
        .await?;
        // Where nobody waited to the end, something may still come on it, and it is given up.
        self.idle.borrow_mut().push(channel);
        Ok(confirmation)
    }

    fn take_idle(&self) -> Option<Channel> {
        let mut idle = self.idle.borrow_mut();
        std::iter::from_fn(|| idle.pop()).find(|channel| channel.status().connected())
    }
}

async fn open(link: &Link) -> Result<Channel, SourceError> {
    let channel = open_channel(link).await?;
    let confirms = channel.confirm_select(ConfirmSelectOptions::default());
    bounded("asking for confirms", confirms).await?;
    Ok(channel)
}
