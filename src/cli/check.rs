//! `check`: whether everything that `run` needs exists and is as configured.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::{AnsiColor, Style};

use crate::arn::{TopicArn, similar_region};
use crate::cli::output::print_line;
use crate::config::{Amqp, Config, Source};
use crate::event::EventKind;
use crate::outcome::{Fault, Scope};
use crate::plugin::{DefaultPlugin, Plugins, Remark, conformance};
use crate::publish::Publish;
use crate::publish::fault::{advice, is_unreachable};
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::inspect::{self, Finding};
use crate::sns::Sns;
use crate::text::{counted, printable};

/// What is said of a token that could be guessed.
pub(crate) const SHORT_TOKEN: &str = "admin.token has fewer than 24 characters, so it could be guessed and nobody can log \
                                      in with it; make one with `openssl rand -hex 32`";

/// The line with a mark before it.
fn line(finding: &Finding) -> String {
    let (mark, colour) =
        if finding.good { ("✓", AnsiColor::Green) } else { ("✗", AnsiColor::Red) };
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{mark}{style:#} {}", printable(&finding.text, false))
}

/// Prints the findings as they come, the `shortage` about open files among them. Returns whether all are good.
pub(crate) async fn run(
    config: &Config,
    plugins: &Plugins,
    offline: bool,
    shortage: Option<String>,
) -> bool {
    let mut problems = 0_u32;
    let mut report = |finding: Finding| {
        problems += u32::from(!finding.good);
        print_line(&line(&finding));
    };
    configuration(config, plugins, shortage, &mut report);
    let unusable = inspect::tls_files(&config.amqp);
    // Nobody can connect with those, and it would be said twice.
    let reachable = !offline && unusable.is_none();
    unusable.into_iter().for_each(&mut report);
    if reachable {
        let broker = Broker::new(consumed(config), "event-pusher-sns check".to_owned());
        inspect::inspect(&broker, &mut report).await;
    }
    if !offline {
        topics(config, &mut report).await;
    }
    if problems > 0 {
        print_line(&counted(problems, "problem", "problems"));
    }
    problems == 0
}

/// What `run` declares and consumes.
fn consumed(config: &Config) -> Amqp {
    let mut amqp = config.amqp.clone();
    amqp.sources.retain(|source| config.missing_topics(source).is_none());
    amqp
}

fn configuration(
    config: &Config,
    plugins: &Plugins,
    shortage: Option<String>,
    report: &mut dyn FnMut(Finding),
) {
    match config.router(plugins) {
        Ok(_) => report(Finding::good(format!("configuration: {}", outline(config)))),
        Err(error) => report(Finding::bad(format!("configuration: {error}"))),
    }
    for uri in config.amqp.uris.iter().filter(|it| it.ends_in_slash()) {
        report(Finding::good(format!(
            "{uri}: the slash at its end is taken for the default vhost, %2f"
        )));
    }
    if config.admin.token_is_short() {
        report(Finding::bad(SHORT_TOKEN.to_owned()));
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
    if let Some(shortage) = shortage {
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
    topics_of_sources(config, report);
    for (kind, (key, topic)) in EventKind::ALL.into_iter().zip(config.sns.routing.topics_by_kind())
    {
        if topic.is_none() {
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
fn topics_of_sources(config: &Config, report: &mut dyn FnMut(Finding)) {
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
        } else if !config.has_topic(&config.kinds_of(source)) {
            report(Finding::good(format!(
                "source {name}: discard = true, and no topic is set for the events that it carries: all of them are skipped"
            )));
        }
    }
}

/// The plugins in use, but for the default one, and what is to be said of each.
fn conformances(config: &Config, plugins: &Plugins) -> impl Iterator<Item = (String, Vec<Remark>)> {
    let all = std::iter::once(&config.sns.routing).chain(config.hosts.values());
    let names: BTreeSet<_> = all.map(|it| it.plugin_module.clone()).collect();
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

async fn topics(config: &Config, report: &mut dyn FnMut(Finding)) {
    let sns = Sns::new(&config.sns, config.topics().map(|(_, topic)| topic.clone())).await;
    // What is wrong with credentials or network is one problem, for all topics that are reached alike.
    let mut refused: BTreeMap<_, (Fault, Vec<String>)> = BTreeMap::new();
    for (key, topic) in config.topics() {
        let way = (topic.access(), topic.region());
        let named = format!("topic {topic} ({key})");
        if let Some((_, topics)) = refused.get_mut(&way) {
            topics.push(named);
            continue;
        }
        match sns.find_topic(topic).await {
            Ok(()) => report(Finding::good(format!("{named}: exists"))),
            Err(fault) if fault.scope == Scope::Service || is_unreachable(&fault) => {
                refused.insert(way, (fault, vec![named]));
            }
            Err(fault) => report(Finding::bad(format!("{named}: {fault}; {}", advice(&fault)))),
        }
    }
    for (fault, topics) in refused.into_values() {
        report(Finding::bad(format!("{}: {fault}; {}", topics.join(", "), advice(&fault))));
    }
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
    fn nothing_in_a_finding_drives_the_terminal() {
        let shown = line(&Finding::good("exchange `a\u{202e}b\u{9b}2J\u{1b}[0m`\n✓ fine"));
        let (_, text) = shown.split_once("✓").unwrap();
        assert!(text.ends_with("exchange `a\\u{202e}b\\u{9b}2J\\u{1b}[0m`\\n✓ fine"), "{shown:?}");
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
