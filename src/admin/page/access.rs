//! Access control of the page: the requested host name, the site that sends the request, and the token.

mod principal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::{Instant, sleep};

pub(super) use self::principal::Principal;
use super::attempts::{Bucket, Failures};
use super::parse;
use super::session::{self, Sessions};
use crate::config::Admin;

/// What a wrong token waits for its answer.
const SLOW: Duration = Duration::from_secs(1);

/// Decides who may use the page, by host name, site and token.
#[derive(Debug)]
pub(super) struct AccessControl {
    hosts: BTreeSet<String>,
    /// With the names of the operators whose they are.
    tokens: Vec<(String, Secret)>,
    /// What is told where nobody can log in.
    no_token: Refusal,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    sessions: Sessions,
    failures: Failures,
    /// What each of those who are trusted has left: nobody uses up another's.
    allowances: BTreeMap<Principal, Allowance>,
}

#[derive(Debug)]
struct Allowance {
    writes: Bucket,
    looks: Bucket,
}

impl Default for Allowance {
    /// A person's; a script that needs more has the command line.
    fn default() -> Self {
        Self { writes: Bucket::new(10.0, 0.5), looks: Bucket::new(20.0, 2.0) }
    }
}

/// Only its hash is kept: of one length, so that comparing two tells nothing of either.
struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A refusal: the status, and what to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) &'static str);

const FOREIGN_HOST: Refusal = Refusal(
    StatusCode::MISDIRECTED_REQUEST,
    "the page is not served under this host name; open it by IP address or as localhost, or add the name to admin.hosts",
);
const FOREIGN_SITE: Refusal = Refusal(
    StatusCode::FORBIDDEN,
    "this request comes from another site; only the page itself, or a program that sends the token, may make it",
);
const WRONG_TOKEN: Refusal = Refusal(
    StatusCode::UNAUTHORIZED,
    "wrong token; the token is the value of admin.token, or of an operator's in admin.tokens, in the worker's configuration",
);
const NO_TOKEN: Refusal = Refusal(
    StatusCode::FORBIDDEN,
    "this worker has no admin.token, so the page shows no dead letters and can't replay them; set admin.token to the \
     output of `openssl rand -hex 32` and restart the worker, or use `event-pusher-sns dead-letters`",
);
const SHORT_TOKEN: Refusal = Refusal(
    StatusCode::FORBIDDEN,
    "this worker's admin.token has fewer than 24 characters, could be guessed, and so is not accepted; set admin.token to the \
     output of `openssl rand -hex 32` and restart the worker, or use `event-pusher-sns dead-letters`",
);
const LOG_IN: Refusal = Refusal(
    StatusCode::UNAUTHORIZED,
    "this is shown and done only with a token: log in first, or send `Authorization: Bearer TOKEN`; the token is the value of \
     admin.token, or of an operator's in admin.tokens",
);
const TOO_MANY_TRIES: Refusal = Refusal(
    StatusCode::TOO_MANY_REQUESTS,
    "too many wrong tokens came from your network; wait a minute",
);
const TOO_FAST: Refusal =
    Refusal(StatusCode::TOO_MANY_REQUESTS, "too many requests in a short time; wait a few seconds");

/// The name under which the page is asked. Where the request's target has one, that counts, and `Host` is not looked at
/// (RFC 9112, 3.2.2).
fn asked_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let host = || headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    uri.authority().map_or_else(host, Authority::as_str)
}

impl AccessControl {
    pub(super) fn new(admin: &Admin) -> Self {
        let own = admin.listen.as_deref().and_then(|it| it.rsplit_once(':'));
        let names = own.map(|(host, _)| host.to_owned()).into_iter().chain(admin.hosts.clone());
        Self {
            hosts: names.chain(["localhost".to_owned()]).map(|it| it.to_lowercase()).collect(),
            tokens: admin
                .usable_tokens()
                .map(|(name, token)| (name.to_owned(), Secret::of(token)))
                .collect(),
            no_token: if admin.token_is_short() { SHORT_TOKEN } else { NO_TOKEN },
            state: Mutex::new(State {
                sessions: Sessions::default(),
                failures: Failures::default(),
                allowances: BTreeMap::new(),
            }),
        }
    }

    pub(super) const fn has_token(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Whose token it is. Takes as long whosever it is.
    fn operator(&self, given: &str) -> Option<&str> {
        let given = Secret::of(given);
        let mut found = None;
        for (name, token) in &self.tokens {
            if token.is(&given) && found.is_none() {
                found = Some(&**name);
            }
        }
        found
    }

    /// What to tell those who want to log in and can't.
    pub(super) const fn login_refusal(&self) -> Option<&'static str> {
        if self.has_token() { None } else { Some(self.no_token.1) }
    }

    /// Whether a request's head is that of somebody who has the token or has logged in. Counts nothing, and so looks
    /// at no token where too many were wrong.
    pub(super) fn is_logged_in(&self, headers: &HeaderMap, peer: SocketAddr) -> bool {
        let state = self.state();
        let given = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        match given {
            Some(given) => {
                !state.failures.are_too_many(peer.ip(), Instant::now())
                    && self.operator(parse::bearer(given)).is_some()
            }
            None => session::of(headers).is_some_and(|id| state.sessions.operator(&id).is_some()),
        }
    }

