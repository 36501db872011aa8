//! XMPP domains as JIDs have them, so that configured names match those in events.

use std::borrow::Cow;

use jid::DomainPart;

use crate::route::HOST_PLACEHOLDER;

/// Takes the placeholder's place while the rest is normalised: a label that nothing changes.
const STAND_IN: &str = "q0host0q";

/// Normalises an XMPP domain by the rules for JIDs.
///
/// # Errors
///
/// What the rules say against it.
pub fn normalise(domain: &str) -> Result<String, String> {
    DomainPart::new(domain)
        .map(|domain| domain.as_str().to_owned())
        .map_err(|error| format!("is not an XMPP domain: {error}"))
}

/// Normalises a domain that may hold [`HOST_PLACEHOLDER`], in any case, since names from
/// the environment are lower-case.
///
/// # Errors
///
/// What the rules say against it.
pub fn normalise_pattern(pattern: &str) -> Result<String, String> {
    let placeholder = HOST_PLACEHOLDER.to_ascii_lowercase();
    let pattern = match pattern.to_ascii_lowercase().find(&placeholder) {
        Some(at) => {
            let (before, after) = (&pattern[..at], &pattern[at + placeholder.len()..]);
            Cow::Owned(format!("{before}{STAND_IN}{after}"))
        }
        None => Cow::Borrowed(pattern),
    };
    Ok(normalise(&pattern)?.replace(STAND_IN, HOST_PLACEHOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_normalised_as_those_of_jids_are() {
        let jid: jid::Jid = "alice@Bücher.Example".parse().unwrap();
        assert_eq!(normalise("BÜCHER.example.").as_deref(), Ok(jid.domain().as_str()));
        assert!(normalise("exa mple").is_err());
        assert!(normalise("").is_err());
    }

    #[test]
    fn the_placeholder_outlives_normalisation() {
        assert_eq!(normalise_pattern("Conference.@HOST@").as_deref(), Ok("conference.@HOST@"));
        assert_eq!(normalise_pattern("muc-@host@.Org").as_deref(), Ok("muc-@HOST@.org"));
        assert_eq!(normalise_pattern("@HOST@").as_deref(), Ok("@HOST@"));
        assert_eq!(normalise_pattern("RÄUME.@HOST@").as_deref(), Ok("räume.@HOST@"));
        assert!(normalise_pattern("@HOST@.@HOST@").is_err());
        assert!(normalise_pattern("alice@example.org").is_err());
    }
}
