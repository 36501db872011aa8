//! What `check` says of the topics: it asks SNS for each.

use crate::arn::TopicArn;
use crate::cli::output::print_line;
use crate::config::{Config, Draft};
use crate::outcome::{Fault, Scope};
use crate::publish::Publish;
use crate::publish::fault::{advice, is_denial, is_unreachable};
use crate::rabbitmq::inspect::Finding;
use crate::sns::Sns;

/// What stands in the way of several topics, and is one problem.
#[derive(Debug, PartialEq, Eq)]
enum Cause {
    /// Credentials, by their number, and what is wrong with them.
    Credentials(usize, String),
    /// The user to whom the credentials belong lacks a permission.
    Denied(usize, String),
    /// The network or the endpoint.
    Unreachable(String),
}

impl Cause {
    fn of(fault: &Fault, config: &Config, topic: &TopicArn) -> Option<Self> {
        let credentials = config.sns.credentials_of(topic);
        if is_unreachable(fault) {
            Some(Self::Unreachable(fault.to_string()))
        } else if is_denial(fault) {
            Some(Self::Denied(credentials, fault.code.clone()))
        } else if fault.scope == Scope::Service {
            Some(Self::Credentials(credentials, fault.to_string()))
        } else {
            None
        }
    }

    /// Whether it is in the way of all topics that are reached alike.
    fn is_of_the_way(&self) -> bool {
        !matches!(self, Self::Denied(..))
    }
}

/// Topics that have one problem.
struct Refused<'a> {
    cause: Cause,
    fault: Fault,
    /// By which access, and in which region.
    ways: Vec<(u16, &'a str)>,
    topics: Vec<String>,
}

/// Reports on each topic that SNS can be asked for.
pub(super) async fn inspect(draft: &Draft, report: &mut dyn FnMut(Finding)) {
    let config = draft.config();
    let topics: Vec<_> = draft.askable_topics().collect();
    if draft.has_other_topics() {
        print_line("– topics: those that have problems in the configuration are not asked for");
    }
    let sns = Sns::new(&config.sns, topics.iter().map(|(_, topic)| (*topic).clone())).await;
    let mut refused: Vec<Refused<'_>> = Vec::new();
    for (key, topic) in topics {
        let way = (topic.access(), topic.region());
        let named = format!("topic {topic} ({key})");
        let is_alike = |it: &&mut Refused<'_>| it.cause.is_of_the_way() && it.ways.contains(&way);
        if let Some(known) = refused.iter_mut().find(is_alike) {
            known.topics.push(named);
            continue;
        }
        let fault = match sns.find_topic(topic).await {
            Ok(()) => {
                report(Finding::good(format!("{named}: exists")));
                continue;
            }
            Err(fault) => fault,
        };
        let Some(cause) = Cause::of(&fault, config, topic) else {
            report(Finding::bad(format!("{named}: {fault}; {}", advice(&fault))));
            continue;
        };
        match refused.iter_mut().find(|it| it.cause == cause) {
            Some(known) => {
                known.ways.push(way);
                known.topics.push(named);
            }
            None => refused.push(Refused { cause, fault, ways: vec![way], topics: vec![named] }),
        }
    }
    for Refused { fault, topics, .. } in refused {
        report(Finding::bad(format!("{}: {fault}; {}", topics.join(", "), advice(&fault))));
    }
}
