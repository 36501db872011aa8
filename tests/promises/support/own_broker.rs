//! RabbitMQ nodes of a test's own, for faults that everybody who shares a broker would feel:
//! restarts, alarms, limits, users. One node is ready in 6 s and takes 140 MB, three in 20 s.
//! They are of the release that the broker of all tests in this run is of.
//!
//! ```ignore
//! let broker = OwnBroker::cluster().await;
//! let stand = Stand::on("name", &broker.uri(0)).await;
//! broker.kill(broker.leader_of(&stand.queue()).await).await;
//! ```
//!
//! They end with the value that holds them, or, if it is a static, with the process, however
//! it ends.

mod authority;
mod node;
mod spare;
mod supervised;

use std::collections::BTreeSet;

use futures_util::future::join_all;

pub use authority::Authority;
pub use node::free_port;
use node::{Node, Place, Ports};
pub use supervised::Supervised;

use super::{PATIENCE, Version, wait_for};

/// How to get what is missing.
const INSTALL: &str = "fetch it with `scripts/services install`";

/// The plugin that partitions need.
pub const HASH_PLUGIN: &str = "rabbitmq_consistent_hash_exchange";

/// The limit with which dead-letter queues are declared.
const UNLIMITED: u32 = 1_000_000_000;

/// One node, or three that form a cluster.
pub struct OwnBroker {
    nodes: Vec<Node>,
    place: Place,
    authority: Authority,
    /// Those that are enabled.
    plugins: tokio::sync::Mutex<BTreeSet<&'static str>>,
    _epmd: Supervised,
}

impl OwnBroker {
    pub async fn single() -> Self {
        Self::start(1, Version::of_this_run().await, &[HASH_PLUGIN]).await
    }

    pub async fn cluster() -> Self {
        Self::start(3, Version::of_this_run().await, &[HASH_PLUGIN]).await
    }

    /// A node as an operator installs it, with no plugin.
    pub async fn without_plugins() -> Self {
        Self::start(1, Version::of_this_run().await, &[]).await
    }

