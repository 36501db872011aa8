//! The address of a broker, which holds a password.

mod parameters;
#[cfg(test)]
mod tests;

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
