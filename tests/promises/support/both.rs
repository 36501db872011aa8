//! Promises that hold on the oldest and on the newest RabbitMQ.

/// Makes of each `async fn promise(stand: Stand)` a module with two tests, `on_3_10` and `on_4_3`, of which a run
/// of `make test` leaves out the other release's.
///
/// A promise on 4.3 can't declare what is denied there, as queues that are neither durable nor
/// exclusive are.
#[allow(unused_macros, reason = "not every test program that has this support tries both")]
macro_rules! on_both_brokers {
    ($($(#[$meta:meta])* async fn $promise:ident($stand:ident: Stand) $body:block)+) => { $(
        mod $promise {
            #[allow(unused_imports, clippy::wildcard_imports, reason = "what the promise uses")]
            use super::*;

            $(#[$meta])*
            async fn promise($stand: $crate::support::Stand) $body

            #[tokio::test]
            async fn on_3_10() {
                let name = $crate::support::short(stringify!($promise));
                promise($crate::support::Stand::oldest(name).await).await;
            }

            #[tokio::test]
            async fn on_4_3() {
                let name = $crate::support::short(stringify!($promise));
                promise($crate::support::Stand::newest(name).await).await;
            }
        }
    )+ };
}
pub(crate) use on_both_brokers;

/// The same of each `async fn promise(broker: &OwnBroker, stand: Stand)`, on nodes on which settings that are this
/// stand's alone may be changed.
#[allow(unused_macros, reason = "not every test program that has this support tries both")]
macro_rules! on_both_own_brokers {
    ($($(#[$meta:meta])* async fn $promise:ident($broker:ident: &OwnBroker, $stand:ident: Stand) $body:block)+) => { $(
        mod $promise {
            #[allow(unused_imports, clippy::wildcard_imports, reason = "what the promise uses")]
            use super::*;
            use $crate::support::{OwnBroker, Stand};

            $(#[$meta])*
            async fn promise($broker: &OwnBroker, $stand: Stand) $body

            #[tokio::test]
            async fn on_3_10() {
                let (broker, _guard) = OwnBroker::oldest().await;
                let name = $crate::support::short(stringify!($promise));
                promise(broker, Stand::on(name, &broker.uri(0)).await).await;
            }

            #[tokio::test]
            async fn on_4_3() {
                let (broker, _guard) = OwnBroker::newest().await;
                let name = $crate::support::short(stringify!($promise));
                promise(broker, Stand::on(name, &broker.uri(0)).await).await;
            }
        }
    )+ };
}
pub(crate) use on_both_own_brokers;

/// The queues behind the topics have names of at most 80 characters.
pub fn short(name: &str) -> &str {
    name.get(..40).unwrap_or(name)
}
