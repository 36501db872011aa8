//! Finds the topic or source that an operator means.

use std::collections::BTreeSet;

use crate::cli::arguments::TargetArguments;
use crate::config::Config;
use crate::fleet::pauses::{Pause, Target};
use crate::nearest::nearest_word;

/// The target of these arguments: a topic or source of the configuration, or one that is paused now.
///
/// # Errors
///
/// There is none, or more than one topic has the name; in words for the operator.
pub(super) fn target(
    arguments: &TargetArguments,
    config: &Config,
    paused: &[Pause],
) -> Result<Target, String> {
    if let Some(topic) = &arguments.topic {
        return find_topic(topic, config, paused).map(Target::Topic);
    }
    let Some(source) = &arguments.source else { return Ok(Target::Everything) };
    let configured = config.amqp.sources.iter().map(|it| &*it.name);
    let paused = paused.iter().filter_map(|it| match &it.target {
        Target::Source(name) => Some(&**name),
        _ => None,
    });
    let names: BTreeSet<&str> = configured.chain(paused).collect();
    if names.contains(&**source) {
        return Ok(Target::Source(source.clone()));
    }
    let names: Vec<_> = names.into_iter().collect();
    let remedy = meant(source, &names);
    Err(format!("there is no source `{source}`{remedy}; the sources are {}", names.join(", ")))
}

/// By its name or ARN.
fn meant(wanted: &str, names: &[&str]) -> String {
    nearest_word(wanted, names).map_or_else(String::new, |it| format!(" (did you mean {it:?}?)"))
}

fn find_topic(wanted: &str, config: &Config, paused: &[Pause]) -> Result<String, String> {
    let configured = config.topics().map(|(_, topic)| topic.as_str());
    let paused = paused.iter().filter_map(|it| match &it.target {
        Target::Topic(arn) => Some(&**arn),
        _ => None,
    });
    let arns: BTreeSet<&str> = configured.chain(paused).collect();
    let name = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
    let found: Vec<_> =
        arns.iter().copied().filter(|arn| *arn == wanted || name(arn) == wanted).collect();
    match found[..] {
        [arn] => Ok(arn.to_owned()),
        [] if arns.is_empty() => Err("no topic is configured".to_owned()),
        [] => {
            let names: Vec<_> = arns.iter().map(|arn| name(arn)).collect();
            let words: Vec<&str> = names.iter().map(String::as_str).chain(arns).collect();
            let remedy = meant(wanted, &words);
            Err(format!(
                "there is no topic `{wanted}`{remedy}; the topics are {}",
                names.join(", ")
            ))
        }
        _ => Err(format!(
            "more than one topic is called `{wanted}`; give the ARN of one: {}",
            found.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    fn config() -> Config {
        let toml = "[sns]\nregion = \"eu-west-1\"\naccount_id = \"123456789012\"\npm_messages_topic = \"pm\"\n\
                    [hosts.\"b.example\".sns]\npm_messages_topic = \"arn:aws:sns:eu-west-2:123456789012:twin\"\n\
                    [hosts.\"c.example\".sns]\npm_messages_topic = \"arn:aws:sns:eu-west-3:123456789012:twin\"\n";
        let inputs = Inputs { files: vec![("a".to_owned(), toml.to_owned())], environment: vec![] };
        Config::load(&inputs, &["mod_event_pusher_sns_defaults"]).unwrap()
    }

    fn found(topic: Option<&str>, source: Option<&str>) -> Result<Target, String> {
        let all = topic.is_none() && source.is_none();
        let (topic, source) = (topic.map(ToOwned::to_owned), source.map(ToOwned::to_owned));
        target(&TargetArguments { topic, source, all }, &config(), &[])
    }

    #[test]
    fn a_topic_goes_by_its_name_or_arn_and_a_source_by_its_name() {
        let arn = "arn:aws:sns:eu-west-1:123456789012:pm";
        for topic in ["pm", arn] {
            assert_eq!(found(Some(topic), None), Ok(Target::Topic(arn.to_owned())));
        }
        assert_eq!(found(None, Some("events")), Ok(Target::Source("events".to_owned())));
        assert_eq!(found(None, None), Ok(Target::Everything));
    }

    #[test]
    fn what_is_not_there_or_there_twice_is_refused_with_what_is_meant() {
        for (topic, source, said) in [
            (Some("pn"), None, "did you mean \"pm\"?"),
            (Some("twin"), None, "give the ARN of one"),
            (None, Some("event"), "did you mean \"events\"?"),
        ] {
            let error = found(topic, source).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
