//! A reactor for lapin: tokio's, with our stream as its stream type.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::Stream;
use lapin::AsyncTcpStream;

use super::{FilteredStream, Notes};

/// What a connection is made of before a reader is put on it: plain or TLS.
type Socket = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;

/// tokio's reactor, with streams that are read by a [`FilteredStream`].
#[derive(Clone, Debug)]
pub(in crate::rabbitmq) struct Reading(Tokio);

/// The current runtime, for connections whose streams are [`FilteredStream`]s.
pub(in crate::rabbitmq) fn runtime() -> Runtime<RuntimeParts<Tokio, Reading>> {
    Runtime::new(RuntimeParts::new(Tokio::current(), Reading(Tokio::current())))
}

impl Reactor for Reading {
    type TcpStream = FilteredStream<Socket>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + std::os::fd::AsRawFd + Send + 'static>(
        &self,
        handle: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(handle)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move {
            let plain = AsyncTcpStream::Plain(connecting.await?);
            Ok(FilteredStream::new(plain, Notes::default(), Arc::default()))
        }
    }
}
