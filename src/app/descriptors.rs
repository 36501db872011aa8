//! Calculates the open files that the process needs, raises its limit, and shares them out.
//!
//! Without a file descriptor, a request fails as if SNS could not be reached, and a probe gets no answer. So the
//! limit is checked before the first one is opened.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::limits::{
    CONNECTIONS_OF_A_SOURCE, FEWEST_ADMIN_CONNECTIONS, FILES_OF_A_CONNECTION, FILES_OF_A_REQUEST,
    MOST_ADMIN_CONNECTIONS, OTHER_CONNECTIONS, OWN_FILES,
};

/// How open files are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Requests to SNS at once.
    pub(crate) requests: u16,
    /// Connections to `admin.listen` at once.
    pub(crate) admin_connections: usize,
}

/// How many are needed, and for what.
#[derive(Debug, Clone, Copy)]
struct Need {
    /// Whatever else: the process itself, and the broker.
    fixed: u64,
    pool_size: u16,
}

impl Need {
    fn of(config: &Config) -> Self {
        let sources = u64::try_from(config.amqp.sources.len()).unwrap_or(u64::MAX);
        let connections = sources.saturating_mul(CONNECTIONS_OF_A_SOURCE) + OTHER_CONNECTIONS;
        let fixed = OWN_FILES + connections.saturating_mul(FILES_OF_A_CONNECTION);
        Self { fixed, pool_size: config.sns.pool_size }
    }

    fn all(self) -> u64 {
        self.with(self.pool_size, MOST_ADMIN_CONNECTIONS)
    }

    fn least(self) -> u64 {
        self.with(1, FEWEST_ADMIN_CONNECTIONS)
    }

    fn with(self, requests: u16, admin_connections: u64) -> u64 {
        self.fixed + admin_connections + u64::from(requests) * FILES_OF_A_REQUEST
    }

    /// What `limit` suffices for. `None`: not for one request.
    fn share(self, limit: u64) -> Option<Share> {
        let rest = limit.checked_sub(self.fixed)?;
        // A quarter for admin connections, up to their limit.
        let admin_connections = (rest / 4).clamp(FEWEST_ADMIN_CONNECTIONS, MOST_ADMIN_CONNECTIONS);
        let requests = rest.checked_sub(admin_connections)? / FILES_OF_A_REQUEST;
        let requests = u16::try_from(requests).unwrap_or(u16::MAX).min(self.pool_size);
        // What requests cannot use, admin connections may.
        let left = rest - u64::from(requests) * FILES_OF_A_REQUEST;
        let admin_connections =
            usize::try_from(left.min(MOST_ADMIN_CONNECTIONS)).unwrap_or(usize::MAX);
        (requests > 0).then_some(Share { requests, admin_connections })
    }

    /// What there is to say of `limit`, if it does not suffice for all.
    fn shortage(self, limit: u64) -> Option<String> {
        let (all, least) = (self.all(), self.least());
        let remedy = "`ulimit -n`, LimitNOFILE= of systemd, --ulimit nofile of Docker";
        if limit >= all {
            return None;
        }
        Some(match self.share(limit) {
            None => format!(
                "a process may have {limit} open files here, and a worker needs {least} at least; raise the limit \
                 to {all} ({remedy})"
            ),
            Some(Share { requests, admin_connections }) => format!(
                "a process may have {limit} open files here, and sns.pool_size = {} needs {all}: at most {requests} \
                 requests to SNS are in flight at once, and {admin_connections} connections to admin.listen; raise the limit \
                 to {all} ({remedy}), or lower sns.pool_size",
                self.pool_size
            ),
        })
    }
}

/// What a worker would say, if open files don't suffice for all that is configured.
pub(crate) fn shortage(config: &Config) -> Option<String> {
    let need = Need::of(config);
    need.shortage(reachable_limit(&getrlimit(Resource::Nofile), need.all()))
}

/// Raises the process's own limit as far as it needs to and may, and shares out what there is. Says so if that is
/// less than configured.
///
/// # Errors
///
/// It does not suffice for anything.
pub(crate) fn reserve(config: &Config) -> Result<Share, String> {
    let need = Need::of(config);
    let given = getrlimit(Resource::Nofile);
    let wanted = reachable_limit(&given, need.all());
    if given.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: given.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(
                event = "open_files_not_raised",
                %error,
                wanted,
                "cannot raise the limit of open files"
            );
        }
    }
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let shortage = need.shortage(limit);
    match (need.share(limit), shortage) {
        (Some(share), None) => Ok(share),
        (Some(share), Some(shortage)) => {
            tracing::warn!(event = "open_files_low", "{shortage}");
            Ok(share)
        }
        (None, shortage) => Err(shortage.unwrap_or_default()),
    }
}

/// The limit, once it is raised to what is `wanted` as far as it may be.
fn reachable_limit(given: &Rlimit, wanted: u64) -> u64 {
    let [current, maximum] = [given.current, given.maximum].map(|it| it.unwrap_or(u64::MAX));
    current.max(wanted.min(maximum))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEED: Need = Need { fixed: 34, pool_size: 1000 };

    #[test]
    fn one_file_too_few_is_said_and_lowers_the_requests() {
        let all = NEED.all();
        assert_eq!(NEED.share(all), Some(Share { requests: 1000, admin_connections: 128 }));
        assert_eq!(NEED.shortage(all), None);
        let fewer = NEED.share(all - 1).unwrap();
        assert_eq!(fewer.requests, 999);
        let said = NEED.shortage(all - 1).unwrap();
        assert!(said.contains("at most 999 requests") && said.contains(&all.to_string()), "{said}");
        assert_eq!(NEED.share(NEED.least()).map(|it| it.requests), Some(1));
        assert_eq!(NEED.share(NEED.least() - 1), None);
    }

    #[test]
    fn the_limit_is_raised_no_further_than_is_needed_or_allowed() {
        let limit = |current, maximum| Rlimit { current: Some(current), maximum };
        assert_eq!(reachable_limit(&limit(1024, Some(524_288)), 2162), 2162);
        assert_eq!(reachable_limit(&limit(1024, None), 2162), 2162);
        assert_eq!(reachable_limit(&limit(64, Some(64)), 2162), 64);
        assert_eq!(reachable_limit(&limit(4096, Some(4096)), 2162), 4096);
    }

    proptest! {
        #[test]
        fn no_more_is_given_away_than_there_is(limit in 0..5000_u64, pool_size in 1..=1000_u16, fixed in 30..300_u64) {
            let need = Need { fixed, pool_size };
            if let Some(Share { requests, admin_connections }) = need.share(limit) {
                prop_assert!(need.with(requests, admin_connections as u64) <= limit);
                prop_assert!((1..=pool_size).contains(&requests));
                prop_assert!((4..=128).contains(&admin_connections));
                prop_assert_eq!(need.shortage(limit).is_none(), limit >= need.all());
            } else {
                prop_assert!(limit < need.least());
            }
        }
    }
}
