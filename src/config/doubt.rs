//! What isn't known of topics and sources, because something is given wrongly. Of that nothing is said.

use super::key::Key;
use super::merged::Merged;
use super::settings::{Config, Routing};
use crate::event::{EventKind, Format};

/// Notes what isn't known: which kinds of event have a topic, and what sources carry and may skip.
pub(super) fn note(merged: &Merged, config: &mut Config) {
    config.kinds_in_doubt = kinds(merged, config);
    sources(merged, config);
}

fn kinds(merged: &Merged, config: &Config) -> Vec<EventKind> {
    // What is wrong with a group as a whole leaves nothing of it.
    let mut groups = merged.faults.keys().map(Key::segments);
    let hosts_are_lost =
        groups.any(|it| matches!(it.as_slice(), ["hosts"] | ["hosts", _] | ["hosts", _, _]));
    if hosts_are_lost || merged.faults.is_unread {
        return EventKind::ALL.into();
    }
    let hosts = config.hosts.iter().map(|(host, it)| (Key::from(["hosts", host, "sns"]), it));
    let mut scopes = vec![(Key::from("sns"), &config.sns.routing)];
    scopes.extend(hosts);
    let is_lost =
        |kind: &EventKind| scopes.iter().any(|(group, it)| is_lost(merged, group, it, *kind));
    EventKind::ALL.into_iter().filter(is_lost).collect()
}

/// Whether a topic for these events is given and none has come of it.
fn is_lost(merged: &Merged, group: &Key, routing: &Routing, kind: EventKind) -> bool {
    let (name, topic) = routing.topics_by_kind()[kind as usize];
    let rooms = group.child("muc_topics");
    let is_lost_room = |room: &String| {
        !routing.muc_topics.contains_key(room) && merged.is_given(&rooms.child(room))
    };
    let rooms_are_lost = || {
        !merged.faults.is_sound_within(&rooms) || merged.names_in(&rooms).iter().any(is_lost_room)
    };
    (topic.is_none() && merged.is_given(&group.child(name)))
        || (kind == EventKind::Groupchat && rooms_are_lost())
}

fn sources(merged: &Merged, config: &mut Config) {
    let group = Key::from(["amqp", "sources"]);
    let mut faulty = merged.faults.keys();
    let are_lost = !merged.is_sound(&group)
        || merged.faults.is_unread
        || faulty.any(|it| it.is_within(&group) && it.segments().len() == 3);
    for source in &mut config.amqp.sources {
        let is_sound = |name: &str| merged.is_sound(&group.child(&source.name).child(name));
        let carries = ["format", "exchange", "exchange_type", "routing_keys"];
        let may_skip = are_lost || !is_sound("discard");
        if !carries.into_iter().all(is_sound) || !merged.are_sound(&["amqp.declare"]) {
            // That is any kind of event.
            source.format = Format::Auto;
        }
        source.discard |= may_skip;
    }
}
