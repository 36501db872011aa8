//! Inspects the partitions of a source: whether they are there as configured, RabbitMQ has the plugin, and what order they can keep.

use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;

use super::{Finding, Inspector};
use crate::config::{Format, Key, PartitionBy, Partitioning, Source};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::{Broker, bounded};
use crate::rabbitmq::topology::partitions::marker::Marked;
use crate::rabbitmq::topology::partitions::{self, CONSISTENT_HASH, Names};
use crate::rabbitmq::topology::queues::DeclaredQueue;

impl Inspector<'_> {
    /// Reports on the exchange that divides events, on the partitions, and on the order that they keep.
    pub(super) async fn partitions(
        &self,
        source: &Source,
        partitioning: Partitioning<'_>,
        report: &mut dyn FnMut(Finding),
    ) {
        let (count, number) = self.number(source, partitioning).await;
        let names = Names::of(&source.queue, count);
        report(number);
        let is_marked = self.find_queue(&names.marker).await.is_ok();
        let hash_exchange = &names.hash_exchange;
        report(self.hash_exchange(hash_exchange, partitioning.by, is_marked).await);
        if let Some(sorted) = source.sorted_exchange() {
            report(self.sorted_exchange(source, &sorted, is_marked).await);
        }
        report(self.queues(source, &names, is_marked).await);
        report(Finding::good(format!(
            "partitions of source {}: each has a prefetch of {} (amqp.prefetch / partitions), which must be the same in all workers, or \
             order may be lost when two of them die; `fleet status` shows in which keys workers differ",
            source.name,
            self.amqp.prefetch_of_each(count)
        )));
        report(Finding::good(order(source, partitioning.by)));
    }

    /// A plugin that is missing may close the connection, so that is found out on another one. An exchange that is there is declared again,
    /// by which RabbitMQ compares its type.
    async fn hash_exchange(&self, exchange: &str, by: &PartitionBy, is_marked: bool) -> Finding {
        let named = format!("exchange `{exchange}` ({CONSISTENT_HASH})");
        if let Err(error) = knows_hash_exchanges(self.broker).await {
            return Finding::bad(format!("{named}: {error}"));
        }
        let compare =
            async { partitions::declare_hash(&self.channel().await?, exchange, by).await };
        let absent = "does not exist; create it and bind it (docs/partitions.md), or set amqp.declare = true";
        let gone = "is gone, and what is published has no queue; a worker that runs declares it anew within seconds: start one";
        self.exchange_of_partitions(exchange, &named, compare, [absent, gone], is_marked).await
    }

    /// The exchange through which a worker passes on what it has sorted.
    async fn sorted_exchange(&self, source: &Source, exchange: &str, is_marked: bool) -> Finding {
        let named = format!("exchange `{exchange}` (fanout, for sorted events)");
        let compare = partitions::sorted::declare(self.publisher.connection(), source);
        let absent = format!(
            "does not exist, so that events stay in queue `{}`; create it and bind the hash exchange to it (docs/partitions.md), or set \
             amqp.declare = true",
            source.queue
        );
        let gone = format!(
            "is gone, and events stay in queue `{}`; a worker that runs declares it anew within seconds: start one",
            source.queue
        );
        self.exchange_of_partitions(exchange, &named, compare, [&absent, &gone], is_marked).await
    }

    /// One that `run` declares, unless it is used as it is: then the first text is said where it is `absent`. `gone`: it was there before.
    async fn exchange_of_partitions(
        &self,
        exchange: &str,
        named: &str,
        compare: impl Future<Output = Result<(), SourceError>>,
        [absent, gone]: [&str; 2],
        is_marked: bool,
    ) -> Finding {
        match (self.find_exchange(exchange).await, self.amqp.declare) {
            (Ok(()), false) => Finding::good(format!("{named}: exists, used as it is")),
            (Ok(()), true) => match compare.await {
                Ok(()) => Finding::good(format!("{named}: exists, as configured")),
                Err(SourceError::AccessRefused(_)) => Finding::good(format!(
                    "{named}: exists; RabbitMQ compares it only for a user with the configure permission on it"
                )),
                Err(error) => Finding::bad(error.to_string()),
            },
            (Err(SourceError::NotFound(_)), false) => Finding::bad(format!("{named}: {absent}")),
            (Err(SourceError::NotFound(_)), true) if is_marked => {
                Finding::bad(format!("{named}: {gone}"))
            }
            (Err(SourceError::NotFound(_)), true) => {
                Finding::good(format!("{named}: does not exist yet; `run` declares it"))
            }
            (Err(SourceError::AccessRefused(_)), _) => Finding::good(format!(
                "{named}: can't tell whether it exists: the user may not look at it"
            )),
            (Err(error), _) => Finding::bad(error.to_string()),
        }
    }

    /// What `run` would refuse of a source without partitions, if it would.
    pub(super) async fn no_partitions(&self, source: &Source) -> Option<Finding> {
        let checked =
            partitions::marker::check_none(self.publisher.connection(), self.amqp, source).await;
        checked.err().map(|error| Finding::bad(error.to_string()))
    }

    /// How many there are, or will be.
    async fn number(&self, source: &Source, wanted: Partitioning<'_>) -> (u16, Finding) {
        let (queue, marker) = (&source.queue, partitions::marker::marker_of(&source.queue));
        let connection = self.publisher.connection();
        let of_wanted = |finding| (wanted.count, finding);
        match self.find_queue(&marker).await {
            Err(SourceError::NotFound(_)) if self.amqp.declare => {
                match partitions::moving::find(connection, self.amqp, source).await {
                    Ok(Some(it)) if it.from > 0 => {
                        return (it.to, Finding::bad(it.unfinished(source).to_string()));
                    }
                    Err(error) => return of_wanted(Finding::bad(error.to_string())),
                    Ok(_) => {}
                }
                let then = if source.is_sorted() {
                    format!(
                        "`run` declares it, and what is in `{queue}` by then is sorted into partitions, too"
                    )
                } else {
                    format!(
                        "what is in `{queue}` now is published first, then events are divided into partitions"
                    )
                };
                return of_wanted(Finding::good(format!(
                    "queue `{marker}`: does not exist yet: {then}"
                )));
            }
            Err(SourceError::AccessRefused(_)) => {
                return of_wanted(Finding::good(format!(
                    "queue `{marker}`: can't tell: the user may not look at it"
                )));
            }
            Err(error) => return of_wanted(Finding::bad(error.to_string())),
            Ok(()) if !self.amqp.declare => {
                return of_wanted(Finding::good(format!("queue `{marker}`: exists")));
            }
            Ok(()) => {}
        }
        let under_way = match partitions::moving::find(connection, self.amqp, source).await {
            Ok(under_way) => under_way.filter(|it| it.from > 0),
            Err(error) => return of_wanted(Finding::bad(error.to_string())),
        };
        let count = match partitions::marker::read(connection, self.amqp, source, wanted).await {
            Ok(Marked::Yes(count)) => count,
            Ok(Marked::No | Marked::Hidden) => {
                return of_wanted(Finding::good(format!(
                    "queue `{marker}`: exists; only a user with the configure permission on it learns the number of partitions"
                )));
            }
            Err(error) => return of_wanted(Finding::bad(error.to_string())),
        };
        // What comes goes to those of the other number.
        let divides_now = under_way.map_or(count, |it| it.to);
        let name = &source.name;
        let finding = match under_way {
            Some(under_way) => format!(
                "warning: partitions of `{queue}`: a move from {under_way} is under way; `event-pusher-sns partitions move --source {name} --to \
                 {}` goes on with it, and says how far it is",
                under_way.to
            ),
            None if count != wanted.count => format!(
                "warning: partitions of `{queue}`: there are {count}, and partitions = {} is how many there may be; `event-pusher-sns \
                 partitions move --source {name} --to {}` changes their number",
                wanted.count, wanted.count
            ),
            None => format!("queue `{marker}`: exists, for {count} partitions"),
        };
        (divides_now, Finding::good(finding))
    }

    async fn queues(&self, source: &Source, names: &Names, is_marked: bool) -> Finding {
        let (mut missing, mut unseen) = (Vec::new(), 0);
        let connection = self.publisher.connection();
        for queue in &names.queues {
            let compared = match self.find_queue(queue).await {
                Ok(()) if self.amqp.declare => {
                    DeclaredQueue::of_partition(self.amqp, source, queue).declare(connection).await
                }
                other => other,
            };
            match compared {
                Ok(()) => {}
                Err(SourceError::AccessRefused(_)) => unseen += 1,
                Err(SourceError::NotFound(_)) => missing.push(queue.as_str()),
                Err(error) => return Finding::bad(error.to_string()),
            }
        }
        let (of, all) = (&source.queue, names.queues.len());
        match (missing.as_slice(), self.amqp.declare) {
            ([], _) if unseen > 0 => Finding::good(format!(
                "partitions of `{of}`: can't tell of {unseen} of {all} whether they are as configured: the user may not look at them"
            )),
            ([], true) => {
                Finding::good(format!("partitions of `{of}`: all {all} exist, as configured"))
            }
            ([], false) => Finding::good(format!(
                "partitions of `{of}`: all {all} exist, used as they are: each must have x-single-active-consumer and a high \
                 x-delivery-limit, which is not looked at (docs/partitions.md)"
            )),
            (some, true) if is_marked => {
                let said = format!(
                    "partitions of `{of}`: {} of {all} are gone, such as `{}`: order is lost; `run` creates them with {} = \"warn\" only \
                     (docs/partitions.md)",
                    some.len(),
                    some[0],
                    Key::from(["amqp", "sources", &source.name, "on_order_lost"])
                );
                if source.stops_without_order() {
                    Finding::bad(said)
                } else {
                    Finding::good(format!("warning: {said}"))
                }
            }
            (some, true) => Finding::good(format!(
                "partitions of `{of}`: {} of {all} do not exist yet; `run` declares them",
                some.len()
            )),
            (some, false) => Finding::bad(format!(
                "partitions of `{of}`: {} of {all} do not exist, such as `{}`: events that are hashed to them would be lost; create them \
                 (docs/partitions.md), or set amqp.declare = true",
                some.len(),
                some[0]
            )),
        }
    }
}

