//! The HTTP client of the exporter, which reports the cause of an error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

use crate::error_chain::error_chain;

/// What the last request met that failed.
#[derive(Debug, Clone, Default)]
pub(super) struct LastError(Arc<Mutex<Option<String>>>);

impl LastError {
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, what: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }
}

/// Plain, or by TLS with the system's root certificates.
#[derive(Debug)]
pub(super) struct Client {
    inner: HyperClient<HttpsConnector<HttpConnector>>,
    last_error: LastError,
}

impl Client {
    pub(super) fn new(patience: Duration, last_error: LastError) -> Result<Self, String> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| format!("the system's root certificates: {error}; install them"))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { inner: HyperClient::new(connector, patience, None), last_error })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.inner.send_bytes(request).await;
        match &answer {
            Ok(response) if response.status().is_success() => {}
            Ok(response) => self.last_error.note(format!("it answers {}", response.status())),
            Err(error) => self.last_error.note(error_chain(&**error)),
        }
        answer
    }
}
