//! `feed`: realistic chat traffic for a source's exchange.

mod outage;
mod publish;
mod reconnect;
mod report;
mod routes;
mod routing_key;
mod sample_texts;
mod traffic;
mod wire;

use std::time::Duration;

use self::publish::{Feed, FeedLimit};
use self::report::{FeedEnd, Report};
use self::routes::Routes;
use self::traffic::{People, Traffic};
use crate::cli::ExitStatus;
use crate::cli::arguments::FeedArguments;
use crate::cli::output::{print_error, print_line};
use crate::cli::progress::Progress;
use crate::config::Config;
use crate::dead_letters::Stop;
use crate::event::EventKind;
use crate::rabbitmq::connection::Broker;
use crate::route::HOST_PLACEHOLDER;
use crate::text::counted;
use crate::text::printable;

/// Feeds until enough is fed, and reports on it.
pub(crate) async fn run(
    arguments: &FeedArguments,
    config: &Config,
    name: String,
    stop: &Stop,
) -> ExitStatus {
    let routes = match Routes::new(arguments, &config.amqp) {
        Ok(routes) => routes,
        Err(wrong) => {
            print_error(&printable(&wrong, false));
            return ExitStatus::WrongArguments;
        }
    };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    let feed = Feed {
        until: FeedLimit { count: arguments.count, time: arguments.time },
        rate: arguments.rate.0,
        traffic: Traffic::new(seed, people(arguments, config), arguments.mix),
        routes: &routes,
    };
    print_error(&printable(&opening(arguments, &routes, seed), false));
    let mut progress = Progress::new(arguments.count.is_some());
    let broker = Broker::new(config.amqp.clone(), name);
    let report = feed.run(&broker, stop.clone(), |report, warning| {
        if let Some(warning) = warning {
            progress.print_error(&printable(warning, false));
        }
        show(&mut progress, report, arguments);
    });
    let report = report.await;
    progress.end();
    print_report(&report);
    if report.is_good() { ExitStatus::Done } else { ExitStatus::Failed }
}

fn people(arguments: &FeedArguments, config: &Config) -> People {
    let routing = config.hosts.get(&arguments.domain).unwrap_or(&config.sns.routing);
    People {
        users: arguments.users,
        rooms: arguments.rooms,
        domain: arguments.domain.clone(),
        muc_host: routing.muc_host.replace(HOST_PLACEHOLDER, &arguments.domain),
    }
}

fn opening(arguments: &FeedArguments, routes: &Routes, seed: u64) -> String {
    let pace = match arguments.rate.0 {
        Some(rate) => format!("{rate}/s"),
        None => "as fast as the broker confirms".to_owned(),
    };
    let (format, exchanges) = (routes.wire().name(), routes.exchanges());
    format!(
        "publishing to {exchanges} in the format {format}, {pace}, seed {seed}; press Ctrl-C to stop"
    )
}

fn show(progress: &mut Progress, report: &Report, arguments: &FeedArguments) {
    let mut state = Vec::new();
    if let Some(time) = arguments.time {
        state.push(format!("until {} s have passed", time.as_secs_f64()));
    }
    if report.unroutable > 0 {
        state.push(format!("{} not routed to any queue", report.unroutable));
    }
    if report.refused > 0 {
        state.push(format!("{} refused", report.refused));
    }
    let published = report.published();
    let line = || format!("published {published}{}", of(arguments));
    progress.show(published, arguments.count, &state.join(", "), false, line);
}

fn of(arguments: &FeedArguments) -> String {
    arguments.count.map(|count| format!(" of {count}")).unwrap_or_default()
}

fn print_report(report: &Report) {
    let Report { unroutable, refused, unconfirmed, sent_again, ended, took, .. } = report;
    match ended {
        FeedEnd::Done => {}
        FeedEnd::Stopped => print_error("stopped by a signal"),
        FeedEnd::Broken(why) => print_error(&printable(why, false)),
    }
    let published = report.published();
    let seconds = took.as_secs_f64();
    // Rates are for people, who need no more digits than that.
    let rate = per_second(published, *took);
    let kinds: Vec<_> =
        EventKind::ALL.iter().map(|kind| format!("{kind} {}", report.of(*kind))).collect();
    print_line(&format!(
        "published {} in {seconds:.1} s ({rate}/s): {}",
        counted(published, "event", "events"),
        kinds.join(", ")
    ));
    for (count, what) in [
        (unroutable, "not routed to any queue: bind a queue to the exchange"),
        (refused, "refused by a queue; check whether it is full"),
        (sent_again, "sent again after a lost connection: they may be in a queue twice"),
        (unconfirmed, "not confirmed: they may or may not be in a queue"),
    ] {
        if *count > 0 {
            print_line(&format!("{count:>7}  {what}"));
        }
    }
}

fn per_second(count: u64, took: Duration) -> u128 {
    u128::from(count) * 1000 / took.as_millis().max(1)
}
