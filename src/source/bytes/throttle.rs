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
                    bytes.see(seen)
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
