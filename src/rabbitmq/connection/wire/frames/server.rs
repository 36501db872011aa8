//! Product and version of the broker, as it says them in its greeting. lapin does not show them.

use std::fmt;

use crate::limits::LONGEST_SERVER;
use crate::untrusted::one_line;

/// The product whose versions are known here.
const RABBITMQ: &str = "RabbitMQ";

/// The first version that refuses a wrong argument before it does what it was asked for, and that is promised to work.
const STRICT_FROM: (u32, u32) = (3, 10);

/// How the hosts of Amazon MQ's brokers end, with `.mq.` and a region before it. The brokers themselves say that they are RabbitMQ.
const AMAZON: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".on.aws"];

/// Who the broker says it is: a value of the other side, each of its texts in one visible line. Empty: it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Server {
    product: String,
    version: String,
    is_amazon_mq: bool,
}

impl Server {
    /// `product` and `version` as the broker sent them.
    pub(crate) fn new(product: &[u8], version: &[u8]) -> Self {
        let shown = |bytes: &[u8]| one_line(&String::from_utf8_lossy(bytes), LONGEST_SERVER);
        Self { product: shown(product), version: shown(version), is_amazon_mq: false }
    }

    /// The same, as it is reached by this host.
    pub(crate) fn at_host(self, host: &str) -> Self {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_amazons = AMAZON.iter().any(|it| host.ends_with(it));
        Self { is_amazon_mq: is_amazons && host.contains(".mq."), ..self }
    }

    pub(crate) fn product(&self) -> &str {
        &self.product
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Whether it says that it is this product.
    pub(crate) fn is(&self, product: &str) -> bool {
        self.product == product
    }

    /// Whether it is reached by a host name of Amazon MQ's.
    pub(crate) const fn is_amazon_mq(&self) -> bool {
        self.is_amazon_mq
    }

    /// Whether it says that it is RabbitMQ, of a version from `first` on and before `end`.
    pub(crate) fn is_rabbitmq_within(&self, first: (u32, u32, u32), end: (u32, u32, u32)) -> bool {
        self.is(RABBITMQ) && self.numbers().is_some_and(|it| (first..end).contains(&it))
    }

    /// Whether it says that it is RabbitMQ, of this version or a later one.
    pub(crate) fn is_rabbitmq_from(&self, first: (u32, u32)) -> bool {
        self.is(RABBITMQ) && self.numbers().is_some_and(|(major, minor, _)| (major, minor) >= first)
    }

    /// Whether it is known to refuse a method with a wrong argument without carrying it out. Such methods ask what a user
    /// may do, and what a queue is. A broker that took them would consume, publish or declare.
    pub(crate) fn refuses_wrong_arguments(&self) -> bool {
        self.is_rabbitmq_from(STRICT_FROM)
    }

    /// The first number of the version.
    pub(crate) fn major_version(&self) -> Option<u32> {
        self.numbers().map(|(major, ..)| major)
    }

    /// The first three numbers of the version; those that it does not say are 0.
    fn numbers(&self) -> Option<(u32, u32, u32)> {
        let mut parts = self.version.split('.');
        let major = parts.next()?.parse().ok()?;
        let mut next = || {
            let part = parts.next().unwrap_or_default();
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse().unwrap_or(0)
        };
        Some((major, next(), next()))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.product(), self.version()) {
            ("", _) => f.write_str("a broker that does not say what it is"),
            (product, "") => f.write_str(product),
            (product, version) => write!(f, "{product} {version}"),
        }?;
        if self.is_amazon_mq { f.write_str(" on Amazon MQ") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let numbers = |version: &[u8]| Server::new(b"RabbitMQ", version).numbers();
        assert_eq!(numbers(b"3.10.8"), Some((3, 10, 8)));
        assert_eq!(numbers(b"4.3.0-rc.1"), Some((4, 3, 0)));
        assert_eq!(numbers(b"4.3-beta"), Some((4, 3, 0)));
        assert_eq!(numbers(b"5"), Some((5, 0, 0)));
        assert_eq!(numbers(b"latest"), None);
        assert_eq!(numbers(b""), None);
        assert_eq!(numbers(b"99999999999.1"), None);
        let from_4_3 = |version: &[u8]| Server::new(b"RabbitMQ", version).is_rabbitmq_from((4, 3));
        assert!(from_4_3(b"4.3.0") && from_4_3(b"4.10.1") && from_4_3(b"5.0"));
        assert!(!from_4_3(b"4.2.9") && !from_4_3(b"3.13.7") && !from_4_3(b"") && !from_4_3(b"x"));
        assert!(!Server::new(b"LavinMQ", b"4.3.0").is_rabbitmq_from((4, 3)));
    }

    #[test]
    fn amazon_mq_is_known_by_its_hosts() {
        let at = |host: &str| Server::new(b"RabbitMQ", b"4.3.6").at_host(host);
        for host in [
            "b-c8352341-ec91-4a78-ad9c-a43f23d325bb.mq.us-west-2.amazonaws.com",
            "B-1.MQ.cn-north-1.amazonaws.com.cn.",
            "b-1.mq.eu-west-1.on.aws",
        ] {
            assert!(at(host).is_amazon_mq(), "{host}");
        }
        for host in ["mq.amazonaws.com", "a.mq.example.org", "x.mq.amazonaws.com.example.org", ""] {
            assert!(!at(host).is_amazon_mq(), "{host}");
        }
        let shown = at("b-1.mq.eu-west-1.amazonaws.com").to_string();
        assert_eq!(shown, "RabbitMQ 4.3.6 on Amazon MQ");
    }

    #[test]
    fn only_rabbitmq_from_3_10_on_is_asked_by_wrong_arguments() {
        for (version, strict) in [
            ("3.8.27", false),
            ("3.10.0", true),
            ("3.13.7", true),
            ("4.3.6", true),
            ("10.0.0", true),
        ] {
            let server = Server::new(b"RabbitMQ", version.as_bytes());
            assert_eq!(server.refuses_wrong_arguments(), strict, "{version}");
        }
        assert!(!Server::new(b"rabbitMQ", b"4.3.6").refuses_wrong_arguments());
        assert!(!Server::default().refuses_wrong_arguments());
    }
}
