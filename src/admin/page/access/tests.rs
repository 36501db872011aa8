//! Names, sites, tokens and sessions.

use super::*;

const RIGHT: &str = "right-and-long-enough-for-a-login";
const ANNS: &str = "anns-and-long-enough-for-a-login";

fn access() -> AccessControl {
    AccessControl::new(&Admin {
        listen: Some("worker.internal:9464".to_owned()),
        health_listen: None,
        token: Some(RIGHT.to_owned().into()),
        tokens: [("ann".to_owned(), ANNS.to_owned().into())].into(),
        hosts: vec!["Pusher.Example.org".to_owned()],
        price_per_million_requests: 0.5,
    })
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

#[test]
fn the_page_goes_by_addresses_and_by_names_of_its_own_only() {
    let access = access();
    let goes_by =
        |host: &str| access.check_host(&Uri::default(), &headers(&[("host", host)])).is_ok();
    for own in [
        "localhost",
        "localhost:9464",
        "LOCALHOST:1",
        "127.0.0.1:9464",
        "10.1.2.3",
        "[::1]:9464",
        "[::1]",
        "worker.internal:9464",
        "pusher.example.org",
        "pusher.example.org.:443",
    ] {
        assert!(goes_by(own), "{own}");
    }
    for foreign in [
        "",
        "evil.example",
        "evil.example:9464",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example:127",
        "worker.internal:9464:1",
        "a b",
        "0x7f.1:1",
    ] {
        assert!(!goes_by(foreign), "{foreign}");
    }
    assert!(access.check_host(&Uri::default(), &HeaderMap::new()).is_err(), "no name at all");
}

#[test]
fn a_name_in_the_request_itself_counts_and_not_the_one_in_its_host() {
    let access = access();
    let (own, foreign) = (headers(&[("host", "localhost:9464")]), headers(&[("host", "evil")]));
    let asks = |uri: &str, headers: &HeaderMap| access.check_host(&uri.parse().unwrap(), headers);
    for uri in
        ["http://evil.example/", "http://evil.example:9464/api/status", "http://localhost@evil/"]
    {
        assert_eq!(asks(uri, &own), Err(FOREIGN_HOST), "{uri}");
    }
    for uri in ["http://localhost:9464/", "http://127.0.0.1/", "http://[::1]:1/x"] {
        assert_eq!(asks(uri, &foreign), Ok(()), "{uri}");
    }
    assert_eq!(asks("/api/status", &own), Ok(()), "it names none");
    let site = |uri: &str, origin: &str| {
        let headers = headers(&[("host", "localhost:9464"), ("origin", origin)]);
        AccessControl::check_site(&uri.parse().unwrap(), &headers)
    };
    assert_eq!(site("http://127.0.0.1:1/", "http://127.0.0.1:1"), Ok(()));
    assert_eq!(site("http://127.0.0.1:1/", "http://localhost:9464"), Err(FOREIGN_SITE));
}

#[test]
fn only_the_page_itself_may_ask_or_no_browser() {
    let may = |pairs: &[(&'static str, &str)]| {
        AccessControl::check_site(&Uri::default(), &headers(pairs)).is_ok()
    };
    let host = ("host", "127.0.0.1:9464");
    assert!(may(&[host]));
    assert!(may(&[host, ("origin", "http://127.0.0.1:9464"), ("sec-fetch-site", "same-origin")]));
    assert!(may(&[host, ("sec-fetch-site", "none")]), "typed into the address line");
    for origin in [
        "http://127.0.0.1:9465",
        "http://evil.example",
        "null",
        "http://127.0.0.1:9464.evil",
        "file://",
    ] {
        assert!(!may(&[host, ("origin", origin)]), "{origin}");
    }
    for site in ["cross-site", "same-site", "?"] {
        assert!(!may(&[host, ("sec-fetch-site", site)]), "{site}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_is_slow_and_a_few_of_them_close_the_door_for_a_while() {
    let (access, peer) = (access(), SocketAddr::from(([10, 0, 0, 1], 5)));
    let other = SocketAddr::from(([10, 0, 1, 2], 5));
    let began = Instant::now();
    let mut tries = 0;
    while access.log_in("wrong", peer).await == Err(WRONG_TOKEN) {
        tries += 1;
        assert!(tries <= 10, "the door stays open");
        assert!(began.elapsed() >= SLOW * tries);
        sleep(Duration::from_secs(2)).await;
    }
    assert!(tries >= 3, "{tries}");
    assert_eq!(access.log_in(RIGHT, peer).await, Err(TOO_MANY_TRIES), "not even the right one");
    assert!(access.log_in(RIGHT, other).await.is_ok(), "from elsewhere");
    sleep(Duration::from_mins(1)).await;
    assert!(access.log_in(RIGHT, peer).await.is_ok(), "after a minute");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_right_but_for_one_character_lets_nobody_in() {
    let (longer, changed) = (format!("{RIGHT}x"), format!("{}!", &RIGHT[..RIGHT.len() - 1]));
    for wrong in [&longer, &changed, &RIGHT[1..], &RIGHT[..RIGHT.len() - 1], ""] {
        let (access, peer) = (access(), SocketAddr::from(([10, 0, 0, 1], 5)));
        assert_eq!(access.log_in(wrong, peer).await, Err(WRONG_TOKEN), "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_counts_only_where_its_browser_says_that_the_page_itself_asks() {
    let (access, peer) = (access(), SocketAddr::from(([10, 0, 0, 1], 5)));
    let id = access.log_in(RIGHT, peer).await.unwrap();
    let cookie = format!("a=b; {}={id}; c=d", parse::COOKIE);
    let plain = headers(&[("cookie", &cookie)]);
    assert!(matches!(access.trusted(&plain, peer).await, Ok(Principal::Session(_, _))));
    assert_eq!(access.writer(&plain, peer).await, Err(FOREIGN_SITE));
    let asks = headers(&[("cookie", &cookie), ("sec-fetch-site", "same-origin")]);
    assert!(matches!(access.writer(&asks, peer).await, Ok(Principal::Session(_, _))));
    let bearer = headers(&[("authorization", &format!("Bearer {RIGHT}"))]);
    assert_eq!(access.writer(&bearer, peer).await, Ok(Principal::Token("admin".to_owned())));
    for wrong in ["Bearer wrong", "Basic right", "right", "Bearer", ""] {
        let wrong = headers(&[("authorization", wrong), ("cookie", &cookie)]);
        assert!(access.trusted(&wrong, peer).await.is_err(), "{wrong:?}");
        sleep(Duration::from_secs(30)).await;
    }
    access.log_out(&asks);
    assert_eq!(access.trusted(&asks, peer).await, Err(LOG_IN));
}
