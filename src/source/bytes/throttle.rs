//! The stream between socket and lapin that stops reading while too much is in flight.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::InFlightBytes;
use super::frames::{self, Frames};

/// A connection's stream, TLS included.
#[derive(Debug)]
pub(in super::super) struct Throttled<S> {
    stream: S,
    bytes: Arc<InFlightBytes>,
    frames: Frames,
    shedding: Shedding,
}

/// Whole frames are gathered, and passed on or thrown away.
#[derive(Debug, Default)]
struct Shedding {
    /// Of the frame that comes.
    gathered: Vec<u8>,
    /// What lapin has not read yet, and from where on.
    passed_on: Vec<u8>,
    read: usize,
    /// The channel whose deliveries are thrown away, since one was.
    channel: Option<u16>,
}

impl<S> Throttled<S> {
    pub(in super::super) fn new(stream: S, bytes: Arc<InFlightBytes>) -> Self {
        Self { stream, bytes, frames: Frames::default(), shedding: Shedding::default() }
    }
}

impl<S: AsyncRead + Unpin> Throttled<S> {
    fn read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let bytes = &self.bytes;
        self.frames.pass(&buffer[..read], |seen| bytes.see(seen));
        Poll::Ready(Ok(read))
    }

    fn shed(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let Shedding { passed_on, read, .. } = &mut self.shedding;
            if *read < passed_on.len() {
                let some = buffer.len().min(passed_on.len() - *read);
                buffer[..some].copy_from_slice(&passed_on[*read..*read + some]);
                *read += some;
                return Poll::Ready(Ok(some));
            }
            passed_on.clear();
            *read = 0;
            let mut part = [0; 8192];
            let most = self.frames.missing().min(part.len());
            let some = ready!(Pin::new(&mut self.stream).poll_read(context, &mut part[..most]))?;
            if some == 0 {
                return Poll::Ready(Ok(0));
            }
            self.shedding.gathered.extend_from_slice(&part[..some]);
            let counts = self.shedding.channel.is_none();
            let bytes = &self.bytes;
            self.frames.pass(&part[..some], |seen| {
                if counts {
                    bytes.see(seen);
                }
            });
            if self.frames.is_between() {
                self.judge();
            }
        }
    }

    /// A whole frame has come.
    fn judge(&mut self) {
        let Shedding { gathered, passed_on, channel, .. } = &mut self.shedding;
        let on = frames::channel(gathered);
        let is_delivery = frames::is_delivery(gathered);
        // The content of a delivery that began before comes to its end.
        let sheds = if is_delivery {
            *channel == Some(on) || self.bytes.is_full()
        } else {
            *channel == Some(on) && frames::is_content(gathered)
        };
        if sheds {
            *channel = Some(on);
        } else {
            passed_on.extend_from_slice(gathered);
        }
        gathered.clear();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Throttled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let it = &mut *self;
        if !it.bytes.may_read(context.waker()) {
            return Poll::Pending;
        }
        if !it.bytes.sheds() {
            return it.read(context, buffer);
        }
        if it.frames.is_between() || !it.shedding.gathered.is_empty() || it.shedding.has_more() {
            return it.shed(context, buffer);
        }
        let most = it.frames.missing().min(buffer.len());
        it.read(context, &mut buffer[..most])
    }
}

