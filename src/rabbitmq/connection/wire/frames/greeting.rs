//! Reads the broker's greeting (`connection.start`): who it says it is.

use super::server::Server;
use super::walk::Walk;

/// The type of a text in a table.
const TEXT: u8 = b'S';

/// The server, from the method's arguments. `None`: they can't be read.
pub(super) fn server(walk: &mut Walk<'_>) -> Option<Server> {
    // AMQP's version.
    walk.skip(2)?;
    walk.enter_table()?;
    let mut found = Vec::new();
    while let Some((entry, name)) = walk.entry() {
        found.push((name.clone(), name.end..entry.end));
    }
    let (mut product, mut version): (&[u8], &[u8]) = Default::default();
    for (name, value) in found {
        // A text has its type and its length before it.
        let [TEXT, _, _, _, _, text @ ..] = walk.bytes(value) else { continue };
        match walk.bytes(name) {
            b"product" => product = text,
            b"version" => version = text,
            _ => {}
        }
    }
    Some(Server::new(product, version))
}

#[cfg(test)]
mod tests {
    use super::super::Notes;
    use super::super::tests::{frame, through, whole};
    use super::Server;
    use crate::limits::LONGEST_SERVER;

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
}
