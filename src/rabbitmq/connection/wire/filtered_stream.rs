//! A stream that filters what is read from it through [`Frames`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::super::bytes::InFlightBytes;
use super::Notes;
use super::frames::{Frames, Observer};
use crate::publish::Lease;

/// What is read from `inner` comes out mended and counted; what is written goes in as it is.
#[derive(Debug)]
pub(in crate::rabbitmq) struct FilteredStream<S> {
    inner: S,
    frames: Frames<Arc<InFlightBytes>>,
    bytes: Arc<InFlightBytes>,
    /// Renewed by whatever comes.
    lease: Lease,
    ended: bool,
}

impl<S> FilteredStream<S> {
    /// `notes` learns what is mended, and `bytes` what is delivered, before it can be read from here.
    pub(in crate::rabbitmq) fn new(inner: S, notes: Notes, bytes: Arc<InFlightBytes>) -> Self {
        let frames = Frames::new(notes, Arc::clone(&bytes));
        Self { inner, frames, bytes, lease: Lease::default(), ended: false }
    }

    /// `lease` is renewed by whatever comes.
    pub(in crate::rabbitmq) fn renewing(self, lease: Lease) -> Self {
        Self { lease, ..self }
    }
}

impl Observer for Arc<InFlightBytes> {
    fn open(&self, channel: u16) {
        InFlightBytes::open(self, channel);
    }

    fn begin(&self, channel: u16, headers: u64) {
        InFlightBytes::begin(self, channel, headers);
    }

    fn body(&self, channel: u16, bytes: u64) {
        InFlightBytes::body(self, channel, bytes);
    }

    fn end(&self, channel: u16) {
        InFlightBytes::end(self, channel);
    }

    fn leaves_out(&self) -> bool {
        InFlightBytes::leaves_out(self)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FilteredStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { inner, frames, bytes, lease, ended } = self.get_mut();
        loop {
            let taken = frames.take(out);
            if taken > 0 || out.is_empty() || *ended {
                return Poll::Ready(Ok(taken));
            }
            if !bytes.may_read(context.waker()) {
                return Poll::Pending;
            }
            // It waits only where the inner stream has taken the waker.
            let inner = Pin::new(&mut *inner);
            let (read, taken) = if let Some(room) = frames.room_in(out) {
                let read = ready!(inner.poll_read(context, room))?;
                (read, if read > 0 { frames.read_to(out, read) } else { 0 })
            } else {
                let read = ready!(inner.poll_read(context, frames.room()))?;
                frames.read(read);
                (read, 0)
            };
            if read == 0 {
                *ended = true;
                frames.end();
                continue;
            }
            lease.renew();
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FilteredStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}
