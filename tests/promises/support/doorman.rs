//! A way to RabbitMQ on which connections are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};

use super::{Stand, wait_for};

/// Lets everybody through; a try that a worker logs nothing about is seen here.
pub struct Doorman {
    pub amqp_uri: String,
    passed: Arc<AtomicUsize>,
}

impl Doorman {
    pub async fn new(stand: &Stand) -> Self {
        let (login, address) = stand.amqp_uri.split_once('@').unwrap();
        let (broker, vhost) = address.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let amqp_uri = format!("{login}@{}/{vhost}", listener.local_addr().unwrap());
        let (broker, passed) = (broker.to_owned(), Arc::new(AtomicUsize::new(0)));
        let counting = Arc::clone(&passed);
        tokio::spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                counting.fetch_add(1, Ordering::Relaxed);
                let mut outside = TcpStream::connect(&broker).await.unwrap();
                tokio::spawn(async move {
                    // Either side may hang up at any time.
                    let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
                });
            }
        });
        Self { amqp_uri, passed }
    }

    /// Waits until so many connections have been opened.
    pub async fn saw(&self, connections: usize) {
        let what = format!("{connections} connections");
        let passed = async || (self.passed.load(Ordering::Relaxed) >= connections).then_some(());
        wait_for(&what, passed).await;
    }
}
