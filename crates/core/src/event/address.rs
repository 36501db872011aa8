//! Parses JIDs and normalises them (stringprep).

use std::borrow::Cow;

use jid::{Error, Jid};

/// Longer than any valid part of a JID before it is normalised, in bytes: each is to have 1,023 at most, and
/// normalising takes time and memory many times a text's length.
const LONGEST: usize = 16_384;

/// Reads a full or bare JID.
///
/// Local part and domain must be valid: they are who a user is. A resource is not published, and
/// servers disagree on which are valid: emoji are to RFC 7622 and not to RFC 6122, whose
/// stringprep knows no character younger than Unicode 3.2. One that stringprep refuses is left
/// out.
///
/// The root dot (`localhost.`) is removed here: jid 0.12.3 keeps it in some JIDs, which would
/// then be another user, and in others counts offsets as if it were gone.
pub(super) fn parse(text: &str) -> Result<Jid, Error> {
    let domain_end = text.find('/').unwrap_or(text.len());
    let (bare, resource) = text.split_at(domain_end);
    if bare.len() > LONGEST {
        let (node, _) = bare.split_once('@').unwrap_or_default();
        return Err(if node.len() > LONGEST / 2 { Error::NodeTooLong } else { Error::Idna });
    }
    let (text, resource) = if resource.len() > LONGEST { (bare, "") } else { (text, resource) };
    let rootless = match bare.strip_suffix('.') {
        None => Cow::Borrowed(text),
        Some(rootless) if rootless.ends_with('.') => return Err(Error::Idna),
        Some(rootless) => Cow::Owned([rootless, resource].concat()),
    };
    let parsed = match Jid::new(&rootless) {
        Err(Error::ResourcePrep | Error::ResourceEmpty | Error::ResourceTooLong) => {
            Jid::new(&rootless[..rootless.len() - resource.len()])
        }
        parsed => parsed,
    }?;
    // Normalised, `ß--ß` is `ss--ss`, which is no domain any more: hyphens in places three and four are IDNA's own.
    if parsed.as_str() == rootless { Ok(parsed) } else { Jid::new(parsed.as_str()) }
}

/// The JID without its resource. Neither local part nor domain can hold a slash.
#[must_use]
pub fn bare(jid: &Jid) -> &str {
    let text = jid.as_str();
    text.split_once('/').map_or(text, |(bare, _)| bare)
}
