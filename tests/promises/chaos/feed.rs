//! A producer that knows what the broker has taken, whatever happens to the broker.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::events::message_of;
use crate::support::Stand;
use crate::support::raw::RawPublisher;

/// Messages that are under way to the broker together.
const TOGETHER: usize = 250;

/// For the broker to confirm them.
const CONFIRM: Duration = Duration::from_secs(5);

/// Before another try.
const PAUSE: Duration = Duration::from_millis(250);

/// Feeds messages of numbers below `count` until the broker has confirmed each: a fifth at once, so that
/// there is a queue, and the rest spread over `lasts`. Returns how many were sent again
/// since their confirmation was lost, and may so be in the queue twice.
pub async fn feed(stand: &Stand, count: u32, lasts: Duration) -> usize {
    let (began, mut again, mut publisher) = (Instant::now(), 0, None::<RawPublisher>);
    let exchange = stand.exchange();
    for from in (0..count).step_by(TOGETHER) {
        let share = f64::from(from.saturating_sub(count / 5)) / f64::from(count);
        sleep_until(began + lasts.mul_f64(share)).await;
        let numbers = from..count.min(from + u32::try_from(TOGETHER).unwrap());
        let mut left: Vec<u32> = numbers.collect();
        loop {
            if let Some(publisher) = &mut publisher {
                let messages: Vec<_> = left.iter().map(|number| message_of(*number)).collect();
                let unconfirmed = publisher.publish_all(&exchange, &messages, CONFIRM).await;
                left = unconfirmed.into_iter().map(|place| left[place]).collect();
                if left.is_empty() {
                    break;
                }
                again += left.len();
                sleep(PAUSE).await;
            }
            publisher = connect(&stand.amqp_uri).await;
            if publisher.is_none() {
                sleep(PAUSE).await;
            }
        }
    }
    again
}

async fn connect(uri: &str) -> Option<RawPublisher> {
    timeout(CONFIRM, RawPublisher::try_connect(uri)).await.ok()?.ok()
}
