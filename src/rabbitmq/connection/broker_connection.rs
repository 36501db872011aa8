//! A connection to one node of the broker.
//!
//! lapin gives each connection a thread, which waits for its socket. If the broker sends
//! nothing at all, the thread waits forever, even if the connection is not needed any more. So
//! a second handle of the socket is kept, to shut it down.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapin::tcp::RustlsConnector;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::bounded;
use super::bytes::InFlightBytes;
use super::wire::{self, FilteredStream, Notes, Server};
use crate::outcome::SourceError;
use crate::publish::Lease;

/// For an answer to the goodbye of a connection that is given up.
const GOODBYE: Duration = Duration::from_secs(3);

/// A connection to the broker. Dropping it ends its thread and closes its socket, in any state of the
/// network.
#[derive(Debug)]
pub struct BrokerConnection {
    connection: Connection,
    bytes: Arc<InFlightBytes>,
    notes: Notes,
    server: Server,
    lease: Lease,
    socket: Option<SocketShutdown>,
}

impl BrokerConnection {
    /// TCP, TLS if there is a connector for it, and AMQP's handshake. The host comes beside the
    /// URI, as lapin reads an IPv6 address as `localhost`.
    ///
    /// # Errors
    ///
    /// The refusal. Whether it or the caller gives up: nothing is left of the attempt.
    pub(in crate::rabbitmq) async fn open(
        uri: AMQPUri,
        host: String,
        properties: ConnectionProperties,
        tls: Option<&RustlsConnector>,
    ) -> lapin::Result<Self> {
        let runtime = lapin::runtime::default_runtime()?;
        // Here and not in lapin's thread, where neither is given up by dropping it.
        let addresses = runtime.to_socket_addrs((host.clone(), uri.authority.port));
        let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
        let socket = match &stream {
            AsyncTcpStream::Plain(plain) => SocketShutdown::of(plain.get_ref())?,
            // Nothing else is made by `connect`.
            _ => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        };
        let stream = match tls {
            Some(tls) => stream.into_rustls(tls, &host).await?,
            None => stream,
        };
        let (bytes, notes) = (Arc::<InFlightBytes>::default(), Notes::default());
        let lease = Lease::default();
        let stream = FilteredStream::new(stream, notes.clone(), Arc::clone(&bytes));
        let stream = stream.renewing(lease.clone());
        let stream = Mutex::new(Some(stream));
        let connecting = Connection::connector(
            uri,
            wire::runtime(),
            async move |_, _| {
                let stream = stream.lock().ok().and_then(|mut stream| stream.take());
                // There is no second try on another stream.
                let gone = || io::Error::from(io::ErrorKind::ConnectionAborted).into();
                stream.map(AsyncTcpStream::Plain).ok_or_else(gone)
            },
            properties,
        );
        let connection = connecting.await?;
        let server = notes.server().unwrap_or_default().at_host(&host);
        Ok(Self { connection, bytes, notes, server, lease, socket: Some(socket) })
    }

    pub(in crate::rabbitmq) async fn channel(&self) -> Result<Channel, SourceError> {
        bounded("opening a channel", self.create_channel()).await
    }

    /// Bytes that a frame may have; 0 is any.
    pub(in crate::rabbitmq) fn frame_max(&self) -> u32 {
        self.configuration().frame_max()
    }

    /// Closes the connection, so that RabbitMQ does not log a client that vanished.
    pub async fn close(&self) {
        // It may be gone already.
        let closing = self.connection.close(200, "bye".into());
        let _ = bounded("closing the connection", closing).await;
    }

    /// Who the broker says it is.
    pub(crate) const fn server(&self) -> &Server {
        &self.server
    }

    /// Lapses while nothing comes from the broker.
    pub(in crate::rabbitmq) const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// What is delivered on it.
    pub(in crate::rabbitmq) const fn bytes(&self) -> &Arc<InFlightBytes> {
        &self.bytes
    }

    /// What was changed of its deliveries so that they can be read.
    pub(in crate::rabbitmq) const fn notes(&self) -> &Notes {
        &self.notes
    }
}

impl Deref for BrokerConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for BrokerConnection {
    fn drop(&mut self) {
        // A reader that pauses would never be woken: nobody settles any more.
        self.bytes.start_discarding();
        // lapin says goodbye when the connection and its channels are dropped.
        if self.connection.status().connected()
            && let (Some(socket), Ok(runtime)) = (self.socket.take(), Handle::try_current())
        {
            runtime.spawn(async move {
                sleep(GOODBYE).await;
                drop(socket);
            });
        }
    }
}

/// Another handle of a connection's socket; dropped, it shuts the socket.
#[derive(Debug)]
struct SocketShutdown(TcpStream);

impl SocketShutdown {
    fn of(socket: &impl AsFd) -> io::Result<Self> {
        Ok(Self(socket.as_fd().try_clone_to_owned()?.into()))
    }
}

impl Drop for SocketShutdown {
    fn drop(&mut self) {
        // It may be closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
