//! The names on the levels of MongooseIM's configuration that have much besides events, and what a misspelt one is
//! meant to be.

use event_pusher_core::nearest::nearest_word;

/// A name, and the place where its options are read.
type Read = (&'static str, &'static str);

/// A level of MongooseIM's configuration of which only some options are read.
pub(super) struct Level {
    /// Names that people write there, each with the place where its options are read; in lists, since levels share some.
    read: &'static [&'static [Read]],
    /// MongooseIM's own names that look like one of those and are none.
    others: &'static [&'static str],
}

impl Level {
    /// Where the option belongs, if its name looks like one that is read.
    pub(super) fn meant(&self, name: &str) -> Option<&'static str> {
        if self.others.contains(&name) {
            return None;
        }
        let read = || self.read.iter().copied().flatten();
        let words: Vec<_> = read().map(|(word, _)| *word).collect();
        let nearest = nearest_word(name, &words)?;
        read().find(|(word, _)| *word == nearest).map(|(_, place)| *place)
    }
}

/// The highest level of `mongooseim.toml`.
pub(super) const TOP: Level = Level {
    read: &[&[
        ("modules", "modules"),
        ("outgoing_pools", "outgoing_pools"),
        ("host_config", "host_config"),
        ("mod_event_pusher", "modules.mod_event_pusher"),
        ("mod_event_pusher_rabbit", "modules.mod_event_pusher.rabbit"),
        ("mod_event_pusher_sns", "modules.mod_event_pusher.sns"),
        ("mod_aws_sns", "modules.mod_aws_sns"),
        ("mod_muc", "modules.mod_muc"),
        ("mod_muc_light", "modules.mod_muc_light"),
        ("rabbit", "modules.mod_event_pusher.rabbit"),
        ("sns", "modules.mod_event_pusher.sns"),
    ]],
    others: &["s2s"],
};

/// The highest level of `mongooseim.cfg`, where parts that people copy are read, too.
pub(super) const TOP_OF_TERMS: Level = Level {
    read: &[
        &[
            ("modules", "modules"),
            ("outgoing_pools", "outgoing_pools"),
            ("host_config", "host_config"),
            ("backends", "backends"),
            ("rabbit", "rabbit"),
            ("sns", "sns"),
            ("include_config_file", "include_config_file"),
            ("define_macro", "define_macro"),
        ],
        READ_MODULES_OF_TERMS,
    ],
    others: &["s2s"],
};

/// The modules of `mongooseim.cfg` that are read.
const READ_MODULES_OF_TERMS: &[Read] = &[
    ("mod_event_pusher", "mod_event_pusher"),
    ("mod_event_pusher_rabbit", "mod_event_pusher with the backend rabbit"),
    ("mod_event_pusher_sns", "mod_event_pusher with the backend sns"),
    ("mod_aws_sns", "mod_aws_sns"),
    ("mod_muc", "mod_muc"),
    ("mod_muc_light", "mod_muc_light"),
];

/// Modules whose names look like one that is read.
const OTHER_MODULES: &[&str] = &[
    "mod_event_pusher_http",
    "mod_event_pusher_push",
    "mod_irc",
    "mod_mam",
    "mod_muc_log",
    "mod_sic",
];

/// The modules of `mongooseim.toml`.
pub(super) const MODULES: Level = Level {
    read: &[&[
        ("mod_event_pusher", "mod_event_pusher"),
        ("mod_event_pusher_rabbit", "mod_event_pusher.rabbit"),
        ("mod_event_pusher_sns", "mod_event_pusher.sns"),
        ("mod_aws_sns", "mod_aws_sns"),
        ("mod_muc", "mod_muc"),
        ("mod_muc_light", "mod_muc_light"),
        ("rabbit", "mod_event_pusher.rabbit"),
        ("sns", "mod_event_pusher.sns"),
    ]],
    others: OTHER_MODULES,
};

