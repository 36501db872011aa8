//! What RabbitMQ's types of exchanges do with MongooseIM's events.

/// Where the document says more about them.
const ADVICE: &str = "Let MongooseIM use a topic exchange, under another name, since RabbitMQ changes no exchange's \
                      type: docs/from-mongooseim.md#exchange-types";

/// Whether a queue gets all that is published, whatever its binding says.
pub(super) fn hands_on_all(name: &str) -> bool {
    matches!(name, "fanout" | "headers")
}

/// Why no source is made for an exchange of this type, which is none of topic, fanout and headers.
pub(super) fn obstacle(name: &str) -> String {
    let what = match name {
        "direct" => {
            "from which nobody can take the events of all users: a queue would need a binding for each of their \
             routing keys"
        }
        "x-consistent-hash" => {
            "which gives each event to one of its queues, by a hash of the routing key: a queue that is bound alone \
             gets the events of all users, one among several a share. A worker does not bind to it"
        }
        "x-modulus-hash" => {
            "which gives each event to one of its queues, by a hash of the routing key modulo their number: a queue \
             that is bound alone gets the events of all users, one among several a share. A worker does not bind to it"
        }
        "x-random" => {
            "which gives each event to one of its queues, at random: a queue that is bound alone gets the events of \
             all users, one among several a share. A worker does not bind to it"
        }
        "x-local-random" => {
            "which takes classic queues only, gives each event to one of those on the node that MongooseIM is \
             connected to, and drops it if none is there: only queues on every such node get the events of all \
             users. A worker does not bind to it"
        }
        "x-recent-history" => {
            "which gives each event to all of its queues, so that any of them gets the events of all users; but a queue that is \
             bound anew gets the last ones again, 20 unless set otherwise, and they would be published twice. A \
             worker does not bind to it"
        }
        "x-delayed-message" => {
            "which delays what has a header x-delay, as MongooseIM's events have not, and then does what a type does \
             that is not in MongooseIM's configuration, but in the exchange's argument x-delayed-type: as topic, fanout or \
             headers it can give a queue the events of all users. A worker does not bind to it"
        }
        "x-jms-topic" => {
            "which goes by a selector in the arguments of each binding, and not by routing keys: a queue whose \
             selector is always true gets the events of all users. A worker does not bind to it"
        }
        _ => {
            "which is not one of RabbitMQ's own: what a queue gets from it is for its plugin to say. A worker does \
             not bind to it"
        }
    };
    format!("is of type {name}, {what}. {ADVICE}")
}