    async fn start(count: usize, version: Version, plugins: &[&'static str]) -> Self {
        let place = Place::new(version);
        place.write_plugins(plugins);
        let authority = Authority::create(&place.folder);
        // Started by us, not by the first node, it ends with us too; it removes the folder.
        let epmd = Supervised::start_last(&place.epmd(), &place.folder);
        let ports: Vec<_> = (0..count).map(|_| Ports::draw()).collect();
        let names: Vec<_> = ports.iter().map(Ports::node_name).collect();
        let nodes: Vec<_> =
            ports.into_iter().map(|ports| Node::new(&place, ports, &names)).collect();
        let plugins = tokio::sync::Mutex::new(plugins.iter().copied().collect());
        let broker = Self { nodes, place, authority, plugins, _epmd: epmd };
        join_all(broker.nodes.iter().map(|node| node.start(&broker.place))).await;
        broker
    }

    /// Where a node speaks AMQP without TLS.
    pub fn port(&self, node: usize) -> u16 {
        self.nodes[node].ports.amqp
    }

    pub fn uri(&self, node: usize) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port(node))
    }

    /// Of all nodes, as `AMQP__URIS` takes them.
    pub fn uris(&self) -> String {
        self.all_uris().join(",")
    }

    pub fn all_uris(&self) -> Vec<String> {
        (0..self.nodes.len()).map(|node| self.uri(node)).collect()
    }

    /// A port of the first node at which it listens for TLS from now on; it asks for a client
    /// certificate, and takes who has none unless they are `required`.
    pub async fn listen_for_tls(&self, required: bool) -> u16 {
        let (port, files) = (free_port(), &self.authority);
        let (authority, certificate) =
            (files.certificate("authority"), files.certificate("server"));
        let key = files.key("server");
        let listen = format!(
            "rabbit_networking:start_ssl_listener({{\"127.0.0.1\", {port}}}, \
             [{{cacertfile, \"{authority}\"}}, {{certfile, \"{certificate}\"}}, {{keyfile, \"{key}\"}}, \
             {{verify, verify_peer}}, {{fail_if_no_peer_cert, {required}}}], 2)."
        );
        self.eval(0, &listen).await;
        port
    }

    /// A port of the first node at which it speaks STOMP from now on.
    pub async fn listen_for_stomp(&self) -> u16 {
        let port = free_port();
        let listen = format!(
            "application:set_env(rabbitmq_stomp, tcp_listeners, [{{\"127.0.0.1\", {port}}}], [{{persistent, true}}])."
        );
        self.eval(0, &listen).await;
        self.enable("rabbitmq_stomp").await;
        port
    }

    /// Starts a plugin on the first node, beside those that it has.
    pub async fn enable(&self, plugin: &'static str) {
        let mut plugins = self.plugins.lock().await;
        plugins.insert(plugin);
        let names: Vec<_> = plugins.iter().copied().collect();
        self.place.write_plugins(&names);
        let ensure = format!(
            "rabbit:await_startup(), {{ok, _, _}} = rabbit_plugins:ensure(\"{}\").",
            self.place.plugins().display()
        );
        self.eval(0, &ensure).await;
    }

    /// Who has signed the certificates.
    pub fn authority(&self) -> &Authority {
        &self.authority
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

    /// Waits, as an operator does before the next node is restarted, until no quorum queue needs all of its nodes that run.
    pub async fn is_whole(&self) {
        let wait = "rabbit_upgrade_preparation:await_online_quorum_plus_one(1000).";
        for node in 0..self.nodes.len() {
            let ready = async || (self.eval(node, wait).await == "true").then_some(());
            wait_for("a cluster that is whole", ready).await;
        }
    }

    /// Evaluates Erlang expressions on a node and returns the last one's value.
    pub async fn eval(&self, node: usize, expressions: &str) -> String {
        self.place.eval(&self.nodes[node].name, expressions).await
    }

    /// The same with a queue at hand: `Q` is its record.
    pub async fn eval_of(&self, node: usize, queue: &str, expressions: &str) -> String {
        let lookup =
            format!("rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>))");
        self.eval(node, &format!("{{ok, Q}} = {lookup}, {expressions}")).await
    }

    /// Sets a policy for one dead-letter queue, or takes it away.
    pub async fn limit_deliveries(&self, queue: &str, limit: Option<u32>) {
        let (vhost, pattern) = ("<<\"/\">>", queue.replace('.', "[.]"));
        let change = match limit {
            Some(limit) => format!(
                "rabbit_policy:set({vhost}, <<\"{queue}\">>, <<\"^{pattern}$\">>, [{{<<\"delivery-limit\">>, {limit}}}], \
                 0, <<\"queues\">>, <<\"test\">>)."
            ),
            None => format!("rabbit_policy:delete({vhost}, <<\"{queue}\">>, <<\"test\">>)."),
        };
        assert_eq!(self.eval(0, &change).await, "ok", "{change}");
        // The queue's own process is told of it.
        let look = |limit: u32| {
            format!(
                "{{ok, {{_, C}}, _}} = ra:local_query(amqqueue:get_pid(Q), fun(S) -> element(2, S) end), \
                 lists:member({limit}, tuple_to_list(C))."
            )
        };
        let look = look(limit.unwrap_or(UNLIMITED));
        wait_for("a policy that its queue knows", async || {
            (self.eval_of(0, queue, &look).await == "true").then_some(())
        })
        .await;
    }

    /// Adds a user who may read everything, and `configure` and `write` what these patterns say.
    pub async fn permit(&self, user: &str, configure: &str, write: &str) {
        self.permit_only(user, [configure, write, ".*"]).await;
    }

    /// Adds a user who may `configure`, `write` and `read` what these patterns say.
    pub async fn permit_only(&self, user: &str, patterns: [&str; 3]) {
        let [configure, write, read] = patterns.map(|it| it.replace('\\', "\\\\"));
        let set = format!(
            "(catch rabbit_auth_backend_internal:add_user(<<\"{user}\">>, <<\"planted\">>, <<\"test\">>)), \
             rabbit_auth_backend_internal:set_permissions(<<\"{user}\">>, <<\"/\">>, <<\"{configure}\">>, \
             <<\"{write}\">>, <<\"{read}\">>, <<\"test\">>)."
        );
        self.eval(0, &set).await;
    }

    /// Waits until the first node has so many messages of a quorum queue, unacknowledged ones among
    /// them. Acknowledgements that a worker has told can be lost with its connection.
    pub async fn keeps(&self, queue: &str, count: u32) {
        let look = "{ok, {_, N}, _} = \
             ra:local_query(amqqueue:get_pid(Q), fun rabbit_fifo:query_messages_total/1), N.";
        wait_for(&format!("{count} messages kept in {queue}"), async || {
            (self.eval_of(0, queue, look).await == count.to_string()).then_some(())
        })
        .await;
    }

    /// The node that leads a quorum queue.
    pub async fn leader_of(&self, queue: &str) -> usize {
        let running = self.nodes.iter().position(Node::runs).expect("every node was killed");
        wait_for("a leader of the queue", async || {
            let leader = self.eval_of(running, queue, "{_, N} = amqqueue:get_pid(Q), N.").await;
            self.nodes.iter().position(|node| leader.contains(&node.name))
        })
        .await
    }
}
