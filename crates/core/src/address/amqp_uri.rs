//! The address of a broker, which holds a password.

mod parameters;

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::limits::LONGEST_SHORT;

/// The address of an AMQP broker. `Debug` and `Display` hide the password, and a user without one, which may be a token.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("format" = "amqp-uri", "pattern" = "^amqps?://"))]
pub struct AmqpUri(#[schemars(with = "String")] SecretString);

/// Why a text is not the address of a broker. Reads as the end of a sentence, and has nothing of the address but the name
/// of a parameter that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}")]
pub struct AmqpUriError {
    /// What is wrong.
    pub wrong: String,
    /// What to do.
    pub remedy: String,
}

impl From<&str> for AmqpUriError {
    fn from(wrong: &str) -> Self {
        let remedy = "write amqp://user:password@host:port/vhost, or amqps:// for TLS, with every special character in user, \
                      password and vhost escaped: the default vhost \"/\" is %2f";
        Self { wrong: wrong.to_owned(), remedy: remedy.to_owned() }
    }
}

impl TryFrom<String> for AmqpUri {
    type Error = AmqpUriError;

    fn try_from(text: String) -> Result<Self, AmqpUriError> {
        Self::parse(&text)
    }
}

impl AmqpUri {
    /// Checks all parts of the address, with what `lapin` makes of them in mind.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, and what to do.
    pub fn parse(text: &str) -> Result<Self, AmqpUriError> {
        Self::faults(text).into_iter().next().map_or_else(|| Ok(Self(text.trim().into())), Err)
    }

    /// Everything that is wrong with an address, as far as its parts can be told apart.
    #[must_use]
    pub fn faults(text: &str) -> Vec<AmqpUriError> {
        let text = text.trim();
        let url = match parts(text) {
            Ok(url) => url,
            Err(wrong) => return vec![wrong.into()],
        };
        let mut faults: Vec<AmqpUriError> = Vec::new();
        if !matches!(url.scheme(), "amqp" | "amqps") {
            faults.push("has a scheme other than amqp and amqps".into());
        }
        if text.chars().any(|it| it.is_control() || it.is_whitespace()) {
            faults.push("has a blank or a line break in it".into());
        }
        let parts = [url.username(), url.password().unwrap_or_default(), url.path()];
        if parts.iter().any(|part| percent_decode_str(part).decode_utf8().is_err()) {
            faults.push("has an escape in user, password or vhost that is not UTF-8".into());
        }
        faults.extend(check_vhost(url.path()).err().map(AmqpUriError::from));
        faults.extend(parameters::faults(&url));
        faults
    }

    /// The address with its password, for connecting only.
    #[must_use]
    pub fn expose(&self) -> String {
        let text = self.0.expose_secret();
        if self.ends_in_slash() {
            let query = text.find('?').unwrap_or(text.len());
            return format!("{}%2f{}", &text[..query], &text[query..]);
        }
        text.to_owned()
    }

    /// Whether the vhost is the default one by a slash at the end. By the URI rules of RabbitMQ that is the vhost "", which
    /// nobody means: the RabbitMQ operator for Kubernetes writes such addresses for the default vhost.
    #[must_use]
    pub fn ends_in_slash(&self) -> bool {
        self.url().is_some_and(|url| url.path() == "/")
    }

    /// Whether it is reached by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url().is_some_and(|url| url.scheme() == "amqps")
    }

    /// The host's name or address; an IPv6 address is without the brackets.
    #[must_use]
    pub fn host(&self) -> String {
        let url = self.url();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        host.trim_matches(['[', ']']).to_owned()
    }

    /// The user's name; `None` where a client certificate says who it is.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        let url = self.url()?;
        let is_external = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
            name == "auth_mechanism" && value.eq_ignore_ascii_case("external")
        };
        if url.query_pairs().any(is_external) {
            return None;
        }
        let user = percent_decode_str(url.username()).decode_utf8_lossy();
        Some(if user.is_empty() { "guest".to_owned() } else { user.into_owned() })
    }

    /// The virtual host; `/` is the default one.
    #[must_use]
    pub fn vhost(&self) -> String {
        let url = self.url();
        let path = url.as_ref().map_or("", Url::path).trim_start_matches('/');
        let vhost = percent_decode_str(path).decode_utf8_lossy();
        if vhost.is_empty() { "/".to_owned() } else { vhost.into_owned() }
    }

    fn url(&self) -> Option<Url> {
        Url::parse(self.0.expose_secret()).ok()
    }
}

