//! RabbitMQ nodes of a test's own, for faults that everybody who shares a broker would feel:
//! restarts, alarms, limits, users. One node is ready in 6 s and takes 140 MB, three in 20 s.
//!
//! ```ignore
//! let broker = OwnBroker::cluster().await;
//! let stand = Stand::on("name", &broker.uri(0)).await;
//! broker.kill(broker.leader_of(&stand.queue()).await).await;
//! ```
//!
//! They end with the value that holds them, or, if it is a static, with the process, however
//! it ends.

#![allow(dead_code, reason = "it offers what a broker can do, whichever of it a test asks for")]

mod node;
mod supervised;

use std::path::PathBuf;

use futures_util::future::join_all;
use tokio::process::Command;

use node::{Node, Place};
use supervised::Supervised;

use super::{PATIENCE, wait_for};

/// How to get what is missing.
const INSTALL: &str = "fetch it with `scripts/services install`";

/// One node, or three that form a cluster.
pub struct OwnBroker {
    nodes: Vec<Node>,
    place: Place,
    _epmd: Supervised,
}

/// PEM files for a node that listens for TLS.
pub struct ServerFiles {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl OwnBroker {
    pub async fn single() -> Self {
        Self::start(1, None).await
    }

    pub async fn cluster() -> Self {
        Self::start(3, None).await
    }

    /// One node that also listens for TLS; it asks for a client certificate, and takes who has none.
    pub async fn with_tls(files: &ServerFiles) -> Self {
        Self::start(1, Some(files)).await
    }

    async fn start(count: usize, tls: Option<&ServerFiles>) -> Self {
        let place = Place::new();
        // Started by us, not by the first node, it ends with us too; it removes the folder.
        let epmd = Supervised::start_last(&place.epmd(), &place.folder);
        let ports: Vec<_> = (0..count).map(|_| node::Ports::draw(tls.is_some())).collect();
        let names: Vec<_> = ports.iter().map(node::Ports::node_name).collect();
        let nodes: Vec<_> =
            ports.into_iter().map(|ports| Node::new(&place, ports, &names, tls)).collect();
        let broker = Self { nodes, place, _epmd: epmd };
        join_all(broker.nodes.iter().map(|node| node.start(&broker.place))).await;
        broker
    }

    pub fn uri(&self, node: usize) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.nodes[node].ports.amqp)
    }

    /// Of all nodes, as `AMQP__URIS` takes them.
    pub fn uris(&self) -> String {
        (0..self.nodes.len()).map(|node| self.uri(node)).collect::<Vec<_>>().join(",")
    }

    /// The port for TLS of the first node.
    pub fn tls_port(&self) -> u16 {
        self.nodes[0].ports.tls.expect("started without TLS")
    }

    /// Ends a node by SIGKILL; what it had on disk stays.
    ///
    /// RabbitMQ 3.10 writes down what queues there are up to 3 s after they were declared; killed
    /// before that, it comes back with a queue that has lost its messages and never finds a
    /// leader. That is no fault that a worker could mend, so it writes first.
    pub async fn kill(&self, node: usize) {
        self.eval(node, "[dets:sync(T) || T <- dets:all()].").await;
        self.nodes[node].kill();
    }

    /// Starts a node that was killed, where it was, and waits until it takes connections.
    pub async fn start_again(&self, node: usize) {
        self.nodes[node].start(&self.place).await;
    }

    /// Ends a node in order and starts it again.
    pub async fn restart(&self, node: usize) {
        self.nodes[node].stop().await;
        self.start_again(node).await;
    }

    /// Runs `rabbitmqctl` on the first node and returns what it says. Takes a second or two of a
    /// whole processor; `eval` does not.
    pub async fn ctl(&self, arguments: &[&str]) -> String {
        let mut command = Command::from(self.place.rabbitmqctl(&self.nodes[0].name));
        let running = tokio::time::timeout(PATIENCE, command.args(arguments).output());
        let output = running.await.expect("rabbitmqctl does not end").unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {said}{complaint}");
        said
    }

    /// Evaluates Erlang expressions on a node and returns the last one's value.
    pub async fn eval(&self, node: usize, expressions: &str) -> String {
        self.place.eval(&self.nodes[node].name, expressions).await
    }

    /// The node that leads a quorum queue.
    pub async fn leader_of(&self, queue: &str) -> usize {
        let look = format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
             {{_, N}} = amqqueue:get_pid(Q), N."
        );
        let running = self.nodes.iter().position(Node::runs).expect("every node was killed");
        wait_for("a leader of the queue", async || {
            let leader = self.eval(running, &look).await;
            self.nodes.iter().position(|node| leader.contains(&node.name))
        })
        .await
    }
}
