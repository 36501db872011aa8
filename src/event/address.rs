//! JIDs, normalised as XMPP asks.

use std::borrow::Cow;

use jid::{Error, Jid};

/// Reads a full or bare JID.
///
/// The root dot (`localhost.`) is removed here: jid 0.12.3 keeps it in some JIDs, which would
/// then be another user, and in others counts offsets as if it were gone.
pub(super) fn parse(text: &str) -> Result<Jid, Error> {
    let domain_end = text.find('/').unwrap_or(text.len());
    let text = match text[..domain_end].strip_suffix('.') {
        None => Cow::Borrowed(text),
        Some(rootless) if rootless.ends_with('.') => return Err(Error::Idna),
        Some(rootless) => Cow::Owned([rootless, &text[domain_end..]].concat()),
    };
    Jid::new(&text)
}

/// The JID without its resource. Neither local part nor domain can hold a slash.
pub(crate) fn bare(jid: &Jid) -> &str {
    let text = jid.as_str();
    text.split_once('/').map_or(text, |(bare, _)| bare)
}
