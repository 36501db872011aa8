use serde_json::Value as Json;

use super::list::{row, time, time_of_death};
use super::{CommandContext, ExitStatus, print_error, print_json, print_line};
use crate::dead_letters::{
    DeadLettersError, Found, FoundAsJson, Letter, LetterAuthor, Trust, dry_run,
};
use crate::dry_run::{DryRun, DryRunOutcome};
use crate::outcome::DeadLetter;
use crate::plugin::Plugins;
use crate::rabbitmq::message::Value;
use crate::route::Notification;
use crate::text::printable;

impl CommandContext<'_> {
    pub(super) async fn show(
        &self,
        id: &str,
        body: bool,
        json: bool,
        plugins: &Plugins,
    ) -> Result<ExitStatus, DeadLettersError> {
        let router = match self.config.router(plugins) {
            Ok(router) => router,
            Err(error) => {
                print_error(&error.to_string());
                return Ok(ExitStatus::Failed);
            }
        };
        let mut found = self.dead_letters.find(id, self.stop).await?;
        let shown = printable(id, false);
        // Some may be alike to the byte, and then it is all the same which is shown.
        found.sort_by_key(|found| found.letter.id);
        found.dedup_by_key(|found| found.letter.id);
        if found.len() > 1 {
            print_error(&format!(
                "more than one dead letter has the message id `{shown}`, or an id that begins with it; give the id of one of them:"
            ));
            for found in &found {
                print_error(&row(&found.letter));
            }
            return Ok(ExitStatus::Failed);
        }
        let Some(mut found) = found.pop() else {
            print_error(&format!(
                "no dead letter in `{}` has the id `{shown}`; `list --each` shows the ids",
                self.queue()
            ));
            return Ok(ExitStatus::Failed);
        };
        let dry_run = dry_run(&mut found, self.dead_letters.sources(), &router);
        if json {
            print_json(&FoundAsJson::new(&found, &dry_run, body));
        } else {
            print_line(&as_text(&found, &dry_run, body));
        }
        Ok(ExitStatus::Done)
    }
}

/// Lines of a name and what belongs to it.
struct Lines(Vec<String>);

impl Lines {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push(printable(&format!("{name:<14} {value}"), false));
    }

    fn add_if(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
}

fn as_text(found: &Found, dry_run: &DryRun, with_body: bool) -> String {
    let Found { letter, message } = found;
    let mut lines = Lines(Vec::new());
    lines.add("id", &letter.id.to_string());
    lines.add_if("message id", letter.message_id.as_ref());
    lines.add("reason", &letter.cause());
    lines.add_if("signature", signature(letter).map(str::to_owned).as_ref());
    lines.add_if("error", letter.error.as_ref());
    lines.add_if("attempts", letter.attempts.map(|it| it.to_string()).as_ref());
    lines.add_if("topic", letter.topic.as_ref());
    lines.add_if("failed at", Some(time_of_death(letter)).filter(|it| !it.is_empty()).as_ref());
    lines.add_if("worker", letter.worker.as_ref());
    lines.add_if("exchange", letter.origin.exchange.as_ref());
    lines.add_if("routing key", letter.origin.routing_key.as_ref());
    lines.add_if("queue", letter.origin.queue.as_ref());
    let astray =
        "none: no configured source consumes from that queue, so a replay needs --to-queue"
            .to_owned();
    lines.add("source", letter.source.as_ref().unwrap_or(&astray));
    lines.add_if("kind", letter.content.kind.map(str::to_owned).as_ref());
    lines.add_if("from", letter.content.from.as_ref());
    lines.add_if("to", letter.content.to.as_ref());
    lines.add("replays", &letter.replays.to_string());
    lines.add_if("deliveries", letter.looks.map(|it| it.to_string()).as_ref());
    for death in &letter.deaths {
        let (reason, queue, count) = (&death.reason, &death.queue, death.count);
        let who = if death.by_broker == Some(true) { "by RabbitMQ" } else { "claimed" };
        lines.add("death", &format!("{who}: {reason} in {queue}, {count}×  {}", time(death.time)));
    }
    for name in &letter.odd_headers {
        lines.add(
            "wrong type",
            &format!(
                "header {name} has another type than expected, or is too long, and is ignored"
            ),
        );
    }
    if let Ok(Json::Object(properties)) = serde_json::to_value(&message.properties) {
        for (name, value) in properties.iter().filter(|(name, _)| *name != "headers") {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            lines.add("property", &format!("{name} = {value}"));
        }
    }
    for (name, value) in message.properties.headers.iter().flatten() {
        lines.add("header", &format!("{name} = {}", header(value)));
    }
    lines.add("now", &outcome_line(dry_run));
    if let (true, DryRunOutcome::Publish(notification)) = (with_body, &dry_run.outcome) {
        lines.0.push(format!("\nnotification:\n{}", printable(&notification.body, true)));
    }
    if with_body {
        lines.0.push(format!("\nbody, {} bytes:\n{}", letter.bytes, body(&message.body)));
    } else {
        lines.add("body", &format!("{} bytes; --body shows the body", letter.bytes));
    }
    lines.0.join("\n")
}

fn signature(letter: &Letter) -> Option<&'static str> {
    match (letter.trust, letter.by) {
        (Trust::Unchecked, _) => None,
        (Trust::Signed, _) => Some("a worker's"),
        (Trust::Claimed, LetterAuthor::Broker) => Some("none: RabbitMQ does not sign"),
        (Trust::Claimed, _) => Some("none, or made with another key: the headers are only claimed"),
    }
}

fn header(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::I64(number) => number.to_string(),
        Value::Void => "nothing".to_owned(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

fn body(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) => printable(text, true),
        Err(_) => body.escape_ascii().to_string(),
    }
}

/// What would become of it, without what users wrote.
fn outcome_line(dry_run: &DryRun) -> String {
    match &dry_run.outcome {
        DryRunOutcome::Publish(notification) => {
            let Notification { topic, attributes, order, dedup_id, .. } = &**notification;
            let names: Vec<_> = attributes.iter().map(|(name, _)| name).collect();
            let bytes = notification.size();
            let mut parts = vec![format!("would be published to {topic}: {bytes} bytes")];
            if !names.is_empty() {
                parts.push(format!("attributes {}", names.join(", ")));
            }
            parts.extend(order.as_ref().map(|it| format!("in order with {}", it.as_str())));
            parts.extend(dedup_id.as_ref().map(|it| format!("deduplicated as {it}")));
            parts.join(", ")
        }
        DryRunOutcome::Skip(reason) => format!("would be skipped: {reason}"),
        DryRunOutcome::DeadLetter(DeadLetter { reason, error, .. }) => {
            format!("would be dead-lettered again: {reason}: {error}")
        }
    }
}
