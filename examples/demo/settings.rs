//! Where everything is: config/demo.toml, with the services' addresses over it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use event_pusher_sns::arn::TopicArn;
use event_pusher_sns::config::{Amqp, Config, Inputs, Sns, Source};
use event_pusher_sns::plugin::DefaultPlugin;

use secrecy::ExposeSecret;

use crate::trouble::{START, Trouble};

/// The demo reads what the worker reads, by the worker's own code, so the two can't differ.
pub(crate) struct Settings {
    pub file: PathBuf,
    /// What the worker gets in its environment, over the file.
    pub overrides: Vec<(OsString, OsString)>,
    pub amqp: Amqp,
    pub sns: Sns,
    pub source: Source,
    /// What the page asks for.
    pub token: String,
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self, Trouble> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml");
        let overrides = vec![
            ("EVENT_PUSHER__AMQP__URI".into(), variable("EVENT_PUSHER_TEST_AMQP")?.into()),
            ("EVENT_PUSHER__SNS__SNS_HOST".into(), variable("EVENT_PUSHER_TEST_SNS")?.into()),
        ];
        let load = || {
            let inputs =
                Inputs::read(std::slice::from_ref(&file), Path::new(""), overrides.clone())?;
            Config::load(&inputs, &[DefaultPlugin::NAME])
        };
        let config =
            load().map_err(|problems| Trouble::new("the demo's configuration", problems))?;
        let source = config.amqp.sources[0].clone();
        let token = config.admin.token.map(|it| it.expose_secret().to_owned()).unwrap_or_default();
        Ok(Self { file, overrides, amqp: config.amqp, sns: config.sns, source, token })
    }

    /// Each topic has an SQS queue of the same name subscribed to it.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &TopicArn> {
        let routing = &self.sns.routing;
        [&routing.presence_updates_topic, &routing.pm_messages_topic, &routing.muc_messages_topic]
            .into_iter()
            .flatten()
    }

    /// Of SNS and SQS, which are one emulator.
    pub(crate) fn emulator(&self) -> &str {
        self.sns
            .access
            .endpoint
            .as_ref()
            .map(url::Url::as_str)
            .unwrap_or_default()
            .trim_end_matches('/')
    }
}

fn variable(name: &str) -> Result<String, Trouble> {
    env::var(name).map_err(|_| {
        let remedy = format!(
            "{START}; for services that run already: `eval \"$(scripts/services env)\"` before"
        );
        Trouble::with_remedy(format!("{name} is not set"), remedy)
    })
}
