//! Parses the parts of a request. Pure, so that it can be fuzzed separately: `fuzz/src/lib.rs` compiles it alone.

use super::limits::QUERY_PAIRS;

/// By which browsers keep a session's id.
pub(super) const COOKIE: &str = "event_pusher_session";

/// Bytes of a session's id, in hexadecimal digits.
pub(super) const ID_DIGITS: usize = 64;

/// A query's pairs; those without a value are left out, as an empty field of a form is. `None`: too many.
#[must_use]
pub(super) fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .take(QUERY_PAIRS + 1)
        .collect();
    (pairs.len() <= QUERY_PAIRS).then_some(pairs)
}

/// The name or address in a `Host`, in small letters, without its port and a dot at its end.
#[must_use]
pub(super) fn host_name(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) && !name.is_empty() => {
            name
        }
        _ => host,
    };
    name.trim_end_matches('.').to_lowercase()
}

/// Whether an `Origin` is the site that goes by this `Host`.
#[must_use]
pub(super) fn is_of_host(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, it)| it.eq_ignore_ascii_case(host))
}

/// The token in an `Authorization`; an empty one if it has none.
#[must_use]
pub(super) fn bearer(authorization: &str) -> &str {
    let token = authorization.split_once(' ');
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token.map_or("", |(_, token)| token.trim())
}

/// The session's id among cookies, if it has the form of one.
#[must_use]
pub(super) fn session_id(cookies: &str) -> Option<&str> {
    let mut pairs = cookies.split(';').filter_map(|it| it.trim().split_once('='));
    let (_, id) = pairs.find(|(name, _)| *name == COOKIE)?;
    let is_one = id.len() == ID_DIGITS && id.bytes().all(|it| it.is_ascii_hexdigit());
    is_one.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_as_many_pairs_as_it_may_have_and_not_one_more() {
        assert_eq!(
            pairs("a=1&b=&c=%20&d"),
            Some(vec![("a".to_owned(), "1".to_owned()), ("c".to_owned(), " ".to_owned()),])
        );
        let query = |count| vec!["id=x"; count].join("&");
        assert_eq!(pairs(&query(QUERY_PAIRS)).map(|it| it.len()), Some(QUERY_PAIRS));
        assert_eq!(pairs(&query(QUERY_PAIRS + 1)), None);
    }

    #[test]
    fn only_what_has_the_form_of_a_sessions_id_is_one() {
        let id = "0f".repeat(32);
        assert_eq!(session_id(&format!("a=b; {COOKIE}={id}; c")), Some(&*id));
        for other in ["", "x", &id[1..], &format!("{id}0"), &id.replace('f', "ü")] {
            assert_eq!(session_id(&format!("{COOKIE}={other}")), None, "{other}");
        }
    }
}
