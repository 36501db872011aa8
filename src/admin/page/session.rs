//! Sessions of the page, in the memory of this worker.

use std::collections::HashMap;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use tokio::time::Instant;

use super::parse::{self, COOKIE};
use crate::text::hexadecimal;

/// A night's watch.
const LASTS: Duration = Duration::from_hours(12);

/// Sessions at once; the oldest makes room.
pub(super) const MOST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<String, (Instant, String)>);

impl Sessions {
    /// Begins one of this operator, and returns its id, which nobody can guess.
    pub(super) fn begin(&mut self, operator: String) -> String {
        let now = Instant::now();
        self.0.retain(|_, (began, _)| now.duration_since(*began) < LASTS);
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.iter().min_by_key(|(_, (began, _))| *began)
        {
            let oldest = oldest.0.clone();
            self.0.remove(&oldest);
        }
        let id = random();
        self.0.insert(id.clone(), (now, operator));
        id
    }

    /// Whose session it is, if there is one.
    pub(super) fn operator(&self, id: &str) -> Option<String> {
        let (_, operator) = self.0.get(id).filter(|(began, _)| began.elapsed() < LASTS)?;
        Some(operator.clone())
    }

    /// Returns whether there was one.
    pub(super) fn end(&mut self, id: &str) -> bool {
        self.0.remove(id).is_some()
    }
}

/// 256 bits of the system's.
fn random() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has random numbers, or nothing here is safe");
    hexadecimal(&bytes)
}

/// The id that a browser sends.
pub(super) fn of(headers: &HeaderMap) -> Option<String> {
    let mut cookies = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
    cookies.find_map(parse::session_id).map(str::to_owned)
}

/// What of an id may stand in a log.
pub(super) fn shown(id: &str) -> String {
    id.chars().take(6).collect()
}

/// What makes a browser keep an id, from scripts and other sites; or forget it.
pub(super) fn cookie(id: Option<&str>, is_https: bool) -> String {
    let (id, age) = id.map_or(("", 0), |id| (id, LASTS.as_secs()));
    let secure = if is_https { "; Secure" } else { "" };
    format!("{COOKIE}={id}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_lasts_for_a_night_and_old_ones_make_room() {
        let mut sessions = Sessions::default();
        let first = sessions.begin("ann".to_owned());
        assert_eq!(first.len(), 64);
        for _ in 0..MOST {
            tokio::time::advance(Duration::from_secs(1)).await;
            let id = sessions.begin("ann".to_owned());
            assert_eq!(sessions.operator(&id).as_deref(), Some("ann"));
        }
        assert!(
            sessions.operator(&first).is_none()
                && sessions.operator("").is_none()
                && sessions.0.len() == MOST
        );
        let last = sessions.begin("ann".to_owned());
        tokio::time::advance(LASTS).await;
        assert!(sessions.operator(&last).is_none());
    }
}
