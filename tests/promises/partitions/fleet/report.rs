//! The account as a table, for an operator.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Size;
use super::account::{Account, Sums};
use super::excuses::{Excuse, Excuses};
use super::sky::Fault;

/// Of what is listed, at most.
const LISTED: usize = 10;

pub struct Report {
    pub size: Size,
    pub newest_broker: bool,
    pub began: Instant,
    pub lasted: Duration,
    pub account: Account,
    pub excuses: Excuses,
    /// Ready in the queues after the workers had stopped.
    pub queued: u32,
    pub ended_by_themselves: Vec<String>,
    pub arrivals: usize,
    pub kills: usize,
    pub stops: usize,
    pub grace_over: usize,
    pub freezes: usize,
    pub sessions: usize,
    pub faults: Vec<Fault>,
}

impl Report {
    pub fn is_well(&self) -> bool {
        let sums = self.account.of_all();
        sums.lost == 0
            && sums.overtaken == 0
            && sums.sent == self.size.events
            && self.ended_by_themselves.is_empty()
    }

    fn rabbitmq(&self) -> &'static str {
        if self.newest_broker { "4.3" } else { "3.10" }
    }

    /// How many repeats have each excuse, and which have none.
    fn excused(&self) -> (BTreeMap<Excuse, usize>, Vec<String>) {
        let (mut excused, mut unexplained) = (BTreeMap::new(), Vec::new());
        for repeat in &self.account.repeats {
            if let Some(excuse) = self.excuses.of(repeat) {
                *excused.entry(excuse).or_default() += 1;
            } else {
                let who = |request: &u64| self.excuses.describe(*request, self.began);
                let earlier: Vec<_> = repeat.earlier.iter().map(who).collect();
                let (key, number, again) = (repeat.key, repeat.number, who(&repeat.request));
                let earlier = earlier.join(", ");
                unexplained.push(format!("key {key}, event {number}: {earlier}, again {again}"));
            }
        }
        (excused, unexplained)
    }

    /// The sums of every key, in a file.
    fn write_keys(&self) -> PathBuf {
        let name = format!("fleet-keys-{}.txt", self.rabbitmq());
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let rows =
            self.account.of_keys().map(|(key, sums)| row(&format!("conversation-{key}"), &sums));
        let text: Vec<_> = [head()].into_iter().chain(rows).collect();
        fs::write(&file, text.join("\n") + "\n").unwrap();
        file
    }

    fn list(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{title}:")?;
        lines.iter().take(LISTED).try_for_each(|line| writeln!(f, "  {line}"))?;
        let more = lines.len().saturating_sub(LISTED);
        if more > 0 { writeln!(f, "  and {more} more") } else { Ok(()) }
    }

    fn lists(&self, f: &mut fmt::Formatter<'_>, unexplained: &[String]) -> fmt::Result {
        let lost = self.account.lost();
        let lost: Vec<_> = lost.iter().map(|(key, it)| format!("key {key}, event {it}")).collect();
        Self::list(f, "lost", &lost)?;
        let who = |request| self.excuses.describe(request, self.began);
        let overtaken = self.account.overtaken.iter().map(|it| {
            let (it_came, by_came) = (who(it.request), who(it.by_request));
            format!(
                "key {}, event {}: {it_came}, after event {}: {by_came}",
                it.key, it.number, it.by
            )
        });
        Self::list(f, "overtaken", &overtaken.collect::<Vec<_>>())?;
        Self::list(f, "published more than once, unexplained", unexplained)?;
        Self::list(f, "workers that ended by themselves", &self.ended_by_themselves)
    }

    /// Of the keys, those with something wrong, or else those with the most events.
    fn keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keys: Vec<_> = self.account.of_keys().collect();
        keys.sort_by_key(|(_, it)| std::cmp::Reverse((it.lost + it.overtaken, it.dead, it.sent)));
        writeln!(f, "\n{}", head())?;
        for (key, sums) in keys.iter().take(LISTED) {
            writeln!(f, "{}", row(&format!("conversation-{key}"), sums))?;
        }
        writeln!(f, "{}", row(&format!("all {} keys", keys.len()), &self.account.of_all()))?;
        writeln!(f, "every key: {}", self.write_keys().display())
    }
}

fn head() -> String {
    format!(
        "{:<20} {:>8} {:>10} {:>6} {:>6} {:>10} {:>8}",
        "key", "sent", "published", "dead", "lost", "overtaken", "repeats"
    )
}

fn row(name: &str, sums: &Sums) -> String {
    let Sums { sent, published, dead, lost, overtaken, repeats } = sums;
    format!("{name:<20} {sent:>8} {published:>10} {dead:>6} {lost:>6} {overtaken:>10} {repeats:>8}")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sums, (excused, unexplained)) = (self.account.of_all(), self.excused());
        let Size { seed, events, lasts, workers, partitions } = self.size;
        let rabbitmq = self.rabbitmq();
        writeln!(
            f,
            "\nRabbitMQ {rabbitmq}, {workers} workers, {partitions} partitions, seed {seed}, {} s\n",
            self.lasted.as_secs()
        )?;
        let mut line = |name: &str, value: usize| writeln!(f, "{name:<40} {value:>8}");
        line("events sent", sums.sent)?;
        line("  published", sums.published)?;
        line("  dead-lettered, unpublished", sums.dead)?;
        line("  lost (must be 0)", sums.lost)?;
        line("    of these still in a queue", (self.queued as usize).min(sums.lost))?;
        line("overtaken in their key (must be 0)", sums.overtaken)?;
        line("repeats (events published again)", sums.repeats)?;
        line("  excusable", excused.values().sum())?;
        for (excuse, count) in &excused {
            line(&format!("    {excuse}"), *count)?;
        }
        line("  unexplained", unexplained.len())?;
        line("workers started", self.arrivals)?;
        line("  killed (SIGKILL)", self.kills)?;
        line("  stopped in order (SIGTERM)", self.stops)?;
        line("    whose grace was too short", self.grace_over)?;
        line("  frozen (SIGSTOP, SIGCONT)", self.freezes)?;
        line("  ended by themselves (must be 0)", self.ended_by_themselves.len())?;
        line("workers began to consume", self.sessions)?;
        line("faults of SNS", self.faults.len())?;
        let mut faults = BTreeMap::<_, usize>::new();
        self.faults.iter().for_each(|fault| *faults.entry(*fault).or_default() += 1);
        for (fault, count) in faults {
            line(&format!("  {fault}"), count)?;
        }
        self.lists(f, &unexplained)?;
        self.keys(f)?;
        write!(
            f,
            "again: make fleet RABBITMQ={rabbitmq} SEED={seed} EVENTS={events} SECONDS={} WORKERS={workers} PARTITIONS={partitions}",
            lasts.as_secs()
        )
    }
}
