//! The page's answers, without a browser.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Admin, wait_for};

/// The token of the tests' workers.
pub const TOKEN: &str = "planted-token-of-some-length";

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The headers of one who has the token.
pub fn bearer() -> String {
    format!("Authorization: Bearer {TOKEN}")
}

impl Admin {
    /// Sends a request with these further headers.
    pub async fn request(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let host = format!("Host: {}", self.address());
        let own = headers.iter().any(|it| it.starts_with("Host:"));
        let host = if own { vec![] } else { vec![&*host] };
        let length = format!("Content-Length: {}", body.len());
        let length = if body.is_empty() { vec![] } else { vec![&*length] };
        let head = [host, headers.to_vec(), length].concat().join("\r\n");
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\n{head}\r\n\r\n{body}");
        // It may refuse before it has read all.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) =
            answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{line}: {answer:?}"));
        Answer {
            status: head[9..12].parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// What the page reads, as one who has the token or not.
    pub async fn read(&self, path: &str, headers: &[&str]) -> Answer {
        self.request(&format!("GET {path}"), headers, "").await
    }

    pub async fn write(&self, path: &str, headers: &[&str], body: &Value) -> Answer {
        let headers = [headers, &["Content-Type: application/json"]].concat();
        self.request(&format!("POST {path}"), &headers, &body.to_string()).await
    }

    /// The page's replay, as it is now.
    pub async fn replay(&self) -> Value {
        self.read("/api/status", &[]).await.json()["frame"]["replay"].clone()
    }

    /// Waits until the page's replay is over, and returns it.
    pub async fn replay_ends(&self) -> Value {
        wait_for("the replay's end", async || {
            Some(self.replay().await).filter(|replay| replay["running"] == false)
        })
        .await
    }

    /// Logs in and returns the cookie as a browser sends it.
    pub async fn log_in(&self) -> String {
        let answer = self.write("/api/login", &[], &json!({"token": TOKEN})).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        let cookie =
            answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains(TOKEN), "{cookie}");
        format!("Cookie: {}", cookie.split(';').next().unwrap())
    }
}