/// The modules of `mongooseim.cfg`.
pub(super) const MODULES_OF_TERMS: Level = Level {
    read: &[
        READ_MODULES_OF_TERMS,
        &[
            ("rabbit", "mod_event_pusher with the backend rabbit"),
            ("sns", "mod_event_pusher with the backend sns"),
        ],
    ],
    others: OTHER_MODULES,
};

/// What a `host_config` of `mongooseim.toml` may have.
pub(super) const HOST: Level = Level {
    read: &[&[
        ("host", "host"),
        ("host_type", "host_type"),
        ("modules", "modules"),
        ("outgoing_pools", "outgoing_pools"),
    ]],
    others: &[],
};

/// What is read of a `host_config` of `mongooseim.cfg`.
pub(super) const HOST_OF_TERMS: Level = Level {
    read: &[&[("modules", "modules"), ("outgoing_pools", "outgoing_pools outside of host_config")]],
    others: &[],
};

/// The types of pools.
pub(super) const POOLS: Level = Level { read: &[&[("rabbit", "rabbit")]], others: &[] };

/// The tags of RabbitMQ's pools.
pub(super) const TAGS: Level = Level { read: &[&[("event_pusher", "event_pusher")]], others: &[] };

/// Options of the modules that have rooms.
pub(super) const ROOMS: Level = Level { read: &[&[("host", "host")]], others: &[] };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_or_misplaced_name_has_the_nearest_place() {
        for (level, name, place) in [
            (&TOP, "moduels", "modules"),
            (&TOP, "Outgoing-Pools", "outgoing_pools"),
            (&TOP, "sns", "modules.mod_event_pusher.sns"),
            (&TOP_OF_TERMS, "ougtoing_pools", "outgoing_pools"),
            (&TOP_OF_TERMS, "hostconfig", "host_config"),
            (&MODULES, "mod_event_pusher_rabbit", "mod_event_pusher.rabbit"),
            (&MODULES_OF_TERMS, "sns", "mod_event_pusher with the backend sns"),
            (&MODULES, "mod_evnet_pusher", "mod_event_pusher"),
            (&MODULES, "mod_muc_lite", "mod_muc_light"),
            (&HOST, "moduls", "modules"),
            (&POOLS, "rabit", "rabbit"),
            (&TAGS, "event_pushr", "event_pusher"),
        ] {
            assert_eq!(level.meant(name), Some(place), "{name}");
        }
    }

    #[test]
    fn mongooseim_s_own_names_are_no_misspelt_ones() {
        let modules = "adhoc admin_extra amp auth_token bind2 blocking blocklist bosh broadcast cache_users caps \
            carboncopy commands csi disco domain_isolation event_pusher_http event_pusher_push extdisco \
            external_filter fast_auth_token filter global_distrib http_notification http_upload inbox inbox_commands \
            invites irc jingle_sip keystore last mam muc_commands muc_light_commands muc_log offline \
            offline_chatmarkers offline_stub ping presence privacy private pubsub push \
            push_service_mongoosepush register revproxy roster sasl2 shared_roster_ldap sic smart_markers stanzaid \
            stream_management time vcard version websockets";
        for name in modules.split_whitespace() {
            assert_eq!(MODULES.meant(&format!("mod_{name}")), None, "{name}");
        }
        let top = "general listen auth internal_databases services instrumentation shaper acl access s2s loglevel \
            hosts host_types auth_method auth_opts sm_backend sasl_mechanisms domain_certfile outgoing_s2s_port \
            outgoing_s2s_options outgoing_connections s2s_addr s2s_default_policy max_fsm_queue language \
            registration_timeout route_subdomains all_metrics_are_global override_global watchdog_admins pool";
        for name in top.split_whitespace() {
            assert_eq!((TOP.meant(name), TOP_OF_TERMS.meant(name)), (None, None), "{name}");
        }
        for name in "redis rdbms riak http ldap cassandra elastic generic".split_whitespace() {
            assert_eq!(POOLS.meant(name), None, "{name}");
        }
        for name in ["general", "auth", "acl", "access", "s2s"] {
            assert_eq!(HOST.meant(name), None, "{name}");
        }
    }
}
