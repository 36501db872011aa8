//! Reads RabbitMQ's refusal to declare a queue again with other arguments.

/// An argument in which a queue differs from what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::rabbitmq::topology) struct Difference<'a> {
    pub(in crate::rabbitmq::topology) argument: &'a str,
    /// Its value, and the name of its type.
    pub(in crate::rabbitmq::topology) current: Option<(&'a str, &'a str)>,
}

impl<'a> Difference<'a> {
    /// From RabbitMQ's words (`rabbit_misc:assert_args_equivalence1`).
    pub(in crate::rabbitmq::topology) fn read(said: &'a str) -> Option<Self> {
        let (argument, rest) = begin(said)?;
        let (_, current) = rest.rsplit_once("but current is ")?;
        if current.starts_with("none") {
            return Some(Self { argument, current: None });
        }
        let current = current.strip_prefix("the value ").unwrap_or(current);
        let current = current.strip_prefix('\'')?;
        // A name that is no plain atom has quotes of its own.
        let current = current
            .strip_prefix('\'')
            .filter(|it| it.starts_with(char::is_alphanumeric))
            .unwrap_or(current);
        let (value, rest) = current.split_once('\'')?;
        let kind = rest.split_once("of type '").and_then(|(_, kind)| kind.split_once('\''));
        Some(Self { argument, current: Some((value, kind.map_or("", |it| it.0))) })
    }

    /// The argument alone, also where AMQP has cut what comes behind it.
    pub(in crate::rabbitmq::topology) fn argument_in(said: &'a str) -> Option<&'a str> {
        begin(said).map(|(argument, _)| argument)
    }
}

/// The argument, and what is said of it.
fn begin(said: &str) -> Option<(&str, &str)> {
    let (_, rest) = said.split_once("inequivalent arg '")?;
    rest.split_once('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differs(argument: &str, rest: &str) -> String {
        format!(
            "queue `q`: PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'q' in vhost '/': {rest}"
        )
    }

    #[test]
    fn an_argument_is_known_where_the_rest_is_cut() {
        let said = differs("x-dead-letter-exchange", "received 'D' but current is 'a lon...");
        assert_eq!(Difference::read(&said), None);
        assert_eq!(Difference::argument_in(&said), Some("x-dead-letter-exchange"));
    }

    #[test]
    fn what_rabbitmq_says_of_an_argument_is_understood() {
        for (argument, rest, current) in [
            (
                "x-delivery-limit",
                "received none but current is the value '20' of type 'signedint'",
                Some(("20", "signedint")),
            ),
            (
                "x-queue-type",
                "received the value 'quorum' of type 'longstr' but current is none",
                None,
            ),
            ("durable", "received 'true' but current is 'false'", Some(("false", ""))),
            ("type", "received 'topic' but current is ''x-random''", Some(("x-random", ""))),
            (
                "x",
                "received the value 'a' of type 'longstr' but current is the value '' of type 'longstr'",
                Some(("", "longstr")),
            ),
        ] {
            let said = differs(argument, rest);
            assert_eq!(Difference::read(&said), Some(Difference { argument, current }), "{said}");
        }
        for other in ["queue `q`: ACCESS_REFUSED", "inequivalent arg 'x", ""] {
            assert_eq!((Difference::read(other), Difference::argument_in(other)), (None, None));
        }
    }
}
