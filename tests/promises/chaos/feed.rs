//! A producer that knows what the broker has taken, whatever happens to the broker.

use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::support::{Stand, event_of};

/// Events that are under way to the broker together.
const TOGETHER: usize = 250;

/// For the broker to confirm them.
const CONFIRM: Duration = Duration::from_secs(5);

/// Before another try.
const PAUSE: Duration = Duration::from_millis(250);

/// Feeds events of numbers below `count` until the broker has confirmed each: a fifth at once, so that
/// there is a queue, and the rest spread over `lasts`. Returns how many were sent again
/// since their confirmation was lost, and may so be in the queue twice.
pub async fn feed(stand: &Stand, count: u32, lasts: Duration) -> usize {
    let (began, mut again, mut channel) = (Instant::now(), 0, None);
    for from in (0..count).step_by(TOGETHER) {
        let share = f64::from(from.saturating_sub(count / 5)) / f64::from(count);
        sleep_until(began + lasts.mul_f64(share)).await;
        let numbers = from..count.min(from + u32::try_from(TOGETHER).unwrap());
        let mut left: Vec<u32> = numbers.collect();
        loop {
            let unconfirmed = match &channel {
                Some((_, channel)) => send(stand, channel, &left).await,
                None => left.clone(),
            };
            if unconfirmed.is_empty() {
                break;
            }
            if channel.is_some() {
                again += unconfirmed.len();
            }
            left = unconfirmed;
            sleep(PAUSE).await;
            channel = connect(&stand.amqp_uri).await;
        }
    }
    again
}

/// Sends events, and returns those that were not confirmed.
async fn send(stand: &Stand, channel: &Channel, numbers: &[u32]) -> Vec<u32> {
    let (exchange, options) =
        (stand.exchange(), BasicPublishOptions { mandatory: true, ..Default::default() });
    let sending = numbers.iter().map(async |number| {
        let (event, _) = event_of(*number);
        let (exchange, key) = (exchange.as_str().into(), event.routing_key.as_str().into());
        let publishing = async {
            let published =
                channel.basic_publish(exchange, key, options, &event.payload, event.properties);
            published.await?.await
        };
        let is_taken = match timeout(CONFIRM, publishing).await {
            Ok(Ok(answer)) => answer.is_ack() && answer.take_message().is_none(),
            _ => false,
        };
        (!is_taken).then_some(*number)
    });
    join_all(sending).await.into_iter().flatten().collect()
}

async fn connect(uri: &str) -> Option<(Connection, Channel)> {
    let connecting = async {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await.ok()?;
        let channel = connection.create_channel().await.ok()?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.ok()?;
        Some((connection, channel))
    };
    timeout(CONFIRM, connecting).await.ok().flatten()
}
