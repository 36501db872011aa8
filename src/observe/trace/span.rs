//! The span of an event.

use std::sync::Arc;
use std::time::SystemTime;

use super::context::Context;
use crate::arn::TopicArn;
use crate::event::{Envelope, EventKind};
use crate::outcome::Outcome;

/// From an event's receipt to its settlement. It holds nothing of what users wrote, and no routing key, which
/// may be a user's address.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) context: Context,
    /// The producer's span, if it has one.
    pub(super) parent: Option<[u8; 8]>,
    pub(super) received: SystemTime,
    pub(super) settled: SystemTime,
    pub(super) exchange: String,
    pub(super) queue: Arc<str>,
    pub(super) message_id: Option<String>,
    /// The payload's length.
    pub(super) bytes: usize,
    pub(super) kind: Option<EventKind>,
    pub(super) topic: Option<TopicArn>,
    /// To publish it.
    pub(super) attempts: u32,
    /// Requeued, unless it is told.
    pub(super) outcome: Outcome,
}

impl Span {
    /// Begins now.
    pub(super) fn begin(parent: Option<&Context>, envelope: &Envelope, queue: Arc<str>) -> Self {
        let now = SystemTime::now();
        Self {
            context: parent.map_or_else(Context::root, Context::child),
            parent: parent.map(|it| it.span_id),
            received: now,
            settled: now,
            exchange: envelope.exchange.clone(),
            queue,
            message_id: envelope.message_id.clone(),
            bytes: envelope.payload.len(),
            kind: None,
            topic: None,
            attempts: 0,
            outcome: Outcome::Requeued,
        }
    }
}
