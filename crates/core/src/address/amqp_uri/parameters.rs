//! The parameters of a broker's address: those that `lapin` reads, with values that it takes.
//!
//! `lapin` ignores what it does not know. RabbitMQ's own clients know more, for TLS above all, and an address that asks for
//! TLS must not be used in clear text. Source: "RabbitMQ URI Query Parameters".

use url::Url;

use super::AmqpUriError;
use crate::nearest::nearest_word;

const KNOWN: [&str; 5] =
    ["auth_mechanism", "channel_max", "connection_timeout", "frame_max", "heartbeat"];

/// What other clients read and is set otherwise here, or always so.
const FOR_TLS: [(&str, &str); 12] = [
    ("cacertfile", "set amqp.ca_file"),
    ("cacerts", "set amqp.ca_file"),
    ("ca_certs", "set amqp.ca_file"),
    ("certfile", "set amqp.cert_file"),
    ("keyfile", "set amqp.key_file"),
    ("verify", ALWAYS_VERIFIED),
    ("fail_if_no_peer_cert", ALWAYS_VERIFIED),
    ("depth", ALWAYS_VERIFIED),
    ("server_name_indication", "the name that is verified is the address's host: give that"),
    ("ssl", "amqps:// is all it takes"),
    ("tls", "amqps:// is all it takes"),
    ("ssl_options", "set amqp.ca_file, amqp.cert_file and amqp.key_file"),
];

const ALWAYS_VERIFIED: &str = "with amqps:// the broker's certificate is always verified";

/// The mechanisms of SASL that `lapin` knows, but for one that is for demonstrations.
const MECHANISMS: [&str; 4] = ["amqplain", "anonymous", "external", "plain"];

/// AMQP's own least size of a frame.
const SMALLEST_FRAME: u64 = 4096;

/// Channels that one connection uses at most: 64 for one dead letter each, and a few that look at queues.
const LEAST_CHANNELS: u64 = 70;

/// An hour in milliseconds.
const LONGEST_TIMEOUT: u64 = 3_600_000;

/// What is wrong with each of them.
pub(super) fn faults(url: &Url) -> Vec<AmqpUriError> {
    let (mut seen, mut faults) = (Vec::new(), Vec::new());
    for (name, value) in url.query_pairs() {
        if seen.contains(&name) {
            faults.push(error(&name, "stands twice in it", "keep one of them"));
            continue;
        }
        faults.extend(check(url, &name, &value).err());
        seen.push(name);
    }
    faults
}

fn check(url: &Url, name: &str, value: &str) -> Result<(), AmqpUriError> {
    let number = |least: u64, most: u64| match value.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(()),
        _ => {
            let wrong = format!("must be a whole number from {least} to {most}");
            Err(error(name, &wrong, "give such a number, or leave the parameter out"))
        }
    };
    match name {
        "channel_max" if value == "0" => Ok(()),
        "channel_max" => number(LEAST_CHANNELS, u16::MAX.into()),
        "heartbeat" => number(0, u16::MAX.into()),
        "connection_timeout" => number(1, LONGEST_TIMEOUT),
        "frame_max" => number(SMALLEST_FRAME, u32::MAX.into()),
        "auth_mechanism" if !MECHANISMS.contains(&&*value.to_lowercase()) => {
            let wrong = format!("must be one of {}", MECHANISMS.join(", "));
            Err(error(name, &wrong, "give one of these, or leave the parameter out"))
        }
        "auth_mechanism" => Ok(()),
        "verify" if url.scheme() == "amqps" && value == "verify_peer" => Ok(()),
        _ => Err(unknown(url, name)),
    }
}

fn unknown(url: &Url, name: &str) -> AmqpUriError {
    if let Some((name, instead)) = FOR_TLS.iter().find(|(known, _)| *known == name) {
        if url.scheme() == "amqp" {
            let wrong = "asks for TLS, and the scheme amqp:// has none";
            return error(
                name,
                wrong,
                &format!("write amqps://, and remove the parameter; {instead}"),
            );
        }
        return error(name, "is not read here", &format!("remove the parameter; {instead}"));
    }
    let remedy = format!("the parameters are {}", KNOWN.join(", "));
    // What is not known may be a part of a password.
    let wrong = "has a parameter that is not known".to_owned();
    match nearest_word(name, &KNOWN) {
        Some(near) => AmqpUriError { wrong, remedy: format!("did you mean `{near}`? {remedy}") },
        None => AmqpUriError { wrong, remedy: format!("remove it; {remedy}") },
    }
}

fn error(name: &str, wrong: &str, remedy: &str) -> AmqpUriError {
    AmqpUriError { wrong: format!("its parameter `{name}` {wrong}"), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::AmqpUri;

    fn refusal(query: &str) -> String {
        let error = AmqpUri::parse(&format!("amqp://u:p@host/v?{query}")).unwrap_err();
        format!("{}: {}", error.wrong, error.remedy)
    }

    #[test]
    fn what_lapin_would_refuse_or_ignore_is_refused_with_its_name() {
        for (query, said) in [
            ("heartbeat=abc", "`heartbeat` must be a whole number from 0 to 65535"),
            ("heartbeat=70000", "`heartbeat` must be a whole number from 0 to 65535"),
            ("connection_timeout=5s", "`connection_timeout` must be a whole number from 1"),
            ("connection_timeout=0", "`connection_timeout` must be a whole number from 1"),
            ("frame_max=100", "`frame_max` must be a whole number from 4096"),
            ("channel_max=-1", "`channel_max` must be a whole number"),
            ("channel_max=1", "`channel_max` must be a whole number from 70"),
            ("auth_mechanism=cookie", "must be one of amqplain, anonymous, external, plain"),
            ("hearbeat=30", "did you mean `heartbeat`?"),
            ("heartbeat=3&heartbeat=4", "`heartbeat` stands twice"),
            ("planted=1", "has a parameter that is not known: remove it"),
        ] {
            let refused = refusal(query);
            assert!(refused.contains(said), "{query}: {refused}");
            assert!(!refused.contains("planted") && !refused.contains("cookie"), "{refused}");
        }
    }

    #[test]
    fn an_address_that_asks_for_tls_is_not_used_in_clear_text() {
        for query in ["ssl=true&verify=verify_peer", "cacertfile=/ca.pem", "verify=verify_none"] {
            let refused = refusal(query);
            assert!(refused.contains("asks for TLS") && refused.contains("amqps://"), "{refused}");
        }
        let by_tls = |query| AmqpUri::parse(&format!("amqps://u:p@host/v?{query}"));
        by_tls("verify=verify_peer&heartbeat=5").unwrap();
        assert!(by_tls("verify=verify_none").unwrap_err().remedy.contains("always verified"));
        assert!(by_tls("cacertfile=/ca.pem").unwrap_err().remedy.contains("amqp.ca_file"));
    }

    #[test]
    fn what_lapin_reads_is_taken() {
        let all = "heartbeat=0&connection_timeout=3000&channel_max=0&frame_max=131072&auth_mechanism=PLAIN";
        AmqpUri::parse(&format!("amqp://u:p@host/v?{all}")).unwrap();
    }
}
