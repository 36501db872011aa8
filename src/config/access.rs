//! Validates where SNS is, and as whom it is used: for all XMPP domains, and for those that differ.

use std::collections::BTreeMap;

use secrecy::SecretString;
use url::Url;

use super::endpoint;
use super::key::Key;
use super::reader::Reader;
use super::settings::{Access, StaticCredentials};
use crate::arn;

const CREDENTIALS: [&str; 3] = ["access_key_id", "secret_access_key", "session_token"];

/// All that there are, `[sns]`'s first, each once; and the number of each host's.
pub(super) fn all(read: &mut Reader) -> (Vec<Access>, BTreeMap<String, arn::Access>) {
    let base = Key::from("sns");
    let mut accesses = vec![access(read, &base, &base)];
    let mut of_hosts = BTreeMap::new();
    for host in read.names_in(&Key::from("hosts")) {
        let own = Key::from(["hosts", &host, "sns"]);
        // Those of one key pair belong together: none of them is taken from elsewhere.
        let has = |names: &[&str]| names.iter().any(|it| read.setting(&own.child(it)).is_some());
        let credentials = if has(&CREDENTIALS) { &own } else { &base };
        let endpoint = if has(&["sns_host"]) { &own } else { &base };
        let found = access(read, endpoint, credentials);
        let number = accesses.iter().position(|it| it.is_like(&found)).unwrap_or(accesses.len());
        if number == accesses.len() {
            accesses.push(found);
        }
        of_hosts.insert(host, arn::Access::try_from(number).unwrap_or_default());
    }
    (accesses, of_hosts)
}

fn access(read: &mut Reader, endpoint: &Key, credentials: &Key) -> Access {
    Access {
        endpoint: self::endpoint(read, &endpoint.child("sns_host")),
        credentials: self::credentials(read, credentials),
    }
}

fn endpoint(read: &mut Reader, key: &Key) -> Option<Url> {
    match endpoint::parse(&read.optional(key)?) {
        Ok(url) => Some(url),
        Err(wrong) => {
            read.problem(
                key,
                wrong,
                "give a host, host:port or URL, such as \"sns.eu-west-1.amazonaws.com\"",
            );
            None
        }
    }
}

fn credentials(read: &mut Reader, group: &Key) -> Option<StaticCredentials> {
    let [id, secret, token] = CREDENTIALS.map(|name| group.child(name));
    let [key_id, key, session_token] =
        [&id, &secret, &token].map(|key| read.optional(key).map(SecretString::from));
    let unset: Vec<&Key> = [(&id, &key_id), (&secret, &key)]
        .into_iter()
        .filter_map(|(name, value): (_, &Option<SecretString>)| value.is_none().then_some(name))
        .collect();
    let given = match (&key_id, &key, &session_token) {
        (Some(_), None, _) => Some(&id),
        (None, Some(_), _) => Some(&secret),
        (None, None, Some(_)) => Some(&token),
        _ => None,
    };
    if let Some(given) =
        given.filter(|_| [&id, &secret, &token].into_iter().all(|it| read.is_sound(it)))
    {
        for unset in unset {
            let wrong = format!("is unset, but {given} is given");
            read.problem(unset, wrong, "set both parts of the credentials, or none");
        }
    }
    Some(StaticCredentials { access_key_id: key_id?, secret_access_key: key?, session_token })
}
