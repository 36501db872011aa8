//! The SDK's default chain of credentials, in its order, of which it is known which part failed.
//!
//! The SDK's own chain (`aws_config::default_provider::credentials`) logs the words of a part that fails: those of a credential
//! process are whatever that program wrote. And its error does not say which part that was.

use aws_config::default_provider::use_dual_stack::use_dual_stack_provider;
use aws_config::default_provider::use_fips::use_fips_provider;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Providing;
use aws_credential_types::provider::{ProvideCredentials, Result, SharedCredentialsProvider};
use aws_types::os_shim_internal::{Env, Fs};

use super::cause::{Cause, Part};

/// Asks one part after the other, until one has credentials or fails.
#[derive(Debug)]
pub(in crate::sns) struct DefaultChain {
    parts: [(Part, SharedCredentialsProvider); 5],
}

impl DefaultChain {
    /// `region` is that of the services that some parts ask.
    pub(in crate::sns) async fn new(region: Region) -> Self {
        let config = ProviderConfig::default()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_region(Some(region));
        let (fips, dual_stack) =
            (use_fips_provider(&config).await, use_dual_stack_provider(&config).await);
        let config = config.with_use_fips(fips).with_use_dual_stack(dual_stack);
        let profile = ProfileFileCredentialsProvider::builder().configure(&config).build();
        let web_identity = WebIdentityTokenCredentialsProvider::builder().configure(&config);
        let container = EcsCredentialsProvider::builder().configure(&config).build();
        let instance = ImdsCredentialsProvider::builder().configure(&config).build();
        let environment = EnvironmentVariableCredentialsProvider::new();
        let parts = [
            (Part::Environment, SharedCredentialsProvider::new(environment)),
            (Part::Profile, SharedCredentialsProvider::new(profile)),
            (Part::WebIdentity, SharedCredentialsProvider::new(web_identity.build())),
            (Part::Container, SharedCredentialsProvider::new(container)),
            (Part::Instance, SharedCredentialsProvider::new(instance)),
        ];
        Self { parts }
    }

    async fn ask(&self) -> Result {
        for (part, provider) in &self.parts {
            match provider.provide_credentials().await {
                Ok(credentials) => return Ok(credentials),
                Err(CredentialsError::CredentialsNotLoaded(_)) => {}
                Err(_) => return Err(CredentialsError::provider_error(why(Some(*part)).await)),
            }
        }
        Err(CredentialsError::not_loaded(why(None).await))
    }
}

async fn why(failed: Option<Part>) -> Cause {
    Cause::of(failed, &Env::real(), &Fs::real()).await
}

impl ProvideCredentials for DefaultChain {
    fn provide_credentials<'a>(&'a self) -> Providing<'a>
    where
        Self: 'a,
    {
        Providing::new(self.ask())
    }
}
