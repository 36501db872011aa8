//! Product and version of the broker, from its greeting (`connection.start`). lapin does not show them.

use std::fmt;

use super::walk::Walk;
use crate::limits::LONGEST_SERVER;
use crate::untrusted::one_line;

/// The product whose versions are known here.
const RABBITMQ: &str = "RabbitMQ";

/// The first version that refuses a wrong argument before it does what it was asked for, and that is promised to work.
const STRICT_FROM: (u32, u32) = (3, 10);

/// The type of a text in a table.
const TEXT: u8 = b'S';

/// Who the broker says it is: a value of the other side, each of its texts in one visible line. Empty: it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Server {
    product: String,
    version: String,
}

impl Server {
    /// `product` and `version` as the broker sent them.
    pub(crate) fn new(product: &[u8], version: &[u8]) -> Self {
        let shown = |bytes: &[u8]| one_line(&String::from_utf8_lossy(bytes), LONGEST_SERVER);
        Self { product: shown(product), version: shown(version) }
    }

    /// Reads the arguments of `connection.start`. `None`: they can't be read.
    pub(super) fn read(walk: &mut Walk<'_>) -> Option<Self> {
        // AMQP's version.
        walk.skip(2)?;
        walk.enter_table()?;
        let (mut product, mut version): (&[u8], &[u8]) = Default::default();
        let mut found = Vec::new();
        while let Some((entry, name)) = walk.entry() {
            found.push((name.clone(), name.end..entry.end));
        }
        for (name, value) in found {
            // A text has its type and its length before it.
            let [TEXT, _, _, _, _, text @ ..] = walk.bytes(value) else { continue };
            match walk.bytes(name) {
                b"product" => product = text,
                b"version" => version = text,
                _ => {}
            }
        }
        Some(Self::new(product, version))
    }

    pub(crate) fn product(&self) -> &str {
        &self.product
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Whether it says that it is RabbitMQ, of this version or a later one.
    pub(crate) fn is_rabbitmq_from(&self, first: (u32, u32)) -> bool {
        self.product == RABBITMQ
            && self.numbers().is_some_and(|(major, minor, _)| (major, minor) >= first)
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Notes;
    use super::super::tests::{frame, through, whole};
    use super::*;

    fn long(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
    }

    /// `connection.start` with these properties of the server, each with its type and value.
    fn start(properties: &[(&[u8], &[u8])]) -> Vec<u8> {
        let entry = |(name, value): &(&[u8], &[u8])| {
            [&[u8::try_from(name.len()).unwrap()], *name, *value].concat()
        };
        let table: Vec<u8> = properties.iter().flat_map(entry).collect();
        let method: &[u8] = &[0, 10, 0, 10, 0, 9];
        frame(1, 0, &[method, &long(&table), &long(b"PLAIN AMQPLAIN"), &long(b"en_US")].concat())
    }

    fn text(text: &[u8]) -> Vec<u8> {
        [b"S", &long(text)[..]].concat()
    }

    fn greeting(product: &[u8], version: &[u8]) -> Vec<u8> {
        let capabilities = [b"F", &long(b"\x12consumer_priorities\x74\x01")[..]].concat();
        start(&[
            (b"capabilities", &capabilities),
            (b"product", &text(product)),
            (b"platform", &text(b"Erlang/OTP 29")),
            (b"version", &text(version)),
        ])
    }

    fn server(stream: &[u8]) -> Option<Server> {
        let notes = Notes::default();
        let _ = whole(&notes, stream);
        notes.server()
    }

    #[test]
    fn the_broker_is_known_by_its_greeting_however_that_is_cut() {
        let stream = greeting(b"RabbitMQ", b"4.3.6");
        for piece in 1..stream.len() {
            let notes = Notes::default();
            assert_eq!(through(&notes, &stream, &[piece], 1 << 16), stream, "it is not changed");
            let server = notes.server().unwrap();
            assert_eq!((server.product(), server.version()), ("RabbitMQ", "4.3.6"));
            assert_eq!(server.to_string(), "RabbitMQ 4.3.6");
        }
    }

    #[test]
    fn a_greeting_that_is_none_is_survived() {
        let stream = greeting(b"RabbitMQ", b"4.3.6");
        for end in 0..stream.len() {
            assert_eq!(server(&stream[..end]), None, "{end}");
        }
        // A payload that ends anywhere, in a frame of its own.
        for end in 7..stream.len() - 1 {
            let unknown = server(&frame(1, 0, &stream[7..end])).unwrap_or_default();
            assert!(end > stream.len() / 2 || unknown == Server::default(), "{end}: {unknown}");
        }
        assert_eq!(
            server(&start(&[])).unwrap().to_string(),
            "a broker that does not say what it is"
        );
        let number = start(&[(b"product", b"I\0\0\0\x01"), (b"version", &text(b"1"))]);
        assert_eq!(server(&number).unwrap(), Server::new(b"", b"1"), "no text is no name");
    }

    #[test]
    fn only_the_first_greeting_counts() {
        let both = [greeting(b"RabbitMQ", b"3.10.8"), greeting(b"RabbitMQ", b"4.3.6")].concat();
        assert_eq!(server(&both).unwrap().version(), "3.10.8");
    }

    #[test]
    fn what_the_broker_says_is_shown_in_one_line_of_bounded_length() {
        let hostile = b"\x1b[31mRabbit\nMQ\xff";
        assert_eq!(server(&greeting(hostile, b"")).unwrap().to_string(), "[31mRabbit MQ\u{fffd}");
        let (fits, one_more) = (vec![b'a'; LONGEST_SERVER], vec![b'a'; LONGEST_SERVER + 1]);
        assert_eq!(server(&greeting(&fits, b"")).unwrap().product().len(), LONGEST_SERVER);
        let cut = server(&greeting(&one_more, &one_more)).unwrap();
        assert!(cut.product().ends_with("a…") && cut.version().ends_with("a…"), "{cut}");
    }

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