/// Asks by the default exchange, which nobody may declare: RabbitMQ looks at the type first (`rabbit_channel`,
/// `rabbit_exchange:check_type`), and refuses one that it does not know.
async fn knows_hash_exchanges(broker: &Broker) -> Result<(), SourceError> {
    let connection = broker.connect("check").await?;
    let channel = connection.channel().await?;
    let kind = ExchangeKind::Custom(CONSISTENT_HASH.to_owned());
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let declaring = channel.exchange_declare("".into(), kind, options, FieldTable::default());
    let answer = bounded("asking for a type of exchange", declaring).await;
    connection.close().await;
    match answer {
        Ok(()) | Err(SourceError::AccessRefused(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What order partitions keep with this key.
fn order(source: &Source, by: &PartitionBy) -> String {
    let name = &source.name;
    let is_mongooseim = matches!(
        source.format,
        Format::Mongooseim | Format::MongooseimChat | Format::MongooseimGroupchat
    );
    let is_set_by_producer = !matches!(by, PartitionBy::RoutingKey | PartitionBy::Conversation);
    if is_mongooseim && is_set_by_producer {
        return format!(
            "warning: order of source {name}: MongooseIM sets no {by}, so that all events are in one partition, and one worker at a time \
             publishes all; set partition_by = \"conversation\", or \"routing-key\" for the order of what one user sends"
        );
    }
    let kept = match by {
        PartitionBy::RoutingKey if is_mongooseim => {
            return format!(
                "warning: order of source {name}: MongooseIM's routing keys begin with the sender, so that what one user sends of one \
                 kind stays in order; what the two sides of a conversation send, or several users to a room, may be in different partitions, \
                 and overtake each other; partition_by = \"conversation\" keeps those in order, too"
            );
        }
        PartitionBy::Conversation => {
            "the events of each conversation, each room, and the presences of each user stay in order, whatever routing keys their producer \
             gives them, MongooseIM's too. One worker at a time reads all events for that, and passes them on through RabbitMQ a second time \
             (docs/partitions.md says what that costs)"
                .to_owned()
        }
        PartitionBy::RoutingKey => {
            "events with the same routing key stay in order, so a producer must give one key to all events of a conversation, a room or a \
             user; with one key for all events, all are in one partition. MongooseIM's keys begin with the sender, which keeps the order of \
             what one user sends only"
                .to_owned()
        }
        PartitionBy::Header(header) => format!(
            "events with the same header `{header}` stay in order, so a producer must give one value to all events of a conversation, a room \
             or a user; events without it are all in one partition"
        ),
        PartitionBy::CorrelationId => {
            "events with the same correlation id stay in order, so a producer must give one to all events of a conversation, a room or a \
             user; events without it are all in one partition"
                .to_owned()
        }
    };
    format!("order of source {name}: {kept}")
}
