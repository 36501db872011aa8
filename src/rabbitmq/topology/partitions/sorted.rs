//! The exchange of the events that a worker has sorted: it fans out to the exchange that divides them, whatever their routing keys.

use lapin::{Channel, ExchangeKind};

use crate::config::Source;
use crate::outcome::SourceError;
use crate::rabbitmq::connection::broker_connection::BrokerConnection;
use crate::rabbitmq::connection::on_channel;
use crate::rabbitmq::topology::exchange_declare;
use crate::rabbitmq::topology::mismatch::{Declaration, TYPE, Thing, key_of, quoted};

/// Declares it, if a worker sorts the source's events.
///
/// # Errors
///
/// It differs, or the user may not.
pub(in crate::rabbitmq) async fn declare(
    connection: &BrokerConnection,
    source: &Source,
) -> Result<(), SourceError> {
    let Some(exchange) = source.sorted_exchange() else { return Ok(()) };
    let declared = async |channel: &Channel| {
        exchange_declare(channel, &exchange, ExchangeKind::Fanout, true).await
    };
    on_channel(connection, declared).await.map_err(|error| {
        let named_by = format!("that of {} with `.sorted` appended", key_of(source, "queue"));
        let declaration = Declaration::new(Thing::Exchange, &exchange, named_by);
        declaration.fixed(TYPE, quoted("fanout")).explain(error)
    })
}
