//! One node, and the place that the nodes of a cluster share.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::supervised::Supervised;
use super::{INSTALL, PATIENCE, Version, wait_for};

const COOKIE: &str = "of-a-test";

/// Where the nodes live, and where their programs are.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// Its `lib` holds RabbitMQ and its `bin` Erlang: the system's, or what `scripts/services` has
    /// unpacked.
    prefix: PathBuf,
    version: Version,
    epmd: u16,
    /// Two clients at once may draw the same random node name, and the second is refused then.
    asking: tokio::sync::Mutex<()>,
}

impl Place {
    pub(super) fn new(version: Version) -> Self {
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join(".services/debian");
        let prefixes = match version {
            Version::Oldest => vec![PathBuf::from("/usr"), unpacked.join("rabbitmq/usr")],
            Version::Newest => vec![unpacked.join("next/usr")],
        };
        let prefix = prefixes
            .into_iter()
            .find(|it| it.join("lib/rabbitmq/bin/rabbitmq-server").exists())
            .unwrap_or_else(|| panic!("RabbitMQ is not installed; {INSTALL}"));
        let folder = tempfile::Builder::new().prefix("rabbitmq-").tempdir().unwrap().keep();
        let cookie = folder.join(".erlang.cookie");
        fs::write(&cookie, COOKIE).unwrap();
        fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400)).unwrap();
        let (epmd, asking) = (free_port(), tokio::sync::Mutex::default());
        Self { folder, prefix, version, epmd, asking }
    }

    /// The file that names the plugins that nodes have.
    pub(super) fn plugins(&self) -> PathBuf {
        self.folder.join("plugins")
    }

    pub(super) fn write_plugins(&self, names: &[&str]) {
        fs::write(self.plugins(), format!("[{}].\n", names.join(", "))).unwrap();
    }

    /// A program of Erlang's or RabbitMQ's, with an environment that is ours alone.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.prefix.join(program));
        let path = std::env::var("PATH").unwrap_or_default();
        // OpenSSL came along with an Erlang of our own; the newest's programs know where theirs are.
        let libraries: Vec<_> = fs::read_dir(self.prefix.join("lib"))
            .unwrap()
            .filter_map(|entry| entry.ok()?.path().to_str().map(str::to_owned))
            .filter(|it| self.version == Version::Oldest && it.contains("-linux-gnu"))
            .collect();
        command
            .env_clear()
            .env("PATH", format!("{}/bin:{path}", self.prefix.display()))
            .env("LD_LIBRARY_PATH", libraries.join(":"))
            .env("HOME", &self.folder)
            .env("LANG", "C.UTF-8")
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd.to_string());
        command
    }

    /// The one beside the emulator: of the newest, only those find their libraries.
    fn erl_call(&self) -> String {
        let versions = fs::read_dir(self.prefix.join("lib/erlang")).unwrap();
        let names = versions.filter_map(|it| it.ok()?.file_name().into_string().ok());
        let erts = names.filter(|it| it.starts_with("erts-")).max().expect("there is no Erlang");
        format!("lib/erlang/{erts}/bin/erl_call")
    }

    pub(super) fn epmd(&self) -> Command {
        let mut command = self.command("bin/epmd");
        command.args(["-address", "127.0.0.1", "-port", &self.epmd.to_string()]);
        command
    }

    /// By a client written in C: a whole Erlang for each question would take seconds. On a busy machine it may give up before the node
    /// answers, and has asked nothing then.
    pub(super) async fn eval(&self, node: &str, expressions: &str) -> String {
        const NOT_ASKED: &str = "failed to connect to node";
        let _turn = self.asking.lock().await;
        let asking = async {
            loop {
                let (value, complaint) = self.ask(node, expressions).await;
                if value.is_some() || !complaint.contains(NOT_ASKED) {
                    return (value, complaint);
                }
            }
        };
        let (value, complaint) =
            tokio::time::timeout(PATIENCE, asking).await.expect("erl_call does not end");
        value.unwrap_or_else(|| panic!("{expressions}: {complaint}"))
    }

    /// The value, if there is one, and all that was said.
    async fn ask(&self, node: &str, expressions: &str) -> (Option<String>, String) {
        let mut command = self.command(&self.erl_call());
        command.args(["-sname", node, "-c", COOKIE, "-r", "-e"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(command).spawn().unwrap();
        let script = format!("{expressions}\n");
        child.stdin.take().unwrap().write_all(script.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = said.trim().strip_prefix("{ok, ").and_then(|it| it.strip_suffix('}'));
        let complaint = String::from_utf8_lossy(&output.stderr);
        (value.map(str::to_owned), format!("{said}{complaint}"))
    }
}

/// Where a node listens.
pub(super) struct Ports {
    pub(super) amqp: u16,
    distribution: u16,
}

impl Ports {
    pub(super) fn draw() -> Self {
        Self { amqp: free_port(), distribution: free_port() }
    }

    pub(super) fn node_name(&self) -> String {
        format!("test-{}@localhost", self.amqp)
    }
}

/// A node, running or not.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) ports: Ports,
    folder: PathBuf,
    process: Mutex<Option<Supervised>>,
}

impl Node {
    pub(super) fn new(place: &Place, ports: Ports, cluster: &[String]) -> Self {
        let name = ports.node_name();
        let folder = place.folder.join(ports.amqp.to_string());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("rabbitmq.conf"), settings(&ports, cluster)).unwrap();
        Self { name, ports, folder, process: Mutex::default() }
    }

    /// Starts it and waits until it answers a client's greeting.
    pub(super) async fn start(&self, place: &Place) {
        let process = Supervised::start(&self.command(place), &self.folder);
        *self.process.lock().unwrap() = Some(process);
        wait_for(&format!("{} to be ready", self.name), async || {
            assert!(self.runs(), "{} ended by itself:\n{}", self.name, self.last_words());
            self.answers().await
        })
        .await;
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = place.command("lib/rabbitmq/bin/rabbitmq-server");
        command
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", self.folder.join("data"))
            .env("RABBITMQ_LOG_BASE", &self.folder)
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_PID_FILE", self.folder.join("pid"))
            .env("RABBITMQ_CONFIG_FILE", self.folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", place.plugins())
            .env("RABBITMQ_CONF_ENV_FILE", "/nonexistent")
            // With -noinput: the script becomes the Erlang VM, so that one pid is all.
            .env("RABBITMQ_ALLOW_INPUT", "yes")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                // The tick looks whether acknowledgements are overdue, by default each minute.
                "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false \
                 -rabbit channel_tick_interval 250",
            )
            .arg("-noinput");
        command
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let from = log.lines().count().saturating_sub(20);
        log.lines().skip(from).collect::<Vec<_>>().join("\n")
    }

    async fn answers(&self) -> Option<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports.amqp)).await.ok()?;
        stream.write_all(b"AMQP\0\0\x09\x01").await.ok()?;
        (stream.read_u8().await.ok()? == 1).then_some(())
    }

    pub(super) fn runs(&self) -> bool {
        self.process.lock().unwrap().as_mut().is_some_and(Supervised::runs)
    }

    pub(super) fn kill(&self) {
        let process = self.process.lock().unwrap().take();
        process.expect("it was not started").signal(Signal::SIGKILL);
    }

    pub(super) async fn stop(&self) {
        self.process.lock().unwrap().as_mut().expect("it was not started").signal(Signal::SIGTERM);
        let ended = async || (!self.runs()).then_some(());
        wait_for(&format!("{} to end", self.name), ended).await;
    }
}

fn settings(ports: &Ports, cluster: &[String]) -> String {
    let mut settings = format!("listeners.tcp.1 = 127.0.0.1:{}\n", ports.amqp);
    if cluster.len() > 1 {
        settings.push_str("cluster_formation.peer_discovery_backend = classic_config\n");
        for (number, name) in cluster.iter().enumerate() {
            let _ = writeln!(settings, "cluster_formation.classic_config.nodes.{number} = {name}");
        }
    }
    settings
}

/// Below the range from which the system takes ports for outgoing connections, so that none of those
/// is in the way when the port is used; drawn at random, since other test processes draw too.
pub fn free_port() -> u16 {
    static DRAWN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    loop {
        let port = fastrand::u16(24_000..32_000);
        let is_new = DRAWN.lock().unwrap().get_or_insert_default().insert(port);
        if is_new && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