/// Takes the address apart; an error is what makes it unsure where a part ends.
fn parts(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => "has no scheme",
        url::ParseError::EmptyHost => "has no host",
        url::ParseError::InvalidPort => {
            "has no valid port, or a password with an unescaped character"
        }
        _ => "is not a valid URI",
    })?;
    let is_foreign = !matches!(url.scheme(), "amqp" | "amqps");
    if url.host_str().is_none_or(str::is_empty) {
        return Err(if is_foreign {
            "has a scheme other than amqp and amqps"
        } else {
            "has no host"
        });
    }
    // Beyond the host an `@` is most likely the rest of a password that has `/`, `?` or
    // `#` in it, and would be shown as the vhost.
    let rest = [url.path(), url.query().unwrap_or_default(), url.fragment().unwrap_or_default()];
    if rest.iter().any(|part| part.contains('@')) {
        return Err("has an unescaped `@` after the host");
    }
    if url.fragment().is_some() {
        return Err("has an unescaped `#`");
    }
    Ok(url)
}

/// `path` begins with the slash that separates it, unless there is no vhost at all.
fn check_vhost(path: &str) -> Result<(), &'static str> {
    let vhost = path.strip_prefix('/').unwrap_or_default();
    if vhost.contains('/') {
        return Err("has an unescaped `/` in its vhost");
    }
    if percent_decode_str(vhost).count() > LONGEST_SHORT {
        return Err("has a vhost of more than 255 bytes, which is AMQP's limit");
    }
    let escaped =
        |escape: &str| escape.len() >= 2 && escape.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if !vhost.split('%').skip(1).all(escaped) {
        return Err("has a `%` in its vhost that begins no escape");
    }
    Ok(())
}

impl fmt::Display for AmqpUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(url) = self.url() else {
            return f.write_str("***");
        };
        write!(f, "{}://", url.scheme())?;
        match (url.username(), url.password()) {
            ("", None) => {}
            // A token may stand there alone.
            (_, None) => f.write_str("***@")?,
            (user, Some(_)) => write!(f, "{user}:***@")?,
        }
        f.write_str(url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(if self.ends_in_slash() { "/%2f" } else { url.path() })
    }
}

