//! Tries the user's permissions by methods that RabbitMQ refuses in any case: with `PRECONDITION_FAILED` or `NOT_FOUND` after it has
//! checked the permission (`rabbit_channel`), or else with `ACCESS_REFUSED`. So a trial takes no message, publishes none, spends no
//! delivery and changes nothing. Bindings are tried by removing some that do not exist.

mod of_fleet;
#[cfg(test)]
mod tests;
mod wrong_arguments;

use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, ExchangeUnbindOptions,
    QueueDeclareOptions,
};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, ExchangeKind};

use self::of_fleet::seeing_the_fleet;
use self::wrong_arguments::{no_binding, wrong};
use super::needs::{Need, Permission, Resource, needs, needs_of_fleet};
use super::set_permissions::{self, Account};
use super::{Finding, Inspector, pausing};
use crate::outcome::SourceError;
use crate::rabbitmq::connection::bounded;
use crate::rabbitmq::publish::error::PublishError;
use crate::rabbitmq::topology::{self, arguments};

/// What a trial has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Right {
    Granted,
    Missing,
    Unknown(String),
}

impl Right {
    fn of(answer: Result<(), SourceError>) -> Self {
        match answer {
            Err(SourceError::AccessRefused(_)) => Self::Missing,
            Ok(())
            | Err(
                SourceError::NotFound(_)
                | SourceError::ResourceLocked(_)
                | SourceError::PreconditionFailed(_),
            ) => Self::Granted,
            Err(error) => Self::Unknown(error.to_string()),
        }
    }

    fn finding(&self, user: &str, need: &Need) -> Option<Finding> {
        let Need { permission, resource, purpose, .. } = need;
        match self {
            Self::Granted => None,
            Self::Missing => Some(Finding::bad(format!(
                "permissions: {user} lacks the {permission} permission on {resource}, which `run` needs to {purpose}; its regular \
                 expression is `{}`{}",
                need.anchored(),
                if need.may_be_of_topics() {
                    " (if the user has that, its topic permissions for that exchange lack a routing key: \
                     `rabbitmqctl list_user_topic_permissions`)"
                } else {
                    ""
                }
            ))),
            Self::Unknown(why) => Some(Finding::good(format!(
                "permissions: can't tell whether {user} has the {permission} permission on {resource}, which `run` needs to \
                 {purpose}: {why}"
            ))),
        }
    }
}

/// Reports each permission that `run` needs and the user lacks, with the regular expression to grant.
pub(super) async fn inspect(inspector: &Inspector<'_>, report: &mut dyn FnMut(Finding)) {
    let amqp = inspector.amqp;
    let accounts = Account::all(amqp);
    let account = inspector.broker.last_uri().map(Account::of).unwrap_or_default();
    let user = account.user.as_ref();
    let user = user.map_or_else(|| "the user".to_owned(), |user| format!("user `{user}`"));
    if !inspector.is_strict {
        return report(Finding::good(format!(
            "permissions: can't tell what {user} may do: only RabbitMQ 3.10 and later can be asked without a change"
        )));
    }
    let untried: Vec<_> =
        accounts.iter().filter(|it| **it != account).map(ToString::to_string).collect();
    if !untried.is_empty() {
        report(Finding::good(format!(
            "permissions: only those of {account} were tried, by which amqp.uris is connected now, and not those of {}",
            untried.join(" and ")
        )));
    }
    let mut needs = {
        let seen = inspector.seen.borrow();
        needs(amqp, &seen.missing, &seen.hidden)
    };
    let fleet = inspector.fleet.filter(|it| it.view);
    let of_fleet = fleet.map(needs_of_fleet).unwrap_or_default();
    let all: Vec<_> = needs.iter().chain(&of_fleet).cloned().collect();
    let mut rights = inspector.rights(&all).await;
    let others: Vec<_> = rights.extract_if(.., |(need, _)| of_fleet.contains(need)).collect();
    if let Some(fleet) = fleet {
        report(seeing_the_fleet(&user, fleet, &others));
    }
    let findings: Vec<_> =
        rights.iter().filter_map(|(need, right)| right.finding(&user, need)).collect();
    let hidden = inspector.hidden(&rights);
    let is_complete = findings.is_empty();
    findings.into_iter().for_each(&mut *report);
    for resource in hidden {
        report(Finding::good(unseen(&user, &resource)));
        let purpose = "see whether it exists";
        needs.push(Need { permission: Permission::Read, resource, purpose, family: None });
    }
    let of_pausing = pausing::needs(inspector.fleet, amqp.declare);
    let lacks = pausing::finding(&user, &inspector.missing(&of_pausing).await);
    let can_be_paused = lacks.is_none();
    lacks.into_iter().for_each(&mut *report);
    needs.extend(of_pausing);
    if is_complete {
        report(Finding::good(format!("permissions: {user} has all that `run` needs")));
    }
    if is_complete && can_be_paused {
        return;
    }
    let commands: Vec<_> = accounts.iter().map(|it| it.command(&needs, fleet)).collect();
    report(Finding::good(format!(
        "permissions: what `run` needs and no more is set by {}, which replaces what the user has",
        commands.join(" and ")
    )));
}

