//! Inspects a queue: whether it is there, its real type and arguments, and whether it is as configured.

use lapin::types::FieldTable;

use super::needs::Resource;
use super::{Finding, Inspector};
use crate::config::{Parking, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::topology;
use crate::rabbitmq::topology::arguments::{self, Learnt, QueueArguments, STREAM};
use crate::rabbitmq::topology::stream::{self, Purpose};

/// What could be found out of a queue that is there.
enum Found {
    Known(QueueArguments),
    Stream,
    /// Why type and arguments can't be told; whether it is known that the queue is no stream.
    Hidden {
        why: String,
        is_no_stream: bool,
    },
}

impl Inspector<'_> {
    async fn find_queue(&self, queue: &str) -> Result<(), SourceError> {
        topology::find_queue(&self.channel().await?, queue).await
    }

    pub(super) async fn queue(
        &self,
        purpose: Purpose,
        queue: &str,
        arguments: FieldTable,
    ) -> Finding {
        let wanted = format!("queue `{queue}` ({})", self.amqp.queue_type.into_str());
        if let Err(error) = self.find_queue(queue).await {
            return self.absent(&Resource::Queue(queue.to_owned()), &wanted, error);
        }
        let compared = match self.channel().await {
            Ok(channel) if self.amqp.declare => {
                Some(topology::declare_queue(&channel, queue, arguments).await)
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        };
        match compared {
            Some(Ok(())) => return Finding::good(format!("{wanted}: exists, as configured")),
            // It is there no longer, or the broker does not answer.
            Some(Err(error @ (SourceError::NotFound(_) | SourceError::Failed(_)))) => {
                return Finding::bad(error.to_string());
            }
            _ => {}
        }
        let found = self.look_at(queue).await;
        if matches!(&found, Found::Stream)
            || matches!(&found, Found::Known(known) if known.kind() == STREAM)
        {
            self.seen.borrow_mut().streams.insert(queue.to_owned());
            return Finding::bad(purpose.refusal(queue).to_string());
        }
        let shown = describe(queue, &found);
        match compared {
            None => Finding::good(format!("{shown}: exists, used as it is")),
            Some(Err(SourceError::PreconditionFailed(said))) => Finding::bad(said),
            Some(_) => Finding::good(format!(
                "{shown}: exists; RabbitMQ compares it only for a user with the configure permission on it"
            )),
        }
    }

    async fn look_at(&self, queue: &str) -> Found {
        if !self.is_strict {
            let why = "from other brokers than RabbitMQ 3.10 and later".to_owned();
            return Found::Hidden { why, is_no_stream: false };
        }
        let connection = self.publisher.connection();
        let why = match arguments::learn(connection, queue, true).await {
            Ok(Learnt::Known(known)) => return Found::Known(known),
            Ok(Learnt::Refused(_)) => "without the configure permission on it".to_owned(),
            Ok(Learnt::Locked(_) | Learnt::Unknown(..)) => "from what RabbitMQ answers".to_owned(),
            Err(error) => format!("since {error}"),
        };
        let answer = stream::ask(connection, queue).await;
        match answer {
            Some(true) => Found::Stream,
            answer => Found::Hidden { why, is_no_stream: answer.is_some() },
        }
    }

    /// `run` can do without, but a held topic has consequences then.
    pub(super) async fn parking(&self, source: &Source, parking: &Parking) -> Finding {
        let (queue, home) = (&parking.queue, &source.queue);
        let found = self.find_queue(queue).await;
        let wanted = format!("queue `{queue}` (events of held topics)");
        match found {
            Err(SourceError::NotFound(_)) if !self.amqp.declare => {
                self.seen.borrow_mut().missing.insert(queue.clone());
                return Finding::good(format!(
                    "{wanted}: does not exist, so a held topic will keep the source's other topics waiting; to avoid that, \
                     create the queue, durable, with x-dead-letter-exchange \"\" and x-dead-letter-routing-key \"{home}\""
                ));
            }
            // `run` does not look at it, either.
            Err(SourceError::AccessRefused(_)) if !self.amqp.declare => {
                return Finding::good(format!(
                    "{wanted}: can't tell whether it exists: the user may not look at it"
                ));
            }
            _ => {}
        }
        let arguments = topology::parking_arguments(self.amqp, home);
        self.queue(Purpose::Parked, queue, arguments).await
    }
}

fn describe(queue: &str, found: &Found) -> String {
    match found {
        Found::Known(known) => format!("queue `{queue}` ({known})"),
        Found::Stream => format!("queue `{queue}` ({STREAM})"),
        Found::Hidden { why, is_no_stream } => {
            let no_stream = if *is_no_stream { "no stream; " } else { "" };
            format!("queue `{queue}` ({no_stream}type and arguments: can't tell {why})")
        }
    }
}
