//! A Prosody of a test's own, on this machine alone. It ends with the value that holds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::net::TcpStream;

use crate::support::{Supervised, free_port, wait_for};

const SETTINGS: &str = include_str!("prosody.cfg.lua");

/// The host `localhost` with the users alice and bob, and rooms on `conference.localhost`.
pub struct Prosody {
    /// For clients.
    pub port: u16,
    process: Supervised,
    folder: tempfile::TempDir,
}

impl Prosody {
    /// Starts it with the example's module, and waits until that has found the broker.
    pub async fn start(stomp: u16, exchange: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("prosody-").tempdir().unwrap();
        let accounts = folder.path().join("localhost/accounts");
        fs::create_dir_all(&accounts).unwrap();
        for user in ["alice", "bob"] {
            let account = "return { [\"password\"] = \"secret\" };\n";
            fs::write(accounts.join(user).with_extension("dat"), account).unwrap();
        }
        let port = free_port();
        let settings = SETTINGS
            .replace("@C2S@", &port.to_string())
            .replace("@STOMP@", &stomp.to_string())
            .replace("@EXCHANGE@", exchange)
            .replace("@FOLDER@", folder.path().to_str().unwrap())
            .replace("@MODULES@", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/prosody"));
        fs::write(folder.path().join("prosody.cfg.lua"), settings).unwrap();
        let process = Supervised::start(&command(folder.path()), folder.path());
        let mut prosody = Self { port, process, folder };
        prosody.logs("linked to RabbitMQ").await;
        wait_for("Prosody to take connections", async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        prosody
    }

    /// Waits until the module says something.
    pub async fn logs(&mut self, text: &str) {
        wait_for(&format!("Prosody's module to log {text:?}"), async || {
            assert!(self.process.runs(), "Prosody ended by itself:\n{}", self.log());
            self.log().contains(text).then_some(())
        })
        .await;
    }

    /// Waits until the module has been told of so many confirmed events.
    pub async fn knows_of_confirms(&self, count: usize) {
        let confirms = || self.log().matches("RabbitMQ has confirmed event").count();
        wait_for(&format!("{count} confirmed events"), async || {
            (confirms() >= count).then_some(())
        })
        .await;
    }

    fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Prosody {
    /// Shows what a failed test needs.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("Prosody's log:\n{}", self.log());
        }
    }
}

/// Prosody with an environment that is ours alone: the system's, or what `scripts/services` has
/// unpacked.
fn command(folder: &Path) -> Command {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join(".services/debian/prosody/usr");
    let prefix = [PathBuf::from("/usr"), ours]
        .into_iter()
        .find(|it| it.join("bin/prosody").exists() && it.join("bin/lua5.4").exists())
        .expect("Prosody is not installed; fetch it with `scripts/services install`");
    let mut libraries =
        fs::read_dir(prefix.join("lib")).unwrap().map(|entry| entry.unwrap().path());
    let libraries = libraries.find(|it| it.join("lua/5.4").is_dir()).expect("Lua's libraries");
    let modules = prefix.join("share/lua/5.4");
    let mut command = Command::new(prefix.join("bin/lua5.4"));
    command
        .arg(prefix.join("bin/prosody"))
        .args(["-F", "--config"])
        .arg(folder.join("prosody.cfg.lua"))
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("PATH", std::env::var("PATH").unwrap_or_default())
        .env("LD_LIBRARY_PATH", &libraries)
        .env("LUA_PATH", format!("{0}/?.lua;{0}/?/init.lua", modules.display()))
        .env("LUA_CPATH", libraries.join("lua/5.4/?.so"));
    command
}
