//! Selects exchange and format for each kind of event.

use super::routing_key;
use super::wire::own_routing_key;
use crate::cli::arguments::{FeedArguments, Mix, Wire};
use crate::config::{Amqp, Format, Source};
use crate::event::EventKind;

/// Where events go.
#[derive(Debug)]
pub(super) struct Routes {
    wire: Wire,
    /// By the kinds of [`EventKind::ALL`]; `None` where there is no such event.
    sources: [Option<Source>; 3],
    routing_key: Option<String>,
}

impl Routes {
    /// # Errors
    ///
    /// The arguments leave open where to feed, in words for the user.
    pub(super) fn new(arguments: &FeedArguments, amqp: &Amqp) -> Result<Self, String> {
        let meant = selected_sources(arguments, &amqp.sources)?;
        let wire = arguments.format.unwrap_or_else(|| written(meant[0].format));
        let sources = match meant.as_slice() {
            [source] => [(); 3].map(|()| Some((*source).clone())),
            several => by_kind(several, arguments.mix)?,
        };
        let routes = Self { wire, sources, routing_key: arguments.routing_key.clone() };
        routes.check_routing_keys(arguments, amqp.declare)?;
        Ok(routes)
    }

    /// Each kind of event must have a routing key by which the exchange hands it on to the source's queue.
    fn check_routing_keys(&self, arguments: &FeedArguments, declare: bool) -> Result<(), String> {
        let user = format!("ann@{}", arguments.domain);
        for kind in EventKind::ALL.into_iter().filter(|kind| arguments.mix.share(*kind) > 0) {
            let Some(source) = self.source(kind) else { continue };
            let own = own_routing_key(kind, self.wire, &user);
            // The queue of an operator may have other bindings; RabbitMQ returns what it routes nowhere.
            let bound = |key: &String| !declare || routing_key::is_bound(source, key);
            let key = match &self.routing_key {
                Some(key) if bound(key) => continue,
                Some(key) => key,
                None if self.routing_key(source, kind, &own).is_some() => continue,
                None => &own,
            };
            let keys: Vec<_> = source.routing_keys.iter().map(|it| format!("`{it}`")).collect();
            return Err(format!(
                "source {}: {kind} events would be published with the routing key `{key}`, which matches none of its \
                 routing_keys ({}), so its queue would not get them; give a matching key with --routing-key, add one to \
                 routing_keys, or leave {kind} out of --mix",
                source.name,
                keys.join(", ")
            ));
        }
        Ok(())
    }

    pub(super) const fn wire(&self) -> Wire {
        self.wire
    }

    /// The source for events of a kind; every kind in the mix has one.
    pub(super) fn source(&self, kind: EventKind) -> Option<&Source> {
        self.sources[kind as usize].as_ref()
    }

    /// Every source once.
    pub(super) fn sources(&self) -> Vec<&Source> {
        let mut sources: Vec<&Source> = self.sources.iter().flatten().collect();
        sources.dedup_by_key(|source| &source.name);
        sources
    }

    /// The exchanges, to be named.
    pub(super) fn exchanges(&self) -> String {
        let names: Vec<_> =
            self.sources().iter().map(|source| format!("`{}`", source.exchange)).collect();
        names.join(", ")
    }

    /// The routing key for an event of this kind, whose format has a key of its `own`. `None`: none matches the source's
    /// bindings.
    pub(super) fn routing_key(
        &self,
        source: &Source,
        kind: EventKind,
        own: &str,
    ) -> Option<String> {
        match &self.routing_key {
            Some(key) => Some(key.clone()),
            None => routing_key::choose(source, self.wire, kind, own),
        }
    }
}

/// The sources that are fed, at least one.
fn selected_sources<'a>(
    arguments: &FeedArguments,
    sources: &'a [Source],
) -> Result<Vec<&'a Source>, String> {
    let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
    let names = names.join(", ");
    if let Some(name) = &arguments.source {
        let found = sources.iter().find(|source| source.name == *name);
        return found
            .map(|it| vec![it])
            .ok_or(format!("there is no source `{name}`; the sources are {names}"));
    }
    let of_format = |format| {
        let has = |it: &&Source| {
            it.format == format || (format == Format::Mongooseim && is_mongooseims(it.format))
        };
        sources.iter().filter(has).collect::<Vec<&Source>>()
    };
    let fitting = match arguments.format.map(read) {
        // Where none has just this format, one that decides for itself, or any, will do.
        Some(format) => [of_format(format), of_format(Format::Auto), sources.iter().collect()],
        None => [sources.iter().collect(), vec![], vec![]],
    };
    let fitting = fitting.into_iter().find(|sources| !sources.is_empty()).unwrap_or_default();
    let several = fitting.iter().all(|source| is_mongooseims(source.format));
    if fitting.len() == 1 || (several && !fitting.is_empty()) {
        return Ok(fitting);
    }
    Err(format!("there are several sources; name one with --source: {names}"))
}

fn is_mongooseims(format: Format) -> bool {
    written(format) == Wire::Mongooseim
}

/// How a source's format is written.
const fn written(format: Format) -> Wire {
    match format {
        Format::Auto | Format::Native => Wire::Native,
        Format::Mongooseim | Format::MongooseimChat | Format::MongooseimGroupchat => {
            Wire::Mongooseim
        }
        Format::Xmpp => Wire::Xmpp,
        Format::CloudEvents => Wire::CloudEvents,
    }
}

/// How what is written so is read.
const fn read(wire: Wire) -> Format {
    match wire {
        Wire::Native => Format::Native,
        Wire::Mongooseim => Format::Mongooseim,
        Wire::Xmpp => Format::Xmpp,
        Wire::CloudEvents | Wire::CloudEventsBinary => Format::CloudEvents,
    }
}

/// MongooseIM has an exchange for each kind. It is known by a format of its own, by its default name, else
/// by what its name has in it.
fn by_kind(sources: &[&Source], mix: Mix) -> Result<[Option<Source>; 3], String> {
    let named = |name: &str| sources.iter().find(|source| source.exchange == name);
    let has = |source: &Source, words: &[&str]| words.iter().any(|it| source.exchange.contains(it));
    let rooms = ["groupchat", "muc"];
    let presences = ["presence"];
    let like = |kind| {
        sources.iter().find(|source| match kind {
            EventKind::Presence => has(source, &presences),
            EventKind::Groupchat => has(source, &rooms),
            EventKind::Chat => !has(source, &presences) && !has(source, &rooms),
        })
    };
    let mut found = [None, None, None];
    for kind in EventKind::ALL {
        let default = match kind {
            EventKind::Presence => "presence",
            EventKind::Chat => "chat_msg",
            EventKind::Groupchat => "groupchat_msg",
        };
        let own = match kind {
            EventKind::Presence => None,
            EventKind::Chat => Some(Format::MongooseimChat),
            EventKind::Groupchat => Some(Format::MongooseimGroupchat),
        };
        let source = sources.iter().find(|source| Some(source.format) == own);
        let source = source.or_else(|| named(default)).or_else(|| like(kind));
        if source.is_none() && mix.share(kind) > 0 {
            return Err(format!(
                "no source of the format mongooseim has an exchange for {kind} events, as `{default}` is; \
                 add one, leave {kind} out of --mix, or give --source"
            ));
        }
        found[kind as usize] = source.map(|source| (*source).clone());
    }
    Ok(found)
}
