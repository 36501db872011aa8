use super::*;

#[test]
fn the_password_is_for_connecting_only() {
    let uri = AmqpUri::parse("amqps://chat:s3cret@rabbit.example:5671/%2f?heartbeat=10").unwrap();
    assert_eq!(uri.expose(), "amqps://chat:s3cret@rabbit.example:5671/%2f?heartbeat=10");
    assert_eq!(uri.to_string(), "amqps://chat:***@rabbit.example:5671/%2f");
    assert_eq!(format!("{uri:?}"), uri.to_string());
}

#[test]
fn a_user_without_a_password_may_be_a_token_and_is_hidden() {
    for text in ["amqp://T0KEN@host/v", "amqps://T0KEN@host/v?auth_mechanism=plain"] {
        let uri = AmqpUri::parse(text).unwrap();
        assert!(uri.to_string().ends_with("://***@host/v"), "{uri}");
        assert_eq!(format!("{uri:?}"), uri.to_string());
        assert_eq!(uri.user().as_deref(), Some("T0KEN"));
    }
    assert_eq!(AmqpUri::parse("amqp://T0KEN:@host").unwrap().to_string(), "amqp://***@host");
}

#[test]
fn an_ipv6_address_is_a_host() {
    let uri = AmqpUri::parse("amqp://[fd00::5]:5673").unwrap();
    assert_eq!(
        (uri.to_string(), uri.host()),
        ("amqp://[fd00::5]:5673".to_owned(), "fd00::5".to_owned())
    );
    assert_eq!(AmqpUri::parse("amqp://a.example").unwrap().host(), "a.example");
}

#[test]
fn a_slash_at_the_end_is_the_default_vhost() {
    let uri = AmqpUri::parse("amqp://a:b@host:5672/?heartbeat=5\n").unwrap();
    assert!(uri.ends_in_slash());
    assert_eq!(uri.expose(), "amqp://a:b@host:5672/%2f?heartbeat=5");
    assert_eq!(uri.to_string(), "amqp://a:***@host:5672/%2f");
    assert!(!AmqpUri::parse("amqp://host").unwrap().ends_in_slash());
}

#[test]
fn user_and_vhost_are_those_that_rabbitmq_sees() {
    for (text, user, vhost) in [
        ("amqp://a%40b:s3cret@host/a%2fb", Some("a@b"), "a/b"),
        ("amqp://host", Some("guest"), "/"),
        ("amqp://host/", Some("guest"), "/"),
        ("amqp://host/%2f", Some("guest"), "/"),
        ("amqps://host/v?auth_mechanism=EXTERNAL", None, "v"),
    ] {
        let uri = AmqpUri::parse(text).unwrap();
        assert_eq!((uri.user().as_deref(), &*uri.vhost()), (user, vhost), "{text}");
    }
}

#[test]
fn all_that_is_wrong_with_an_address_is_told_at_once() {
    let faults =
        AmqpUri::faults("http://u:p@host/a/b?heartbeat=x&connection_timeout=5s&hearbeat=3");
    let wrong: Vec<_> = faults.iter().map(|it| &*it.wrong).collect();
    let expected = [
        "has a scheme other than amqp and amqps",
        "has an unescaped `/` in its vhost",
        "its parameter `heartbeat` must be a whole number from 0 to 65535",
        "its parameter `connection_timeout` must be a whole number from 1 to 3600000",
        "has a parameter that is not known",
    ];
    assert_eq!(wrong, expected);
}

#[test]
fn an_address_that_lapin_would_misread_is_refused() {
    let over = format!("amqp://host/{}%2f", "v".repeat(255));
    AmqpUri::parse(&over.replacen('v', "", 1)).unwrap();
    for (text, wrong) in [
        ("127.0.0.1:5672", "has no scheme"),
        ("http://127.0.0.1", "has a scheme other than amqp and amqps"),
        ("amqp:///vhost", "has no host"),
        ("amqp:rabbit", "has no host"),
        ("amqp://u:p#w@host", "has no valid port, or a password with an unescaped character"),
        ("amqp://u:1/x@host", "has an unescaped `@` after the host"),
        ("amqp://u:1?x@host", "has an unescaped `@` after the host"),
        ("amqp://host/v#x", "has an unescaped `#`"),
        ("amqp://u:pa%ff@host", "has an escape in user, password or vhost that is not UTF-8"),
        ("amqp://host/v%ff", "has an escape in user, password or vhost that is not UTF-8"),
        ("amqp://u:a\nb@host", "has a blank or a line break in it"),
        ("amqp://host/a/b", "has an unescaped `/` in its vhost"),
        ("amqp://host//", "has an unescaped `/` in its vhost"),
        (&over, "has a vhost of more than 255 bytes, which is AMQP's limit"),
        ("amqp://host/50%", "has a `%` in its vhost that begins no escape"),
    ] {
        assert_eq!(AmqpUri::parse(text).err().map(|it| it.wrong).as_deref(), Some(wrong), "{text}");
    }
}