/// `run` does without: it consumes and publishes, and finds out then.
fn unseen(user: &str, resource: &Resource) -> String {
    let unknown = match resource {
        Resource::Exchange(_) => "can't tell whether it exists",
        Resource::Queue(_) => "can't tell whether it exists and how many messages it has",
    };
    format!(
        "permissions: {user} has no permission on {resource}, so `run` {unknown}; read is enough for that, by the regular \
         expression `{}` (RabbitMQ 4.2.6 and 4.3.0: configure)",
        set_permissions::expression([resource.name()].into_iter())
    )
}

impl Inspector<'_> {
    /// What the user may not even look at; what is reported for another permission is left out.
    fn hidden(&self, rights: &[(&Need, Right)]) -> Vec<Resource> {
        let is_reported = |resource: &Resource| {
            rights
                .iter()
                .any(|(need, right)| need.resource == *resource && *right == Right::Missing)
        };
        let hidden = self.seen.borrow().hidden.clone();
        hidden.into_iter().filter(|resource| !is_reported(resource)).collect()
    }

    /// Permissions on both ends of a binding are tried at its other end, where that one is granted.
    async fn rights<'a>(&self, needs: &'a [Need]) -> Vec<(&'a Need, Right)> {
        let is_of_binding = |need: &&Need| {
            matches!(
                (need.permission, &need.resource),
                (Permission::Read, Resource::Exchange(_)) | (Permission::Write, Resource::Queue(_))
            )
        };
        let (bindings, others): (Vec<_>, Vec<_>) = needs.iter().partition(is_of_binding);
        let mut rights = Vec::new();
        for need in others {
            rights.push((need, self.tried(self.alone(need)).await));
        }
        let target = Resource::Exchange(self.amqp.dead_letter_exchange.clone());
        let is_target = |(need, right): &(&Need, Right)| {
            need.resource == target && is_granted(need, right, Permission::Write)
        };
        let target = rights.iter().any(is_target).then_some(target.name());
        let mut source = None;
        for need in bindings.iter().filter(|it| it.permission == Permission::Read) {
            let right = match target {
                Some(target) => self.tried(self.reads_exchange(need.resource.name(), target)).await,
                None => Right::Unknown(format!(
                    "it is tried with the write permission on exchange `{}`",
                    self.amqp.dead_letter_exchange
                )),
            };
            // The first one is that of the dead letters, of which no permission on topics is asked.
            if right == Right::Granted {
                source.get_or_insert(need.resource.name());
            }
            rights.push((need, right));
        }
        for need in bindings.iter().filter(|it| it.permission == Permission::Write) {
            let right = match source {
                Some(source) => self.tried(self.writes_queue(need.resource.name(), source)).await,
                None => {
                    Right::Unknown("it is tried with the read permission on an exchange".to_owned())
                }
            };
            rights.push((need, right));
        }
        rights
    }

    /// Those of needs of one name that the user lacks.
    async fn missing<'a>(&self, needs: &'a [Need]) -> Vec<&'a Need> {
        let mut missing = Vec::new();
        for need in needs {
            if self.tried(self.alone(need)).await == Right::Missing {
                missing.push(need);
            }
        }
        missing
    }

    /// Not while an alarm lasts: RabbitMQ reads nothing of a connection then that has published.
    async fn tried(&self, trial: impl Future<Output = Result<(), SourceError>>) -> Right {
        match self.publisher.alarm().blocked() {
            Some(blocked) => Right::Unknown(blocked.to_owned()),
            None => Right::of(trial.await),
        }
    }

    async fn alone(&self, need: &Need) -> Result<(), SourceError> {
        match (need.permission, &need.resource) {
            (Permission::Configure, Resource::Exchange(exchange)) => {
                self.configures_exchange(exchange).await
            }
            (Permission::Configure, Resource::Queue(queue)) => self.configures_queue(queue).await,
            (Permission::Write, Resource::Exchange(exchange)) => self.publishes(exchange).await,
            (_, resource) => self.consumes(resource.name()).await,
        }
    }

    /// By an alternate exchange that is a number: RabbitMQ creates no exchange with it, and changes none.
    async fn configures_exchange(&self, exchange: &str) -> Result<(), SourceError> {
        let channel = self.channel().await?;
        let (kind, options) = (ExchangeKind::Topic, ExchangeDeclareOptions::default());
        let arguments = wrong("alternate-exchange", AMQPValue::LongInt(0));
        let declaring = channel.exchange_declare(exchange.into(), kind, options, arguments);
        bounded(&format!("exchange `{exchange}`"), declaring).await
    }

    /// By a dead-letter exchange that is a number.
    async fn configures_queue(&self, queue: &str) -> Result<(), SourceError> {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let arguments = wrong("x-dead-letter-exchange", AMQPValue::LongInt(0));
        arguments::declare(self.publisher.connection(), queue, options, arguments).await
    }

    /// By a priority that is a text: RabbitMQ begins no consumer with it.
    async fn consumes(&self, queue: &str) -> Result<(), SourceError> {
        let channel = self.channel().await?;
        bounded("setting the prefetch", channel.basic_qos(1, BasicQosOptions::default())).await?;
        let arguments = wrong("x-priority", AMQPValue::LongString("none".into()));
        let (tag, options) = ("may-it-consume", BasicConsumeOptions::default());
        let consuming = channel.basic_consume(queue.into(), tag.into(), options, arguments);
        let _consumer = bounded(&format!("queue `{queue}`"), consuming).await?;
        self.close(channel).await;
        Err(SourceError::Failed("the broker takes an argument that RabbitMQ refuses".to_owned()))
    }

    /// By a message with an expiration that is no number: RabbitMQ routes it nowhere.
    async fn publishes(&self, exchange: &str) -> Result<(), SourceError> {
        let expiring = BasicProperties::default().with_expiration("never".into());
        match self.publisher.publish_unless_blocked((exchange, ""), (b"", expiring)).await {
            Ok(()) | Err(PublishError::Unroutable | PublishError::Refused) => Ok(()),
            Err(PublishError::Lost(error)) => Err(error),
        }
    }

    /// By unbinding an exchange to which the user may write, from a binding that does not exist. The routing keys are those of
    /// the configuration, since permissions may be on topics, too.
    async fn reads_exchange(&self, exchange: &str, target: &str) -> Result<(), SourceError> {
        let channel = self.channel().await?;
        let sources = self.amqp.sources.iter().filter(|it| it.exchange == exchange);
        let mut keys: Vec<_> = sources.flat_map(topology::routing_keys).collect();
        if keys.is_empty() {
            keys.push("");
        }
        for key in keys {
            let options = ExchangeUnbindOptions::default();
            let (target, source, key) = (target.into(), exchange.into(), key.into());
            let unbinding = channel.exchange_unbind(target, source, key, options, no_binding());
            bounded(&format!("exchange `{exchange}`"), unbinding).await?;
        }
        self.close(channel).await;
        Ok(())
    }

    /// By unbinding the queue from an exchange that the user may read.
    async fn writes_queue(&self, queue: &str, source: &str) -> Result<(), SourceError> {
        let channel = self.channel().await?;
        let unbinding = channel.queue_unbind(queue.into(), source.into(), "".into(), no_binding());
        bounded(&format!("queue `{queue}`"), unbinding).await?;
        self.close(channel).await;
        Ok(())
    }

    async fn close(&self, channel: Channel) {
        let _ = bounded("closing a channel", channel.close(200, "bye".into())).await;
    }
}

fn is_granted(need: &Need, right: &Right, permission: Permission) -> bool {
    need.permission == permission && *right == Right::Granted
}
