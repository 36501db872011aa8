//! `sns_host` and `otlp_endpoint`: a service's endpoint as a host, a host with a port, or a URL.

use std::net::IpAddr;

use url::{Host, Url};

/// Where OTLP over HTTP puts traces. Source: OpenTelemetry's OTLP specification, "OTLP/HTTP Request".
const TRACES: &str = "/v1/traces";

/// Reads the endpoint. Without a scheme it is `https`, on a loopback host `http`: a real
/// endpoint is never left without TLS by accident, and emulators rarely have any.
///
/// # Errors
///
/// What is wrong with it, as the end of a sentence, and nothing of the text.
pub fn parse(text: &str) -> Result<Url, String> {
    // Beyond the host an `@` is most likely the rest of a slip in `https://user:password@host`.
    if text.contains('@') {
        return Err("has a user or password in it".to_owned());
    }
    let has_scheme = text.contains("://");
    let with_scheme = if has_scheme { text.to_owned() } else { format!("https://{text}") };
    let mut url =
        Url::parse(&with_scheme).map_err(|error| format!("is not a host or URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("has a scheme other than http and https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or password in it".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or fragment in it".to_owned());
    }
    if !has_scheme && is_loopback(&url) {
        url = Url::parse(&format!("http://{text}"))
            .map_err(|error| format!("is not a host or URL: {error}"))?;
    }
    Ok(url)
}

/// The endpoint of a collector, with the path under which it takes traces.
///
/// # Errors
///
/// As in [`parse`].
pub fn collector(text: &str) -> Result<Url, String> {
    let mut url = parse(text)?;
    let base = url.path().trim_end_matches('/');
    if !base.ends_with(TRACES) {
        let path = format!("{base}{TRACES}");
        url.set_path(&path);
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_a_host_with_a_port_and_a_url_all_name_an_endpoint() {
        for (text, url) in [
            ("sns.eu-west-1.amazonaws.com", "https://sns.eu-west-1.amazonaws.com/"),
            ("sns.example:8443", "https://sns.example:8443/"),
            ("sns.example:80", "https://sns.example:80/"),
            ("http://sns.example", "http://sns.example/"),
            ("https://gateway.example/sns", "https://gateway.example/sns"),
            ("localhost:4566", "http://localhost:4566/"),
            ("sns.localhost", "http://sns.localhost/"),
            ("127.0.0.2:5000", "http://127.0.0.2:5000/"),
            ("[::1]:5000", "http://[::1]:5000/"),
            ("https://localhost:443", "https://localhost/"),
        ] {
            assert_eq!(parse(text).as_ref().map(Url::as_str), Ok(url), "{text}");
        }
    }

    #[test]
    fn what_an_endpoint_can_not_have_is_refused_without_being_repeated() {
        for text in [
            "https://user:planted@sns.example",
            "http//user:planted@sns.example",
            "http:\\\\user:planted@sns.example",
            "sns.example/user:planted@x",
            "sns.example?planted=1",
            "sns.example#planted",
            "planted://sns.example",
            "https://",
            "sns.example:planted",
            "plan ted",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("plan"), "{error}");
        }
    }
}
