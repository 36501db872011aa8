//! Warns once of events that are published but probably not as intended.

use std::cell::RefCell;
use std::collections::HashSet;

use crate::arn::TopicArn;
use crate::route::Notification;
use crate::text::printable;

/// Remembers what it has said.
#[derive(Debug, Default)]
pub(super) struct Advice {
    too_many_attributes: RefCell<HashSet<TopicArn>>,
    invalid_attributes: RefCell<HashSet<TopicArn>>,
}

impl Advice {
    /// Looks at a notification that is about to be published.
    pub(super) fn on(&self, Notification { topic, attributes, .. }: &Notification) {
        if attributes.are_too_many_for_raw_delivery()
            && self.too_many_attributes.borrow_mut().insert(topic.clone())
        {
            tracing::warn!(
                event = "too_many_attributes",
                %topic,
                attributes = attributes.len(),
                "plugin gives a notification more than 10 attributes: SQS queues that are subscribed with \
                 raw delivery will not get the notification; logged once for each topic"
            );
        }
        if let Some(attribute) = attributes.invalid_for_filters()
            && self.invalid_attributes.borrow_mut().insert(topic.clone())
        {
            tracing::warn!(
                event = "invalid_attribute",
                %topic,
                attribute = printable(attribute, false),
                "plugin gives an attribute a tab or a line break: subscriptions with a filter policy will not get the \
                 notification; logged once for each topic"
            );
        }
    }
}