impl fmt::Debug for AmqpUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_for_connecting_only() {
        let uri =
            AmqpUri::parse("amqps://chat:s3cret@rabbit.example:5671/%2f?heartbeat=10").unwrap();
        assert_eq!(uri.expose(), "amqps://chat:s3cret@rabbit.example:5671/%2f?heartbeat=10");
        assert_eq!(uri.to_string(), "amqps://chat:***@rabbit.example:5671/%2f");
        assert_eq!(format!("{uri:?}"), uri.to_string());
    }

    #[test]
    fn a_user_without_a_password_may_be_a_token_and_is_hidden() {
        for text in ["amqp://T0KEN@host/v", "amqps://T0KEN@host/v?auth_mechanism=plain"] {
            let uri = AmqpUri::parse(text).unwrap();
            assert!(uri.to_string().ends_with("://***@host/v"), "{uri}");
            assert_eq!(format!("{uri:?}"), uri.to_string());
            assert_eq!(uri.user().as_deref(), Some("T0KEN"));
        }
        assert_eq!(AmqpUri::parse("amqp://T0KEN:@host").unwrap().to_string(), "amqp://***@host");
    }

    #[test]
    fn an_ipv6_address_is_a_host() {
        let uri = AmqpUri::parse("amqp://[fd00::5]:5673").unwrap();
        assert_eq!(
            (uri.to_string(), uri.host()),
            ("amqp://[fd00::5]:5673".to_owned(), "fd00::5".to_owned())
        );
        assert_eq!(AmqpUri::parse("amqp://a.example").unwrap().host(), "a.example");
    }

    #[test]
    fn a_slash_at_the_end_is_the_default_vhost() {
        let uri = AmqpUri::parse("amqp://a:b@host:5672/?heartbeat=5\n").unwrap();
        assert!(uri.ends_in_slash());
        assert_eq!(uri.expose(), "amqp://a:b@host:5672/%2f?heartbeat=5");
        assert_eq!(uri.to_string(), "amqp://a:***@host:5672/%2f");
        assert!(!AmqpUri::parse("amqp://host").unwrap().ends_in_slash());
    }

    #[test]
    fn user_and_vhost_are_those_that_rabbitmq_sees() {
        for (text, user, vhost) in [
            ("amqp://a%40b:s3cret@host/a%2fb", Some("a@b"), "a/b"),
            ("amqp://host", Some("guest"), "/"),
            ("amqp://host/", Some("guest"), "/"),
            ("amqp://host/%2f", Some("guest"), "/"),
            ("amqps://host/v?auth_mechanism=EXTERNAL", None, "v"),
        ] {
            let uri = AmqpUri::parse(text).unwrap();
            assert_eq!((uri.user().as_deref(), &*uri.vhost()), (user, vhost), "{text}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_an_address_is_told_at_once() {
        let faults =
            AmqpUri::faults("http://u:p@host/a/b?heartbeat=x&connection_timeout=5s&hearbeat=3");
        let wrong: Vec<_> = faults.iter().map(|it| &*it.wrong).collect();
        let expected = [
            "has a scheme other than amqp and amqps",
            "has an unescaped `/` in its vhost",
            "its parameter `heartbeat` must be a whole number from 0 to 65535",
            "its parameter `connection_timeout` must be a whole number from 1 to 3600000",
            "has a parameter that is not known",
        ];
        assert_eq!(wrong, expected);
    }

    #[test]
    fn an_address_that_lapin_would_misread_is_refused() {
        let over = format!("amqp://host/{}%2f", "v".repeat(255));
        AmqpUri::parse(&over.replacen('v', "", 1)).unwrap();
        for (text, wrong) in [
            ("127.0.0.1:5672", "has no scheme"),
            ("http://127.0.0.1", "has a scheme other than amqp and amqps"),
            ("amqp:///vhost", "has no host"),
            ("amqp:rabbit", "has no host"),
            ("amqp://u:p#w@host", "has no valid port, or a password with an unescaped character"),
            ("amqp://u:1/x@host", "has an unescaped `@` after the host"),
            ("amqp://u:1?x@host", "has an unescaped `@` after the host"),
            ("amqp://host/v#x", "has an unescaped `#`"),
            ("amqp://u:pa%ff@host", "has an escape in user, password or vhost that is not UTF-8"),
            ("amqp://host/v%ff", "has an escape in user, password or vhost that is not UTF-8"),
            ("amqp://u:a\nb@host", "has a blank or a line break in it"),
            ("amqp://host/a/b", "has an unescaped `/` in its vhost"),
            ("amqp://host//", "has an unescaped `/` in its vhost"),
            (&over, "has a vhost of more than 255 bytes, which is AMQP's limit"),
            ("amqp://host/50%", "has a `%` in its vhost that begins no escape"),
        ] {
            assert_eq!(
                AmqpUri::parse(text).err().map(|it| it.wrong).as_deref(),
                Some(wrong),
                "{text}"
            );
        }
    }
}
