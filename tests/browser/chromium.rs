//! A real Chromium, driven as a person would.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::prelude::*;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::wait_for;

/// How to get what is missing.
const FETCH: &str =
    "fetch it with `scripts/services browser`, or run all tests with `make check-long`";

/// What Chromium is told. It runs as root in CI, where its own sandbox does not work, and it is to ask nobody
/// on the network for anything.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
];

/// A browser with one window. It and its driver end with this.
pub struct Browser {
    pub window: WebDriver,
    driver: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub async fn start() -> Self {
        let (prefix, program) = installed();
        let profile = tempfile::tempdir().unwrap();
        let libraries = libraries(&prefix);
        let mut command = Command::new(prefix.join("bin/chromedriver"));
        if prefix != Path::new("/usr") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let mut driver = command
            .arg("--port=0")
            .env("HOME", profile.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // With the browser in it, so that all of them end together.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("no chromedriver for the tests ({error}); {FETCH}"));
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("chromedriver says its port");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // It would stop at a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(program.to_str().unwrap()).unwrap();
        if program.ends_with("chromium-headless-shell") {
            // Its driver treats it as a browser of its own.
            wanted.set("browserName", "chrome-headless-shell").unwrap();
        }
        let folder = format!("--user-data-dir={}", profile.path().join("profile").display());
        for argument in ARGUMENTS.into_iter().chain([&*folder]) {
            ChromiumLikeCapabilities::add_arg(&mut wanted, argument).unwrap();
        }
        let window = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await.unwrap();
        Self { window, driver, _profile: profile }
    }

    /// What a script returns.
    pub async fn script(&self, script: &str) -> Value {
        self.window.execute(script, vec![]).await.unwrap().json().clone()
    }

    /// The text of the element with this id, as it is seen; none if it is hidden.
    pub async fn text(&self, id: &str) -> String {
        let found = self.window.find(By::Id(id)).await.unwrap();
        found.text().await.unwrap()
    }

    /// Waits until the element's text is as wanted, and returns it.
    pub async fn shows(&self, id: &str, wanted: impl Fn(&str) -> bool) -> String {
        let last = std::cell::RefCell::new(String::new());
        let look = async || {
            let text = self.text(id).await;
            last.replace(text.clone());
            wanted(&text).then_some(text)
        };
        let what = format!("#{id}");
        tokio::select! {
            text = wait_for(&what, look) => text,
            () = tokio::time::sleep(std::time::Duration::from_secs(50)) => panic!("#{id} shows {:?}", last.borrow()),
        }
    }

    pub async fn click(&self, id: &str) {
        self.click_on(&format!("#{id}")).await;
    }

    pub async fn click_on(&self, css: &str) {
        let found = self.window.find(By::Css(css)).await.unwrap();
        // Not below the header, which stays where it is.
        found.scroll_into_view().await.unwrap();
        found.click().await.unwrap();
    }

    /// Types into the element that a selector finds, in place of what it has.
    pub async fn write(&self, css: &str, text: &str) {
        let field = self.window.find(By::Css(css)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    pub async fn press(&self, key: Key) {
        self.window.action_chain().send_keys(key).perform().await.unwrap();
    }

    /// `light` or `dark`, and how large the window is.
    pub async fn looks(&self, scheme: &str, width: u32, height: u32) {
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.window.cdp().send_raw("Emulation.setEmulatedMedia", media).await.unwrap();
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.window.cdp().send_raw("Emulation.setDeviceMetricsOverride", size).await.unwrap();
    }

    /// What axe-core finds wrong: rule, and where.
    pub async fn violations(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(axe()).unwrap();
        self.window.execute(axe, vec![]).await.unwrap();
        let run = "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done, (e) => done(String(e)));";
        let found = self.window.execute_async(run, vec![]).await.unwrap();
        let found = found.json();
        let violations = found["violations"].as_array().unwrap_or_else(|| panic!("axe: {found}"));
        assert!(found["passes"].as_array().is_some_and(|it| it.len() > 20), "axe checked little");
        violations
            .iter()
            .map(|it| {
                let places = it["nodes"].as_array().unwrap().iter();
                let places: Vec<_> = places
                    .map(|node| format!("{} {}", node["html"], node["failureSummary"]))
                    .collect();
                format!("{}: {}", it["id"], places.join("; "))
            })
            .collect()
    }

    /// Keeps a picture of what is seen in `target/tmp/page`, to be looked at after a test.
    pub async fn keep(&self, name: &str) {
        let picture = self.window.screenshot_as_png().await.unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), picture).unwrap();
    }

    /// Keeps a picture of what is seen for the documents, if they are to be updated.
    pub async fn picture(&self, name: &str) {
        if std::env::var_os("UPDATE_DOCUMENTS").is_none() {
            return;
        }
        // The charts are drawn anew for another width with the next update.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let picture = self.window.screenshot_as_png().await.unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), picture).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(id) = self.driver.id() {
            let _ = killpg(Pid::from_raw(id.try_into().unwrap()), Signal::SIGKILL);
        }
    }
}

fn services() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".services")
}

/// The system's, or what scripts/services has fetched: the folder, and the browser in it.
fn installed() -> (PathBuf, PathBuf) {
    for prefix in [PathBuf::from("/usr"), services().join("debian/browser/usr")] {
        // Not the scripts in bin/, which name the system's places.
        for program in ["lib/chromium/chromium", "lib/chromium/chromium-headless-shell"] {
            let program = prefix.join(program);
            if program.exists() && prefix.join("bin/chromedriver").exists() {
                return (prefix, program);
            }
        }
    }
    panic!("no Chromium and chromedriver for the tests; {FETCH}");
}

/// Where the libraries are that came along with it.
fn libraries(prefix: &Path) -> String {
    let folders = std::fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
    let folders =
        folders.map(|it| it.path()).filter(|it| it.to_string_lossy().ends_with("-linux-gnu"));
    let each = |it: PathBuf| format!("{0}:{0}/pulseaudio", it.display());
    folders.map(each).collect::<Vec<_>>().join(":")
}

/// The accessibility checker, in the services' venv.
fn axe() -> PathBuf {
    let versions = std::fs::read_dir(services().join("venv/lib"));
    let mut places = versions
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("site-packages/axe_playwright_python/axe.min.js"));
    places.find(|it| it.exists()).unwrap_or_else(|| panic!("no axe-core for the tests; {FETCH}"))
}
