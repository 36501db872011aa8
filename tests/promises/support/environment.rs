//! What whoever runs the tests may set.

/// A number that whoever runs the tests may set; empty is unset.
pub fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

/// Of the broker that the tests of this run share.
pub(super) fn shared_uri() -> String {
    from_environment("EVENT_PUSHER_TEST_AMQP", |base| {
        format!("amqp://guest:guest@127.0.0.1:{base}/%2f")
    })
}

pub(super) fn newest_uri() -> String {
    from_environment("EVENT_PUSHER_TEST_AMQP_NEXT", |base| {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", base + 4)
    })
}

pub(super) fn from_environment(name: &str, default: impl Fn(u16) -> String) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        let base = std::env::var("EVENT_PUSHER_DEV_PORT").ok().and_then(|it| it.parse().ok());
        default(base.unwrap_or(21_670))
    })
}
