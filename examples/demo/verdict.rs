//! Does it add up? Told by what the queues held, not by what the worker said alone.

use std::collections::BTreeMap;

use crate::broker::DeadLetter;
use crate::inbox::{self, Arrived};
use crate::samples::Sample;
use crate::worker::Ends;

/// What was counted.
pub(crate) struct Facts {
    pub published: usize,
    pub arrived: usize,
    pub skipped: usize,
    pub dead_lettered: usize,
    /// Events that were found in no place, or in more than one.
    astray: Vec<String>,
}

impl Facts {
    pub(crate) fn new(
        samples: &[Sample],
        ends: &Ends,
        arrived: &[Arrived],
        dead: &[DeadLetter],
    ) -> Self {
        let notifications = arrived.iter().flat_map(|queue| &queue.notifications);
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for id in notifications
            .map(|it| it.id.as_deref().unwrap_or("a notification of no event"))
            .chain(ends.skipped.keys().map(String::as_str))
            .chain(dead.iter().map(|letter| &*letter.id))
        {
            *found.entry(id).or_default() += 1;
        }
        let mut astray = Vec::new();
        for sample in samples {
            match found.remove(&*sample.id) {
                Some(1) => {}
                Some(times) => astray.push(format!("{} ended {times} times", sample.id)),
                None => astray.push(format!("{} is lost", sample.id)),
            }
        }
        astray.extend(found.into_iter().map(|(id, times)| format!("{id}, {times} times")));
        Self {
            published: samples.len(),
            arrived: inbox::total(arrived),
            skipped: ends.skipped.len(),
            dead_lettered: dead.len(),
            astray,
        }
    }

    /// What is wrong; nothing, if all is well.
    pub(crate) fn judge(&self, report: &str, left: u32) -> Vec<String> {
        let mut wrong = self.astray.clone();
        let Self { published, arrived, skipped, dead_lettered, .. } = self;
        let told = [
            format!("{published} received: {arrived} published, {skipped} skipped"),
            format!("{dead_lettered} dead-lettered"),
            "0 handed back".to_owned(),
        ];
        wrong.extend(
            told.into_iter()
                .filter(|told| !report.contains(told))
                .map(|told| format!("the worker doesn't report \"{told}\"")),
        );
        if left > 0 {
            wrong.push(format!("{left} events were left in RabbitMQ"));
        }
        wrong
    }
}
