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
/// The first thing that is wrong with it, as the end of a sentence, and nothing of the text.
pub fn parse(text: &str) -> Result<Url, String> {
    let (url, faults) = read(text);
    match (url, faults.into_iter().next()) {
        (Some(url), None) => Ok(url),
        (_, Some(wrong)) => Err(wrong),
        (None, None) => Err("is not a host or URL".to_owned()),
    }
}

/// Everything that is wrong with an endpoint.
#[must_use]
pub fn faults(text: &str) -> Vec<String> {
    read(text).1
}

/// The endpoint, as far as it can be read, and what is wrong with it.
fn read(text: &str) -> (Option<Url>, Vec<String>) {
    let mut faults = Vec::new();
    // Beyond the host an `@` is most likely the rest of a slip in `https://user:password@host`.
    if text.contains('@') {
        faults.push("has a user or password in it".to_owned());
    }
    let has_scheme = text.contains("://");
    let with_scheme = |scheme: &str| {
        let whole = if has_scheme { text.to_owned() } else { format!("{scheme}://{text}") };
        Url::parse(&whole).map_err(|error| format!("is not a host or URL: {error}"))
    };
    let by_tls = with_scheme("https");
    let is_plain = !has_scheme && by_tls.as_ref().is_ok_and(is_loopback);
    let url = match if is_plain { with_scheme("http") } else { by_tls } {
        Ok(url) => url,
        Err(wrong) => {
            // Where a password is in it, the library's words are about that.
            if faults.is_empty() {
                faults.push(wrong);
            }
            return (None, faults);
        }
    };
    if !matches!(url.scheme(), "http" | "https") {
        faults.push("has a scheme other than http and https".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        faults.push("has a query or fragment in it".to_owned());
    }
    (Some(url), faults)
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
    fn all_that_is_wrong_with_an_endpoint_is_told_at_once() {
        let expected = [
            "has a user or password in it",
            "has a scheme other than http and https",
            "has a query or fragment in it",
        ];
        assert_eq!(faults("ftp://user:planted@host/?x=1"), expected);
        assert!(faults("localhost:4566").is_empty());
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
