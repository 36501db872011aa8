//! The credentials that requests are signed with.

mod cause;
mod default_chain;

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::identity::Identity;
use tokio::sync::Mutex;
use tokio::time::timeout;

use self::cause::Cause;
pub(super) use self::default_chain::DefaultChain;
use crate::outcome::{Fault, Scope};

/// Fetched anew so long before they expire, as the SDK does: a request must not be signed
/// with what expires on its way.
const BUFFER: Duration = Duration::from_secs(10);

/// Keeps what the credential chain gave until it expires or is refused.
#[derive(Debug)]
pub(super) struct Keys {
    chain: Option<SharedCredentialsProvider>,
    patience: Duration,
    current: RefCell<Option<Identity>>,
    /// One fetch for all who wait.
    fetching: Mutex<()>,
}

impl Keys {
    /// Asks `chain` when somebody needs credentials, and waits for at most `patience`.
    pub(super) fn new(chain: Option<SharedCredentialsProvider>, patience: Duration) -> Self {
        Self { chain, patience, current: RefCell::default(), fetching: Mutex::default() }
    }

    /// Credentials that are good for a request now.
    pub(super) async fn get(&self) -> Result<Identity, Fault> {
        if let Some(known) = self.fresh() {
            return Ok(known);
        }
        let _turn = self.fetching.lock().await;
        if let Some(known) = self.fresh() {
            return Ok(known);
        }
        let fetched: Identity = self.fetch().await?.into();
        *self.current.borrow_mut() = Some(fetched.clone());
        Ok(fetched)
    }

    /// SNS refused them: the next request asks the chain, which may have others by then.
    pub(super) fn refused(&self) {
        *self.current.borrow_mut() = None;
    }

    fn fresh(&self) -> Option<Identity> {
        let current = self.current.borrow();
        current.as_ref().filter(|it| is_fresh(it.expiration())).cloned()
    }

    async fn fetch(&self) -> Result<Credentials, Fault> {
        let fault = |detail: &str| Fault {
            scope: Scope::Service,
            code: "credentials".to_owned(),
            detail: detail.to_owned(),
        };
        let chain = self.chain.as_ref().ok_or_else(|| fault("there is no credential chain"))?;
        match timeout(self.patience, chain.provide_credentials()).await {
            Ok(Ok(credentials)) => Ok(credentials),
            // Not the SDK's own words: those of a credential process are whatever that program wrote.
            Ok(Err(error)) => {
                let cause = Cause::within(&error);
                let other = "the credential chain gave none that can be used";
                Err(fault(cause.as_deref().unwrap_or(other)))
            }
            Err(_) => Err(fault("the credential chain did not answer in time")),
        }
    }
}

fn is_fresh(expiration: Option<SystemTime>) -> bool {
    expiration.is_none_or(|at| at > SystemTime::now() + BUFFER)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::future::ProvideCredentials as Providing;

    use super::*;

    /// Credentials that are valid for so long, or none; counts how often it was asked.
    #[derive(Debug)]
    struct Chain {
        valid_for: Option<Duration>,
        asked: Arc<AtomicUsize>,
    }

    impl ProvideCredentials for Chain {
        fn provide_credentials<'a>(&'a self) -> Providing<'a>
        where
            Self: 'a,
        {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Providing::ready(match self.valid_for {
                Some(valid_for) => {
                    let expires = Some(SystemTime::now() + valid_for);
                    Ok(Credentials::new("id", "secret", None, expires, "test"))
                }
                None => Err(CredentialsError::provider_error("the planted secret")),
            })
        }
    }

    fn keys(valid_for: Option<Duration>) -> (Keys, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let chain = Chain { valid_for, asked: Arc::clone(&asked) };
        (Keys::new(Some(SharedCredentialsProvider::new(chain)), Duration::from_secs(1)), asked)
    }

    #[tokio::test]
    async fn the_chain_is_asked_once_as_long_as_its_credentials_are_good() {
        let (keys, asked) = keys(Some(Duration::from_mins(1)));
        let all = futures_util::future::join_all((0..5).map(|_| keys.get())).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        keys.refused();
        assert!(keys.get().await.is_ok());
        assert_eq!(asked.load(Ordering::Relaxed), 2, "refused ones are not kept");
    }

    #[tokio::test]
    async fn credentials_about_to_expire_are_fetched_anew() {
        let (keys, asked) = keys(Some(Duration::from_secs(5)));
        assert!(keys.get().await.is_ok() && keys.get().await.is_ok());
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_chain_without_credentials_is_a_fault_of_the_service_in_our_words() {
        let (keys, _) = keys(None);
        let fault = keys.get().await.unwrap_err();
        assert_eq!((fault.scope, &*fault.code), (Scope::Service, "credentials"));
        assert!(!fault.to_string().contains("secret"));
    }
}
