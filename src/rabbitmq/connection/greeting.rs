//! Finds product and version of the broker, which are in its greeting. lapin does not expose that, so this connects once more.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use lapin::AsyncTcpStream;
use tokio::time::timeout;

use super::tls;
use crate::config::AmqpUri;
use crate::limits::LONGEST_GREETING;
use crate::rabbitmq::connection::Broker;

/// For all of it, with one node.
const PATIENCE: Duration = Duration::from_secs(5);

const HELLO: &[u8] = b"AMQP\0\0\x09\x01";

/// The product that knows which arguments each type of queue has.
const RABBITMQ: &[u8] = b"RabbitMQ";

/// The first version that refuses a wrong argument before it does what it was asked for, and that is promised to work.
const STRICT_FROM: (u32, u32) = (3, 10);

/// The first number of the broker's version, by the first node that says so.
pub(crate) async fn major_version(broker: &Broker) -> Option<u32> {
    first(broker, version_in).await.map(|(major, _)| major)
}

/// Whether the broker is known to refuse a method with a wrong argument without carrying it out. Such methods ask what a user
/// may do, and what a queue is. A broker that took them would consume, publish or declare.
pub(in crate::rabbitmq) async fn refuses_wrong_arguments(broker: &Broker) -> bool {
    first(broker, |greeting| Some(is_strict(greeting))).await.unwrap_or(false)
}

fn is_strict(greeting: &[u8]) -> bool {
    text_in(greeting, b"\x07productS") == Some(RABBITMQ)
        && version_in(greeting).is_some_and(|version| version >= STRICT_FROM)
}

/// What is read of the greeting of the first node that gives it.
async fn first<T>(broker: &Broker, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    for uri in &broker.config().uris {
        if let Ok(Some(greeting)) = timeout(PATIENCE, greeting(broker, uri)).await
            && let Some(found) = read(&greeting)
        {
            return Some(found);
        }
    }
    None
}

/// The first frame, as far as it is worth reading.
async fn greeting(broker: &Broker, uri: &AmqpUri) -> Option<Vec<u8>> {
    let parsed: lapin::uri::AMQPUri = uri.expose().parse().ok()?;
    let runtime = lapin::runtime::default_runtime().ok()?;
    let addresses = runtime.to_socket_addrs((uri.host(), parsed.authority.port));
    let mut stream = AsyncTcpStream::connect(&runtime, addresses).await.ok()?;
    if uri.is_tls() {
        let connector = tls::connector(&broker.config().tls).ok()?;
        stream = stream.into_rustls(&connector, &uri.host()).await.ok()?;
    }
    let mut sent = 0;
    while sent < HELLO.len() {
        let rest = &HELLO[sent..];
        let write = poll_fn(|context| Pin::new(&mut stream).poll_write(context, rest));
        sent += write.await.ok().filter(|count| *count > 0)?;
    }
    poll_fn(|context| Pin::new(&mut stream).poll_flush(context)).await.ok()?;
    first_frame(&mut stream).await
}

async fn first_frame<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let (mut read, mut frame) = ([0; 1024], Vec::new());
    while frame.len() < LONGEST_GREETING && !is_whole(&frame) {
        let room = read.len().min(LONGEST_GREETING - frame.len());
        let some = poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut read[..room]));
        let count = some.await.ok().filter(|count| *count > 0)?;
        frame.extend_from_slice(&read[..count]);
    }
    Some(frame)
}

/// A frame has its size after a type and a channel's number, and an octet at its end.
fn is_whole(frame: &[u8]) -> bool {
    const HEAD: usize = 7;
    let size = frame.get(3..HEAD).and_then(|it| it.try_into().ok()).map(u32::from_be_bytes);
    size.and_then(|size| usize::try_from(size).ok()).is_some_and(|size| frame.len() > HEAD + size)
}

/// The first two numbers of the version.
fn version_in(greeting: &[u8]) -> Option<(u32, u32)> {
    let version = std::str::from_utf8(text_in(greeting, b"\x07versionS")?).ok()?;
    let mut numbers = version.split('.');
    let major = numbers.next()?.parse().ok()?;
    Some((major, numbers.next().and_then(|it| it.parse().ok()).unwrap_or(0)))
}

/// In the table of what the server says of itself: a name with its length, `S`, and a text with its length.
fn text_in<'a>(greeting: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = greeting.windows(name.len()).position(|it| it == name)? + name.len();
    let length = greeting.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)?;
    let end = at.checked_add(4)?.checked_add(usize::try_from(length).ok()?)?;
    greeting.get(at + 4..end)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::task::{Context, Poll};

    use super::*;

    /// Sends bytes for ever, none of which ends a frame.
    struct Endless;

    impl AsyncRead for Endless {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            into.fill(0xff);
            Poll::Ready(Ok(into.len()))
        }
    }

    #[tokio::test]
    async fn no_more_is_read_of_a_greeting_than_the_limit() {
        let greeting = first_frame(&mut Endless).await.unwrap();
        assert_eq!(greeting.len(), LONGEST_GREETING);
        assert_eq!(version_in(&greeting), None);
    }

    fn greeting(version: &[u8]) -> Vec<u8> {
        let length = u32::try_from(version.len()).unwrap().to_be_bytes();
        [&b"\x01\0\0\0\0\0\x20\x07productS\0\0\0\x08RabbitMQ\x07versionS"[..], &length, version]
            .concat()
    }

    #[test]
    fn the_version_is_found_and_what_is_none_is_survived() {
        assert_eq!(version_in(&greeting(b"3.10.8")), Some((3, 10)));
        assert_eq!(version_in(&greeting(b"4.3.6")), Some((4, 3)));
        assert_eq!(version_in(&greeting(b"5")), Some((5, 0)));
        assert_eq!(version_in(&greeting(b"latest")), None);
        let whole = greeting(b"3.10.8");
        for end in 0..whole.len() - 5 {
            assert_eq!(version_in(&whole[..end]), None, "{end}");
        }
        assert_eq!(version_in(b"\x07versionS\xff\xff\xff\xff"), None);
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
            assert_eq!(is_strict(&greeting(version.as_bytes())), strict, "{version}");
        }
        let mut other = greeting(b"4.3.6");
        other[19] = b'r';
        assert!(!is_strict(&other), "{}", String::from_utf8_lossy(&other));
        assert!(!is_strict(b""));
    }

    #[test]
    fn a_frame_is_read_to_its_end_and_no_further() {
        let frame = [&b"\x01\0\0\0\0\0\x02ab\xce"[..]].concat();
        for end in 0..frame.len() {
            assert!(!is_whole(&frame[..end]), "{end}");
        }
        assert!(is_whole(&frame));
        assert!(!is_whole(b"\x01\0\0\xff\xff\xff\xff"));
    }
}