    /// Whether the page goes by the name under which it is asked. A name that leads here but is not
    /// ours may be a foreign site's, whose scripts would then count as the page's own.
    pub(super) fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let name = parse::host_name(asked_host(uri, headers));
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        if is_address || self.hosts.contains(&name) { Ok(()) } else { Err(FOREIGN_HOST) }
    }

    /// Whether the page itself asks, or no browser.
    pub(super) fn check_site(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |name| headers.get(name).map(|it| it.to_str().unwrap_or("?"));
        let same_site =
            text("sec-fetch-site").is_none_or(|it| matches!(it, "same-origin" | "none"));
        let host = asked_host(uri, headers);
        let origin = text("origin").is_none_or(|origin| parse::is_of_host(origin, host));
        if same_site && origin { Ok(()) } else { Err(FOREIGN_SITE) }
    }

    /// Who asks. A wrong token is slow, and after a few from one address none is looked at for a while.
    pub(super) async fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: SocketAddr,
    ) -> Result<Principal, Refusal> {
        if let Some(given) = headers.get(header::AUTHORIZATION) {
            let given = given.to_str().unwrap_or_default();
            let operator = self.check_token(parse::bearer(given), peer).await?;
            return Ok(Principal::Token(operator));
        }
        let Some(id) = session::of(headers) else { return Ok(Principal::Anyone) };
        let operator = self.state().sessions.operator(&id);
        Ok(operator.map_or(Principal::Anyone, |it| Principal::Session(session::shown(&id), it)))
    }

    /// Somebody who may change something, or see what users wrote.
    pub(super) async fn trusted(
        &self,
        headers: &HeaderMap,
        peer: SocketAddr,
    ) -> Result<Principal, Refusal> {
        match self.authenticate(headers, peer).await? {
            Principal::Anyone if !self.has_token() => Err(self.no_token.clone()),
            Principal::Anyone => Err(LOG_IN),
            trusted => Ok(trusted),
        }
    }

    /// The same for a request that changes something.
    pub(super) async fn writer(
        &self,
        headers: &HeaderMap,
        peer: SocketAddr,
    ) -> Result<Principal, Refusal> {
        let who = self.trusted(headers, peer).await?;
        // A browser says from where it asks; with the cookie alone, that is what tells the page from others.
        let says = headers.contains_key("origin") || headers.contains_key("sec-fetch-site");
        if !matches!(who, Principal::Token(_)) && !says {
            return Err(FOREIGN_SITE);
        }
        self.spend_allowance(&who, |allowance| &mut allowance.writes)?;
        Ok(who)
    }

    /// Somebody who may look at the dead letters, if it is not too soon.
    pub(super) async fn reader(
        &self,
        headers: &HeaderMap,
        peer: SocketAddr,
    ) -> Result<Principal, Refusal> {
        let who = self.trusted(headers, peer).await?;
        self.spend_allowance(&who, |allowance| &mut allowance.looks)?;
        Ok(who)
    }

    fn spend_allowance(
        &self,
        who: &Principal,
        bucket: impl FnOnce(&mut Allowance) -> &mut Bucket,
    ) -> Result<(), Refusal> {
        let mut state = self.state();
        if !state.allowances.contains_key(who) && state.allowances.len() > session::MOST {
            // Most are of sessions that have ended, and all of people who have the token.
            state.allowances.clear();
        }
        let allowance = state.allowances.entry(who.clone()).or_default();
        if bucket(allowance).take(Instant::now()) { Ok(()) } else { Err(TOO_FAST) }
    }

    /// Begins a session for who has the token; returns its id.
    pub(super) async fn log_in(&self, token: &str, peer: SocketAddr) -> Result<String, Refusal> {
        let operator = self.check_token(token, peer).await?;
        Ok(self.state().sessions.begin(operator))
    }

    /// Ends the session, and returns what of its id may stand in a log; `None` if it is none.
    pub(super) fn log_out(&self, headers: &HeaderMap) -> Option<String> {
        session::of(headers)
            .filter(|id| self.state().sessions.end(id))
            .map(|id| session::shown(&id))
    }

    /// Returns whose token it is.
    async fn check_token(&self, given: &str, peer: SocketAddr) -> Result<String, Refusal> {
        if !self.has_token() {
            return Err(self.no_token.clone());
        }
        if self.state().failures.are_too_many(peer.ip(), Instant::now()) {
            return Err(TOO_MANY_TRIES);
        }
        if let Some(operator) = self.operator(given) {
            self.state().failures.remember(peer.ip());
            return Ok(operator.to_owned());
        }
        self.state().failures.note(peer.ip(), Instant::now());
        tracing::warn!(event = "page_wrong_token", %peer, "wrong token sent to the operator's page");
        sleep(SLOW).await;
        Err(WRONG_TOKEN)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
