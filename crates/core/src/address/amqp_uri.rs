//! The address of a broker, which holds a password.

use std::fmt;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

/// The address of an AMQP broker. `Debug` and `Display` hide the password.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("format" = "amqp-uri", "pattern" = "^amqps?://"))]
pub struct AmqpUri(#[schemars(with = "String")] SecretString);

impl TryFrom<String> for AmqpUri {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text)
    }
}

impl AmqpUri {
    /// Checks scheme, host and virtual host, with what `lapin` makes of them in mind.
    ///
    /// # Errors
    ///
    /// What is wrong, as the end of a sentence; nothing of the address is in it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => "has no scheme",
            url::ParseError::EmptyHost => "has no host",
            url::ParseError::InvalidPort => {
                "has no valid port, or a password with an unescaped character"
            }
            _ => "is not a valid URI",
        })?;
        if !matches!(url.scheme(), "amqp" | "amqps") {
            return Err("has a scheme other than amqp and amqps");
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("has no host");
        }
        // Beyond the host an `@` is most likely the rest of a password that has `/`, `?` or
        // `#` in it, and would be shown as the vhost.
        let rest =
            [url.path(), url.query().unwrap_or_default(), url.fragment().unwrap_or_default()];
        if rest.iter().any(|part| part.contains('@')) {
            return Err("has an unescaped `@` after the host");
        }
        if url.fragment().is_some() {
            return Err("has an unescaped `#`");
        }
        check_vhost(url.path())?;
        Ok(Self(text.into()))
    }

    /// The address with its password, for connecting only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it is reached by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        Url::parse(self.expose()).is_ok_and(|url| url.scheme() == "amqps")
    }

    /// The host's name or address; an IPv6 address is without the brackets.
    #[must_use]
    pub fn host(&self) -> String {
        let url = Url::parse(self.expose()).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        host.trim_matches(['[', ']']).to_owned()
    }
}

/// `path` begins with the slash that separates it, unless there is no vhost at all.
fn check_vhost(path: &str) -> Result<(), &'static str> {
    let Some(vhost) = path.strip_prefix('/') else {
        return Ok(());
    };
    if vhost.is_empty() {
        // By the URI rules of RabbitMQ that is the vhost "", which nobody means.
        return Err("ends in `/`, which names the empty vhost");
    }
    if vhost.contains('/') {
        return Err("has an unescaped `/` in its vhost");
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
        let Ok(url) = Url::parse(self.expose()) else {
            return f.write_str("***");
        };
        write!(f, "{}://", url.scheme())?;
        match (url.username(), url.password()) {
            ("", None) => {}
            (user, None) => write!(f, "{user}@")?,
            (user, Some(_)) => write!(f, "{user}:***@")?,
        }
        f.write_str(url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())
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
    fn an_ipv6_address_is_a_host() {
        let uri = AmqpUri::parse("amqp://[fd00::5]:5673").unwrap();
        assert_eq!(
            (uri.to_string(), uri.host()),
            ("amqp://[fd00::5]:5673".to_owned(), "fd00::5".to_owned())
        );
        assert_eq!(AmqpUri::parse("amqp://a.example").unwrap().host(), "a.example");
    }

    #[test]
    fn an_address_that_lapin_would_misread_is_refused() {
        for (text, wrong) in [
            ("127.0.0.1:5672", "has no scheme"),
            ("http://127.0.0.1", "has a scheme other than amqp and amqps"),
            ("amqp:///vhost", "has no host"),
            ("amqp:rabbit", "has no host"),
            ("amqp://u:p#w@host", "has no valid port, or a password with an unescaped character"),
            ("amqp://u:1/x@host", "has an unescaped `@` after the host"),
            ("amqp://u:1?x@host", "has an unescaped `@` after the host"),
            ("amqp://host/v#x", "has an unescaped `#`"),
            ("amqp://host/", "ends in `/`, which names the empty vhost"),
            ("amqp://host/a/b", "has an unescaped `/` in its vhost"),
            ("amqp://host//", "has an unescaped `/` in its vhost"),
            ("amqp://host/50%", "has a `%` in its vhost that begins no escape"),
        ] {
            assert_eq!(AmqpUri::parse(text).err(), Some(wrong), "{text}");
        }
    }
}
