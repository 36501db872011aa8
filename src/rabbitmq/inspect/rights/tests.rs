//! What a trial of a permission shows, and how it is said.

use super::*;

#[test]
fn only_a_refusal_for_the_permission_says_that_it_is_missing() {
    let said = || "said".to_owned();
    for (answer, right) in [
        (Err(SourceError::AccessRefused(said())), Right::Missing),
        (Err(SourceError::PreconditionFailed(said())), Right::Granted),
        (Err(SourceError::NotFound(said())), Right::Granted),
        (Err(SourceError::ResourceLocked(said())), Right::Granted),
        (Ok(()), Right::Granted),
        (Err(SourceError::Failed(said())), Right::Unknown(said())),
    ] {
        assert_eq!(Right::of(answer.clone()), right, "{answer:?}");
    }
}

#[test]
fn a_missing_permission_is_named_with_its_expression() {
    let (permission, resource) = (Permission::Read, Resource::Queue("a.b".to_owned()));
    let need = Need { permission, resource, purpose: "consume it", family: None };
    assert_eq!(Right::Granted.finding("user `u`", &need), None);
    let missing = Right::Missing.finding("user `u`", &need).unwrap();
    let text = r"permissions: user `u` lacks the read permission on queue `a.b`, which `run` needs to consume it; its regular expression is `^a\.b$`";
    assert_eq!(missing, Finding::bad(text));
    let unknown = Right::Unknown("why".to_owned()).finding("user `u`", &need).unwrap();
    assert!(unknown.good && unknown.text.ends_with(": why"), "{unknown:?}");
}
