//! The endpoint of SNS.

use aws_config::SdkConfig;
use aws_sdk_sns::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_types::service_config::ServiceConfigKey;
use url::Url;

/// Where the requests for one region go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    url: String,
    host: String,
    signing_region: String,
}

impl Endpoint {
    /// The SDK's own choice for a region: dual-stack and FIPS as the environment has it, and
    /// `configured` or else `AWS_ENDPOINT_URL_SNS` or `AWS_ENDPOINT_URL` in place of the region's own.
    ///
    /// # Errors
    ///
    /// The SDK knows no such endpoint, for example none that is both FIPS and dual-stack.
    pub(super) async fn resolve(
        shared: &SdkConfig,
        region: &str,
        configured: Option<&Url>,
    ) -> Result<Self, String> {
        let params = Params::builder()
            .region(region)
            .set_use_fips(shared.use_fips())
            .set_use_dual_stack(shared.use_dual_stack())
            .set_endpoint(configured.map(ToString::to_string).or_else(|| from_environment(shared)))
            .build()
            .map_err(|error| error.to_string())?;
        let rules = DefaultResolver::new();
        let endpoint = ResolveEndpoint::resolve_endpoint(&rules, &params).await;
        Self::new(endpoint.map_err(|error| error.to_string())?.url(), region)
    }

    fn new(url: &str, region: &str) -> Result<Self, String> {
        let mut url = Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let authority = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => return Err(format!("{url} has no host")),
        };
        Ok(Self { url: url.into(), host: authority, signing_region: region.to_owned() })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// As the `Host` header has it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn signing_region(&self) -> &str {
        &self.signing_region
    }
}

fn from_environment(shared: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("SNS")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_sns = shared.service_config().zip(key.ok()).and_then(|(it, key)| it.load_config(key));
    of_sns.or_else(|| shared.endpoint_url().map(ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sns::config::Region;

    use super::*;

    async fn resolve(region: &str, configured: Option<&str>) -> Endpoint {
        let shared = SdkConfig::builder().region(Region::new(region.to_owned())).build();
        let configured = configured.map(|url| Url::parse(url).unwrap());
        Endpoint::resolve(&shared, region, configured.as_ref()).await.unwrap()
    }

    #[tokio::test]
    async fn a_region_has_an_endpoint_of_its_own_in_its_partition() {
        for (region, url) in [
            ("eu-west-1", "https://sns.eu-west-1.amazonaws.com/"),
            ("cn-north-1", "https://sns.cn-north-1.amazonaws.com.cn/"),
            ("us-gov-west-1", "https://sns.us-gov-west-1.amazonaws.com/"),
        ] {
            let endpoint = resolve(region, None).await;
            assert_eq!((endpoint.url(), endpoint.signing_region()), (url, region));
        }
    }

    #[tokio::test]
    async fn a_configured_host_takes_its_place_and_keeps_its_port_and_path() {
        let endpoint = resolve("eu-west-1", Some("http://127.0.0.1:4566")).await;
        assert_eq!((endpoint.url(), endpoint.host()), ("http://127.0.0.1:4566/", "127.0.0.1:4566"));
        assert_eq!(
            resolve("eu-west-1", Some("https://proxy/sns")).await.url(),
            "https://proxy/sns/"
        );
        assert_eq!(resolve("eu-west-1", Some("http://[::1]:80")).await.host(), "[::1]");
    }
}