impl Shedding {
    fn has_more(&self) -> bool {
        self.read < self.passed_on.len()
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Throttled<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use futures_util::future::poll_fn;

    use super::super::frames::Seen;
    use super::super::frames::tests::{delivery, frame};
    use super::*;
    use crate::limits::{DELIVERY_OVERHEAD, HEADER_WEIGHT, LARGE_HEADERS};

    /// A content header with no properties.
    const BARE: u64 = 12;

    /// Reads as much as may be read, in parts of so many bytes.
    fn read(throttled: &mut Throttled<&[u8]>, part: usize) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; part]);
        loop {
            let reading =
                poll_fn(|context| Pin::new(&mut *throttled).poll_read(context, &mut buffer));
            match reading.now_or_never() {
                Some(Ok(some @ 1..)) => all.extend_from_slice(&buffer[..some]),
                _ => return all,
            }
        }
    }

    fn limited(stream: &[u8], limit: u64) -> (Throttled<&[u8]>, Arc<InFlightBytes>) {
        let bytes = Arc::<InFlightBytes>::default();
        bytes.limit_to(limit);
        (Throttled::new(stream, Arc::clone(&bytes)), bytes)
    }

    #[tokio::test]
    async fn what_fits_is_read_and_one_byte_more_waits_for_a_settlement() {
        let one = delivery(1, 0, &[100]);
        let stream = [&one[..], &one, &frame(8, 0, &[])].concat();
        let both = 2 * (DELIVERY_OVERHEAD + 100);
        let (mut throttled, _) = limited(&stream, both);
        assert_eq!(read(&mut throttled, 1), stream);

        let (mut throttled, bytes) = limited(&stream, both - 1);
        let before = read(&mut throttled, 1);
        assert_eq!(before.len(), 2 * one.len(), "what follows waits");
        assert_eq!(bytes.stuck(Duration::ZERO).await, 1, "only the first one fits");
        bytes.settle(bytes.charge(1, 100));
        assert_eq!([before, read(&mut throttled, 1)].concat(), stream);
    }

    #[tokio::test]
    async fn one_delivery_is_read_however_large_it_is() {
        let (mut throttled, _) = limited(&[], 1);
        let stream = delivery(1, 0, &[5000, 5000]);
        throttled.stream = &stream;
        assert_eq!(read(&mut throttled, 1), stream);
    }

    #[test]
    fn behind_a_single_delivery_that_is_held_heartbeats_and_answers_are_read() {
        let stream = [delivery(1, 0, &[5000]), frame(8, 0, &[]), frame(8, 0, &[])].concat();
        let (mut throttled, _) = limited(&stream, 1);
        assert_eq!(read(&mut throttled, 64), stream);
    }

    #[tokio::test]
    async fn patience_begins_anew_with_each_settlement() {
        let one = delivery(1, 0, &[100]);
        let stream = [&one[..], &one, &one, &one].concat();
        let (mut throttled, bytes) = limited(&stream, 1);
        read(&mut throttled, one.len());
        let before = bytes.pause_now().unwrap().since;
        // A third one is there, so that there is too much still.
        bytes.see(Seen::Begins { headers: 0 });
        bytes.see(Seen::Ends);
        bytes.settle(bytes.charge(1, 100));
        assert!(bytes.pause_now().unwrap().since > before);
    }

    #[test]
    fn headers_beyond_the_usual_are_charged_by_what_they_take_in_memory() {
        let usual = usize::try_from(LARGE_HEADERS - BARE).unwrap();
        for (headers, charge) in [(usual, 0), (usual + 1, (LARGE_HEADERS + 1) * HEADER_WEIGHT)] {
            let stream = [delivery(1, 0, &[7]), delivery(1, headers, &[7])].concat();
            let (mut throttled, bytes) = limited(&stream, u64::MAX);
            read(&mut throttled, 64);
            assert_eq!(bytes.charge(1, 7), DELIVERY_OVERHEAD + 7);
            assert_eq!(bytes.charge(2, 7), DELIVERY_OVERHEAD + 7 + charge);
            assert_eq!(bytes.in_flight(), 2 * (DELIVERY_OVERHEAD + 7) + charge);
        }
    }

    #[test]
    fn what_is_too_much_is_thrown_away_whole_and_all_that_follows_and_answers_arrive() {
        let (one, answer) = (delivery(1, 3, &[60, 50]), frame(1, 1, &[0, 60, 0, 31, 1]));
        let other = frame(1, 2, &[0, 50, 0, 11]);
        for part in [1, 3, 7, 64, 100_000] {
            let stream = [&one[..], &one, &other, &one, &one, &answer].concat();
            let (mut throttled, bytes) = limited(&stream, DELIVERY_OVERHEAD + 200);
            let before = read(&mut throttled, part);
            bytes.shed();
            // Though there is room by now: what was left out comes again, and before what follows it.
            let (after, is_whole) = {
                let begun = before.len() > one.len();
                bytes.settle(bytes.charge(1, 110));
                (read(&mut throttled, part), begun)
            };
            let all = [before, after].concat();
            assert!(all.starts_with(&one) && all.ends_with(&answer), "in parts of {part}");
            if part < 100_000 {
                assert!(is_whole, "the second one had begun, and comes to its end");
                assert!(all.starts_with(&[&one[..], &one, &other].concat()));
            }
        }
    }

    #[test]
    fn a_delivery_that_comes_while_there_is_too_much_is_not_handed_on() {
        let (one, answer) = (delivery(1, 3, &[60, 50]), frame(1, 1, &[0, 60, 0, 31, 1]));
        let stream = [&one[..], &one, &one, &answer].concat();
        let (mut throttled, bytes) = limited(&stream, 1);
        assert_eq!(read(&mut throttled, one.len()), [&one[..], &one].concat());
        bytes.shed();
        assert_eq!(read(&mut throttled, 10), answer);
        assert_eq!(bytes.in_flight(), 2 * (DELIVERY_OVERHEAD + 110));
        bytes.settle(bytes.charge(1, 110));
        bytes.settle(bytes.charge(2, 110));
        assert_eq!(bytes.in_flight(), 0);
    }
}
