//! What `check` says of the configuration, and of the files that it names.

use std::collections::BTreeSet;

use crate::arn::{TopicArn, similar_region};
use crate::config::{Config, Draft, Key, Source};
use crate::event::EventKind;
use crate::plugin::{DefaultPlugin, Plugins, Remark, conformance};
use crate::rabbitmq::inspect::Finding;

/// What is said of a token that could be guessed.
pub(crate) const SHORT_TOKEN: &str = "admin.token has fewer than 24 characters, so it could be guessed and nobody can log \
                                      in with it; make one with `openssl rand -hex 32`";

/// Reports on the configuration and the files that it names, and on the `shortage` of open files.
pub(super) fn inspect(
    draft: &Draft,
    plugins: &Plugins,
    shortage: Option<String>,
    report: &mut dyn FnMut(Finding),
) {
    let config = draft.config();
    if draft.is_valid() {
        match config.router(plugins) {
            Ok(_) => report(Finding::good(format!("configuration: {}", outline(config)))),
            Err(error) => report(Finding::bad(format!("configuration: {error}"))),
        }
    }
    for uri in config.amqp.uris.iter().filter(|it| it.ends_in_slash()) {
        report(Finding::good(format!(
            "{uri}: the slash at its end is taken for the default vhost, %2f"
        )));
    }
    if config.admin.token_is_short() {
        report(Finding::bad(SHORT_TOKEN.to_owned()));
    }
    for name in config.admin.short_tokens() {
        report(Finding::bad(format!(
            "admin.tokens.{name} has fewer than 24 characters, so it could be guessed and does not let {name} log in"
        )));
    }
    for (name, remarks) in conformances(config, plugins) {
        if remarks.is_empty() {
            report(Finding::good(format!("plugin {name}: no problem with any sample event")));
        }
        for Remark { is_fault, text } in remarks {
            let text = format!("plugin {name}: {text}");
            report(if is_fault { Finding::bad(text) } else { Finding::good(text) });
        }
    }
    if let Some(shortage) = shortage.filter(|_| draft.is_sound(&Key::from("sns.pool_size"))) {
        report(Finding::bad(format!("open files: {shortage}")));
    }
    if config.has_fifo_topic() {
        for source in config.amqp.sources.iter().filter(|it| it.format.is_without_ids()) {
            report(Finding::good(format!(
                "source {}: events of MongooseIM have no id, so a FIFO topic drops an event that equals another event of \
                 the last five minutes; see docs/from-mongooseim.md",
                source.name
            )));
        }
    }
    regions(config, report);
    topics_of_sources(draft, report);
    for (kind, (key, topic)) in EventKind::ALL.into_iter().zip(config.sns.routing.topics_by_kind())
    {
        if topic.is_none() && draft.knows_topics_of(kind) {
            let elsewhere = if config.has_topic(&[kind]) {
                ", but for those that have another topic"
            } else {
                ""
            };
            report(Finding::good(format!(
                "sns.{key} is not set: events of this type are skipped{elsewhere}"
            )));
        }
    }
}

/// Says of a region that may be misspelt. It is no problem, since AWS may have it by now.
fn regions(config: &Config, report: &mut dyn FnMut(Finding)) {
    let is_own = |topic: &TopicArn| config.sns.access_to(topic).endpoint.is_none();
    let mut seen = BTreeSet::new();
    for (key, topic) in config.topics().filter(|(_, topic)| is_own(topic)) {
        let region = topic.region();
        if let Some(similar) = similar_region(region).filter(|_| seen.insert(region)) {
            report(Finding::good(format!(
                "warning: region `{region}` (in the ARN of {key}) is none that this version knows; did you mean {similar:?}? If AWS has \
                 that region by now, it is right as it is"
            )));
        }
    }
}

/// Whether the topics are set that sources need, and none is taken away by accident.
fn topics_of_sources(draft: &Draft, report: &mut dyn FnMut(Finding)) {
    let config = draft.config();
    if config.require_topics().is_err() {
        // That says it of all of them.
        return;
    }
    let discards = |name: &str| Key::from(["amqp", "sources", name, "discard"]);
    for emptied in &config.emptied_topics {
        report(Finding::bad(emptied.to_string()));
    }
    for source in &config.amqp.sources {
        let Source { name, queue, .. } = source;
        if let Some(keys) = config.missing_topics(source) {
            report(Finding::bad(format!(
                "source {name}: no topic is set for the events that it carries, so `run` neither declares nor consumes `{queue}`; \
                 set {keys}, in [sns] or for a domain in [hosts], or set discard = true in \
                 [amqp.sources.{name}] to take its events and skip them; if you remove the source, delete its queue or the queue's \
                 bindings, else the queue fills"
            )));
        } else if !config.has_topic(&config.kinds_of(source)) && draft.is_sound(&discards(name)) {
            report(Finding::good(format!(
                "source {name}: discard = true, and no topic is set for the events that it carries: all of them are skipped"
            )));
        }
    }
}

/// The plugins in use, but for the default one, and what is to be said of each.
fn conformances(config: &Config, plugins: &Plugins) -> impl Iterator<Item = (String, Vec<Remark>)> {
    let names: BTreeSet<_> = config.routings().map(|it| it.plugin_module.clone()).collect();
    names.into_iter().filter(|name| name != DefaultPlugin::NAME).filter_map(|name| {
        let remarks = conformance(&*plugins.get(&name)?);
        Some((name, remarks))
    })
}

/// What is to be said of the plugins in use.
pub(crate) fn remarks(config: &Config, plugins: &Plugins) -> impl Iterator<Item = Remark> {
    conformances(config, plugins).flat_map(|(name, remarks)| {
        remarks.into_iter().map(move |it| Remark { text: format!("{name}: {}", it.text), ..it })
    })
}

fn outline(config: &Config) -> String {
    let sources: Vec<_> = config
        .amqp
        .sources
        .iter()
        .map(|source| format!("{} ({} → {})", source.name, source.exchange, source.queue))
        .collect();
    format!("valid; sources: {}; prefetch {}", sources.join(", "), config.amqp.prefetch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    fn config(text: &str) -> Config {
        let files = vec![("test.toml".to_owned(), text.to_owned())];
        Config::load(&Inputs { files, environment: Vec::new() }, &[DefaultPlugin::NAME]).unwrap()
    }

    #[test]
    fn a_region_that_may_be_misspelt_is_warned_of_once_and_is_no_problem() {
        let findings = |region: &str, host: &str| {
            let mut findings = Vec::new();
            let text = format!(
                "[sns]\naccount_id = \"123456789012\"\nregion = \"{region}\"\npm_messages_topic = \"a\"\nmuc_messages_topic = \"b\"\n\
                 sns_host = \"{host}\"\n"
            );
            regions(&config(&text), &mut |finding| findings.push(finding));
            findings
        };
        let found = findings("us-esat-1", "");
        assert_eq!(found.len(), 1);
        assert!(found[0].good && found[0].text.contains("did you mean \"us-east-1\"?"));
        for (region, host) in
            [("us-east-1", ""), ("us-local-1", ""), ("us-esat-1", "emulator:4566")]
        {
            assert!(findings(region, host).is_empty(), "{region} {host}");
        }
    }
}
