//! What a session of a lane has to do besides: messages that are none of the producer's, and events of which workers may be dying.

use std::time::Duration;

use futures_util::FutureExt;

use super::{Part, RabbitSession};
use crate::outcome::SourceError;
use crate::pipeline::ports::{Delivery, Settle};
use crate::rabbitmq::consume::consumer::Arrived;
use crate::rabbitmq::consume::partitions::{Look, Tried};
use crate::rabbitmq::consume::settler::RabbitReceipt;

/// Between two looks at whether all before the last message is settled.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl RabbitSession {
    /// Takes messages that are none of the producer's, and notes how events come that should not.
    pub(super) fn is_own(&mut self, (delivery, charge): &Arrived) -> bool {
        let Part::Lane(lane) = &mut self.part else { return false };
        match lane.look(&self.settler.0.source, delivery) {
            Look::Event => false,
            Look::Bypassed => {
                self.bypassed = true;
                false
            }
            Look::Begin | Look::End => {
                let tag = delivery.delivery_tag;
                self.settler.0.tracker.borrow_mut().open(tag);
                self.last =
                    Some(RabbitReceipt { tag, charge: *charge, properties: Box::default() });
                true
            }
        }
    }

    /// Does what has come up in a lane. May be dropped while it waits, and is done again then.
    pub(super) async fn attend(&mut self) -> Result<(), SourceError> {
        let Part::Lane(lane) = &mut self.part else { return Ok(()) };
        let (connection, source) = (&self.connection, &self.settler.0.source);
        if self.bypassed {
            lane.divert(connection, source).await?;
            self.bypassed = false;
        }
        if self.last.is_none() {
            return Ok(());
        }
        // The last message before the partitions, or of one of them.
        let settled = async {
            while self.settler.0.tracker.borrow().unacknowledged() > 1 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::select! {
            () = settled => {}
            () = lane.over(connection) => return Err(Self::end_of_lane(connection)),
        }
        // With something behind it, it was not the last one; there will be another.
        let is_drained = lane.is_drained(connection).await?;
        if self.behind.is_none()
            && let Some(behind) = self.consumer.next(&self.settler.0.tracker).now_or_never()
        {
            self.behind = Some(behind?);
        }
        if is_drained && self.behind.is_none() {
            lane.is_through(connection, source).await?;
        }
        if let Some(last) = self.last.take() {
            // If it comes again, it does no harm.
            let _ = self.settler.ack(last).await;
        }
        Ok(())
    }

    /// The event of which workers may be dying, when it is to be handed out. Waits until others may be. May be dropped while it waits.
    pub(super) async fn tried(&mut self) -> Result<Option<Delivery<RabbitReceipt>>, SourceError> {
        let Part::Lane(lane) = &mut self.part else { return Ok(None) };
        match lane.tried(&self.connection).await {
            Tried::None => Ok(None),
            Tried::HandOut(arrived, verdict) => Ok(Some(self.taken(*arrived, verdict))),
            Tried::Over => Err(Self::end_of_lane(&self.connection)),
        }
    }
}
