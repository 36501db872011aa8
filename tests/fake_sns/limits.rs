//! SNS's own limits, which hold whatever fault is asked for.

use super::query::{Entry, Form};

/// Of one message, and of a whole batch.
pub(super) const MAX_BYTES: usize = 262_144;

const MAX_ENTRIES: usize = 10;
const MAX_ID: usize = 80;

/// An error's code and message.
pub(super) type Refusal = (&'static str, &'static str);

/// Why SNS takes nothing of a batch.
pub(super) fn batch_refusal(form: &Form<'_>, max_bytes: usize) -> Option<Refusal> {
    let entries = &form.entries;
    if entries.is_empty() {
        return Some(("EmptyBatchRequest", "The batch request doesn't contain any entries."));
    }
    if entries.len() > MAX_ENTRIES {
        return Some((
            "TooManyEntriesInBatchRequest",
            "The batch request contains more entries than permissible.",
        ));
    }
    if !entries.iter().all(|entry| is_id(entry.id)) {
        return Some(("InvalidBatchEntryId", "The Id of a batch entry is invalid."));
    }
    let repeats = |(index, entry): (usize, &Entry<'_>)| {
        entries[..index].iter().any(|earlier| earlier.id == entry.id)
    };
    if entries.iter().enumerate().any(repeats) {
        return Some(("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id."));
    }
    if entries.iter().map(Entry::bytes).sum::<usize>() > max_bytes {
        return Some((
            "BatchRequestTooLong",
            "The length of all the batch messages put together is more than the limit.",
        ));
    }
    None
}

/// Why SNS does not take this message. It is the sender's fault.
pub(super) fn message_refusal(
    topic: &[u8],
    entry: &Entry<'_>,
    max_bytes: usize,
) -> Option<Refusal> {
    if entry.field(b"Message").is_none_or(<[u8]>::is_empty) {
        return Some(("InvalidParameter", "Invalid parameter: Empty message"));
    }
    if entry.bytes() > max_bytes {
        return Some(("InvalidParameter", "Invalid parameter: Message too long"));
    }
    if topic.ends_with(b".fifo") && entry.field(b"MessageGroupId").is_none() {
        return Some((
            "InvalidParameter",
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
        ));
    }
    None
}

fn is_id(id: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_ID).contains(&id.len()) && id.iter().all(allowed)
}
