//! Tests the rules that every plugin must follow.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::samples::samples;
use super::{Plugin, PluginError, overwritten};
use crate::arn::TopicArn;
use crate::event::Event;

/// A finding about a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Whether such events become dead letters, or come out differently each time. Otherwise it is advice.
    pub is_fault: bool,
    /// Which function, on which sample event, and what of it.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Tests a plugin with common and unusual sample events, and returns what would fail in
/// operation: errors and panics, results that change between calls, empty ids, attributes
/// that SNS refuses, metadata that would overwrite the body's standard fields. One remark for each
/// function and kind of finding; a correct plugin has none.
///
/// It is what `check` says of the plugins in use. For a plugin of your own, let a test ask for it:
///
/// ```
/// use event_pusher_core::plugin::{DefaultPlugin, conformance};
///
/// assert_eq!(conformance(&DefaultPlugin), []);
/// ```
#[must_use]
pub fn conformance(plugin: &dyn Plugin) -> Vec<Remark> {
    let mut remarks = Remarks::default();
    for (name, event) in &samples() {
        let mut check = SampleCheck { plugin, sample: name, remarks: &mut remarks };
        check.event(event);
    }
    remarks.0.into_iter().map(|(_, remark)| remark).collect()
}

/// The remarks, each with the function and what a repetition is told by.
#[derive(Default)]
struct Remarks(Vec<((&'static str, String), Remark)>);

/// The checks of a plugin with one sample.
struct SampleCheck<'a> {
    plugin: &'a dyn Plugin,
    sample: &'a str,
    remarks: &'a mut Remarks,
}

impl SampleCheck<'_> {
    fn event(&mut self, event: &Event<'_>) {
        let plugin = self.plugin;
        let topic = topic();
        self.ask("keep", || plugin.keep(event));
        let users = match event {
            Event::Presence(presence) => vec![&presence.user],
            Event::Message(message) => vec![&message.from, &message.to],
        };
        for user in users {
            if self.ask("user_guid", || plugin.user_guid(user)).is_some_and(|id| id.is_empty()) {
                self.remark("user_guid", true, "gives an empty id");
            }
        }
        let (function, attributes) = match event {
            Event::Presence(presence) => {
                let function = "presence_attributes";
                (function, self.ask(function, || plugin.presence_attributes(&topic, presence)))
            }
            Event::Message(message) => {
                let function = "message_attributes";
                (function, self.ask(function, || plugin.message_attributes(&topic, message)))
            }
        };
        if let Some(attributes) = attributes {
            if let Some(fault) = attributes.fault() {
                self.remark(function, true, &fault);
            }
            for warning in attributes.warnings() {
                self.remark(function, false, &format!("gives {warning}"));
            }
        }
        let metadata = self.ask("metadata", || plugin.metadata(event));
        if let Some(name) = metadata.as_ref().and_then(overwritten) {
            let what = format!("would overwrite the body's own field `{name}`");
            self.remark("metadata", true, &what);
        }
    }

    /// The answer, which is to be the same twice.
    fn ask<T: PartialEq>(
        &mut self,
        function: &'static str,
        question: impl Fn() -> Result<T, PluginError>,
    ) -> Option<T> {
        let ask =
            || catch_unwind(AssertUnwindSafe(&question)).inspect_err(|_| crate::panics::caught());
        match (ask(), ask()) {
            (Ok(Ok(first)), Ok(Ok(second))) => {
                if first != second {
                    self.remark(function, true, "gives another answer each time it is asked");
                }
                return Some(first);
            }
            (Ok(Err(error)), _) | (_, Ok(Err(error))) => {
                self.remark(function, true, &error.to_string());
            }
            (Err(_), _) | (_, Err(_)) => self.remark(function, true, "panics"),
        }
        None
    }

    /// Each function's trouble once.
    fn remark(&mut self, function: &'static str, is_fault: bool, what: &str) {
        let key = (function, what.to_owned());
        if self.remarks.0.iter().all(|(known, _)| *known != key) {
            let text = format!("`{function}`, on {}: {what}", self.sample);
            self.remarks.0.push((key, Remark { is_fault, text }));
        }
    }
}

fn topic() -> TopicArn {
    TopicArn::build("eu-west-1", "123456789012", "sample")
        .unwrap_or_else(|error| unreachable!("a topic's name {error}"))
}
