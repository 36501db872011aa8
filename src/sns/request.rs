//! Sends one signed HTTP request and reads its answer.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use super::credentials::Keys;
use super::endpoint::Endpoint;
use crate::config;
use crate::error_chain::error_chain;
use crate::limits::{LONGEST_ANSWER, LONGEST_SAID};
use crate::outcome::{Fault, Scope};
use crate::publish::fault::UNREACHABLE;
use crate::untrusted::one_line;

const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";
const USER_AGENT: &str = concat!("event-pusher-sns/", env!("CARGO_PKG_VERSION"));

/// What SNS, or whoever answers in its place, sent back.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// What the request was signed with: it must not be shown, though SNS may quote it.
    pub(super) signed_with: Identity,
}

/// Signs and sends.
///
/// These are the SDK's own parts (its signer, its HTTP connector with TLS, proxies and kept
/// connections) without the orchestrator around them, whose layers cost more than all of these together.
#[derive(Debug)]
pub(super) struct Requester {
    connector: Connector,
    keys: Keys,
    patience: Duration,
}

impl Requester {
    /// Nothing is connected yet.
    /// `idle` connections are kept for each region.
    pub(super) fn new(
        sns: &config::Sns,
        chain: Option<SharedCredentialsProvider>,
        idle: usize,
    ) -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(sns.connect_timeout);
        let connector = Connector::builder()
            .connector_settings(settings.build())
            .sleep_impl(TokioSleep::new())
            .proxy_config(ProxyConfig::from_env())
            .pool_max_idle_per_host(idle)
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build();
        // Within the attempt's own time, so that slow credentials show as what they are.
        let keys = Keys::new(chain, sns.attempt_timeout.mul_f64(0.8));
        Self { connector, keys, patience: sns.attempt_timeout }
    }

    /// Sends a form to `endpoint`.
    ///
    /// # Errors
    ///
    /// There was no answer, or none that could be read.
    pub(super) async fn post(&self, endpoint: &Endpoint, form: String) -> Result<Answered, Fault> {
        let answering = async {
            let identity = self.keys.get().await?;
            let request = request(endpoint, form, &identity)?;
            let response = self.connector.call(request).await;
            answered(response.map_err(|error| unreached(&error))?, identity).await
        };
        let late = |_| {
            fault(Scope::Transient, "timeout", &format!("no answer within {:?}", self.patience))
        };
        timeout(self.patience, answering).await.map_err(late)?
    }

    /// SNS refused the credentials.
    pub(super) fn forget_credentials(&self) {
        self.keys.refused();
    }
}

fn request(endpoint: &Endpoint, form: String, identity: &Identity) -> Result<HttpRequest, Fault> {
    let unbuilt = |error: &dyn Error| fault(Scope::Service, "request", &error_chain(error));
    let signed = [("content-type", CONTENT_TYPE), ("host", endpoint.host())];
    let signable = SignableRequest::new(
        "POST",
        endpoint.url(),
        signed.into_iter(),
        SignableBody::Bytes(form.as_bytes()),
    );
    let params = SigningParams::builder()
        .identity(identity)
        .region(endpoint.signing_region())
        .name("sns")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unbuilt(&error))?
        .into();
    let signature =
        signable.and_then(|request| sign(request, &params)).map_err(|error| unbuilt(&error))?;
    let (instructions, _) = signature.into_parts();

    let mut request = HttpRequest::new(SdkBody::from(form));
    let method_and_uri = request.set_method("POST").and_then(|()| request.set_uri(endpoint.url()));
    method_and_uri.map_err(|error| unbuilt(&error))?;
    let headers = request.headers_mut();
    headers.insert("content-type", CONTENT_TYPE);
    headers.insert("user-agent", USER_AGENT);
    for (name, value) in instructions.headers() {
        headers.try_insert(name.to_owned(), value.to_owned()).map_err(|error| unbuilt(&error))?;
    }
    Ok(request)
}

async fn answered(response: HttpResponse, signed_with: Identity) -> Result<Answered, Fault> {
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
    // An answer that can't be read tells nothing about whether SNS took the message.
    let body = body.map_err(|error| fault(Scope::Transient, "response", &error_chain(&*error)))?;
    Ok(Answered { status, body: body.to_bytes().into(), signed_with })
}

fn unreached(error: &ConnectorError) -> Fault {
    let causes = error_chain(error);
    let code = match error {
        // Name resolution, TCP and TLS: no request has left.
        error if is_connecting(error) => UNREACHABLE,
        error if error.is_timeout() => "timeout",
        _ => "connection",
    };
    fault(Scope::Transient, code, &causes)
}

/// Whether no connection was made. The type is that of the library below the connector; tests see to it that it is.
fn is_connecting(error: &ConnectorError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            return error.is_connect();
        }
        cause = error.source();
    }
    false
}

fn fault(scope: Scope, code: &str, detail: &str) -> Fault {
    Fault { scope, code: code.to_owned(), detail: one_line(detail, LONGEST_SAID) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_of_one_byte_too_many_is_not_kept() {
        let answer = |bytes: usize| async move {
            let body = SdkBody::from(vec![b'x'; bytes]);
            let status = 200.try_into().unwrap();
            answered(HttpResponse::new(status, body), Identity::new((), None)).await
        };
        assert_eq!(answer(LONGEST_ANSWER).await.unwrap().body.len(), LONGEST_ANSWER);
        let fault = answer(LONGEST_ANSWER + 1).await.err().unwrap();
        assert_eq!((fault.scope, fault.code.as_str()), (Scope::Transient, "response"));
        assert!(!fault.detail.contains("xx"), "{}", fault.detail);
    }
}
