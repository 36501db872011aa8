//! `check`: whether everything that `run` needs exists and is as configured.

mod configuration;
mod fleet;
mod topics;

use anstyle::{AnsiColor, Style};
use futures_util::future::join;

pub(crate) use self::configuration::{SHORT_TOKEN, remarks};
use crate::cli::output::{print_error, print_line};
use crate::config::{Askable, Draft, Key};
use crate::plugin::Plugins;
use crate::rabbitmq::connection::Broker;
use crate::rabbitmq::inspect::{self, Finding};
use crate::text::{counted, printable};

/// How its connections show on RabbitMQ's side.
const NAME: &str = "event-pusher-sns check";

/// The line with a mark before it.
fn line(finding: &Finding) -> String {
    let (mark, colour) =
        if finding.good { ("✓", AnsiColor::Green) } else { ("✗", AnsiColor::Red) };
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{mark}{style:#} {}", printable(&finding.text, false))
}

/// Prints what is wrong with the configuration, and the findings as they come, the `shortage` about open files among them.
/// Where something is wrong with the configuration, what does not depend on that is looked at all the same. Returns
/// whether all findings are good.
pub(crate) async fn run(
    draft: &Draft,
    plugins: &Plugins,
    offline: bool,
    shortage: Option<String>,
) -> bool {
    let invalid = draft.problems();
    if let Some(problems) = &invalid {
        print_error(&printable(&format!("{problems}\n"), true));
    }
    let mut found = 0;
    let mut report = |finding: Finding| {
        found += usize::from(!finding.good);
        print_line(&line(&finding));
    };
    configuration::inspect(draft, plugins, shortage, &mut report);
    let unusable = inspect::tls_files(draft);
    let is_usable = unusable.is_empty();
    unusable.into_iter().for_each(&mut report);
    if !offline {
        let looking = Box::pin(async {
            // Nobody can connect with unusable files, and it would be said twice.
            if is_usable {
                broker(draft, &mut report).await;
            }
            topics::inspect(draft, &mut report).await;
        });
        let listening =
            async { if is_usable { fleet::inspect(draft, NAME).await } else { Vec::new() } };
        // It takes its two seconds while the rest is looked at.
        let ((), heard) = join(looking, listening).await;
        heard.into_iter().for_each(&mut report);
    }
    let total = |count: usize| counted(count, "problem", "problems");
    match invalid.map(|it| it.as_slice().len()) {
        None if found == 0 => {}
        None => print_line(&total(found)),
        Some(invalid) => {
            print_line(&format!(
                "{}, {invalid} of them in the configuration",
                total(invalid + found)
            ));
        }
    }
    found == 0
}

/// The problems that are no reason to refuse the configuration, as lines.
pub(crate) fn other_problems(draft: &Draft, plugins: &Plugins, shortage: Option<String>) -> String {
    let mut lines = String::new();
    let mut report = |finding: Finding| {
        if !finding.good {
            lines += "\n";
            lines += &line(&finding);
        }
    };
    configuration::inspect(draft, plugins, shortage, &mut report);
    inspect::tls_files(draft).into_iter().for_each(report);
    lines
}

async fn broker(draft: &Draft, report: &mut dyn FnMut(Finding)) {
    let name = NAME.to_owned();
    match draft.askable_broker() {
        Askable::Topology(amqp) => {
            let is_known = draft.is_sound(&Key::from("fleet.name"));
            let fleet = Some(&draft.config().fleet).filter(|_| is_known);
            inspect::inspect(&Broker::new(amqp, name), fleet, report).await;
        }
        Askable::Login(amqp) => {
            inspect::login(&Broker::new(amqp, name), report).await;
            print_line("– exchanges and queues: not looked at, because of problems in [amqp]");
        }
        Askable::Nothing => print_line("– RabbitMQ: not asked, because of problems in [amqp]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_finding_drives_the_terminal() {
        let shown = line(&Finding::good("exchange `a\u{202e}b\u{9b}2J\u{1b}[0m`\n✓ fine"));
        let (_, text) = shown.split_once("✓").unwrap();
        assert!(text.ends_with("exchange `a\\u{202e}b\\u{9b}2J\\u{1b}[0m`\\n✓ fine"), "{shown:?}");
    }
}
