//! One connection to one node.
//!
//! lapin gives each connection a thread, which waits for its socket. Where the other side says
//! nothing at all, that is for ever, whether or not somebody still waits for the connection. So
//! there is a way out: a second handle of the socket, by which it is shut.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapin::tcp::RustlsConnector;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::bytes::InFlightBytes;
use super::wire::{self, Notes, Reader};

/// For an answer to the goodbye of a connection that is given up.
const GOODBYE: Duration = Duration::from_secs(3);

/// A connection. Dropped, it takes its thread and its socket with it, in whatever state the
/// network is.
#[derive(Debug)]
pub struct Link {
    connection: Connection,
    bytes: Arc<InFlightBytes>,
    notes: Notes,
    way_out: Option<WayOut>,
}

impl Link {
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
        let way_out = match &stream {
            AsyncTcpStream::Plain(plain) => WayOut::of(plain.get_ref())?,
            // Nothing else is made by `connect`.
            _ => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        };
        let stream = match tls {
            Some(tls) => stream.into_rustls(tls, &host).await?,
            None => stream,
        };
        let (bytes, notes) = (Arc::<InFlightBytes>::default(), Notes::default());
        let stream = Reader::new(stream, notes.clone(), Arc::clone(&bytes));
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
        Ok(Self { connection: connecting.await?, bytes, notes, way_out: Some(way_out) })
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

impl Deref for Link {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // A reader that pauses would never be woken: nobody settles any more.
        self.bytes.shed();
        // lapin says goodbye when the connection and its channels are dropped.
        if self.connection.status().connected()
            && let (Some(way_out), Ok(runtime)) = (self.way_out.take(), Handle::try_current())
        {
            runtime.spawn(async move {
                sleep(GOODBYE).await;
                drop(way_out);
            });
        }
    }
}

/// Another handle of a connection's socket; dropped, it shuts the socket.
#[derive(Debug)]
struct WayOut(TcpStream);

impl WayOut {
    fn of(socket: &impl AsFd) -> io::Result<Self> {
        Ok(Self(socket.as_fd().try_clone_to_owned()?.into()))
    }
}

impl Drop for WayOut {
    fn drop(&mut self) {
        // It may be closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
