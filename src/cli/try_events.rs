//! `try`: shows what sample events would become, without any connection.

mod expectation;
mod samples;
mod text;

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use self::expectation::Expectations;
use self::samples::{Sample, SampleLocation, Samples};
use self::text::Tally;
use crate::cli::ExitStatus;
use crate::cli::arguments::TryArguments;
use crate::cli::output::print_error;
use crate::config::{Config, Source};
use crate::dry_run::{DryRun, DryRunJson, dry_run};
use crate::event::{Envelope, Format};
use crate::plugin::Plugins;
use crate::route::Router;
use crate::text::{printable, printable_json};

/// Tries every sample, and says what would become of it, or whether that is as expected.
pub(crate) fn run(arguments: &TryArguments, config: &Config, plugins: &Plugins) -> ExitStatus {
    let source = match source_of(arguments, &config.amqp.sources) {
        Ok(source) => source,
        Err(wrong) => {
            print_error(&printable(&wrong, false));
            return ExitStatus::WrongArguments;
        }
    };
    match DryRuns::open(arguments, config, plugins, source).and_then(DryRuns::run) {
        Ok(end) => end,
        // Whoever read has read enough, but nobody knows how the other events would end.
        Err(TryError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => {
            ExitStatus::BrokenPipe
        }
        Err(TryError::Write(error)) => {
            print_error(&format!("cannot write to standard output: {error}"));
            ExitStatus::Failed
        }
        Err(TryError::Message(why)) => {
            print_error(&printable(&why, true));
            ExitStatus::Failed
        }
    }
}

/// Why `try` ends early.
enum TryError {
    /// In words.
    Message(String),
    /// Standard output takes no more.
    Write(io::Error),
}

impl From<String> for TryError {
    fn from(why: String) -> Self {
        Self::Message(why)
    }
}

impl From<io::Error> for TryError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// The source that the arguments mean.
fn source_of<'a>(arguments: &TryArguments, sources: &'a [Source]) -> Result<&'a Source, String> {
    let names = || {
        let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
        names.join(", ")
    };
    if let Some(name) = &arguments.source {
        let found = sources.iter().find(|source| source.name == *name);
        return found
            .ok_or_else(|| format!("there is no source `{name}`; the sources are {}", names()));
    }
    let exchange = arguments.exchange.as_ref();
    let mut fitting = sources.iter().filter(|it| exchange.is_none_or(|name| *name == it.exchange));
    match (fitting.next(), fitting.next(), sources) {
        (Some(source), None, _) | (None, _, [source]) => Ok(source),
        _ => Err(format!("there are several sources; name one with --source: {}", names())),
    }
}

struct DryRuns<'a> {
    samples: Samples,
    router: Router,
    format: Format,
    /// Lends its payload to one sample after another.
    envelope: Envelope,
    expectations: Option<Expectations>,
    json: bool,
    tally: Tally,
    arguments: &'a TryArguments,
}

/// A sample and what would become of it, as a line of JSON.
#[derive(Serialize)]
struct SampleJson<'a> {
    #[serde(flatten)]
    location: &'a SampleLocation,
    #[serde(flatten)]
    dry_run: DryRunJson<'a>,
}

impl<'a> DryRuns<'a> {
    fn open(
        arguments: &'a TryArguments,
        config: &Config,
        plugins: &Plugins,
        source: &Source,
    ) -> Result<Self, TryError> {
        let expect = arguments.expect.as_deref();
        let envelope = Envelope {
            exchange: arguments.exchange.as_ref().unwrap_or(&source.exchange).clone(),
            routing_key: arguments.routing_key.clone(),
            content_type: arguments.content_type.clone(),
            headers: arguments.headers.clone(),
            ..Envelope::default()
        };
        Ok(Self {
            router: config.router(plugins).map_err(|error| error.to_string())?,
            format: arguments.format.unwrap_or(source.format),
            envelope,
            expectations: expect.map(Expectations::read).transpose()?,
            samples: Samples::open(arguments.samples.as_deref())?,
            json: arguments.json,
            tally: Tally::default(),
            arguments,
        })
    }

    fn run(mut self) -> Result<ExitStatus, TryError> {
        while let Some(sample) = self.samples.next().transpose()? {
            let Sample { location, payload } = sample;
            self.envelope.payload = payload;
            let dry_run = dry_run(&self.envelope, self.format, &self.router);
            self.tally.count(&dry_run, &location, &self.envelope.payload);
            self.show(&location, &dry_run)?;
        }
        if self.tally.is_empty() {
            let name = self.samples.name();
            print_error(&printable(&format!("{name} contains no event"), false));
            return Ok(ExitStatus::Failed);
        }
        self.conclude()
    }

    fn show(&mut self, location: &SampleLocation, dry_run: &DryRun) -> Result<(), TryError> {
        let line = SampleJson { location, dry_run: dry_run.as_json() };
        if let Some(expectations) = &mut self.expectations {
            let found = serde_json::to_value(&line).map_err(|error| error.to_string())?;
            if let Some(difference) = expectations.compare(location, &found) {
                print_line(self.json, &difference)?;
            }
        }
        if self.json {
            let line = serde_json::to_string(&line).map_err(|error| error.to_string())?;
            writeln!(anstream::stdout(), "{}", printable_json(&line))?;
        } else if self.expectations.is_none() {
            writeln!(anstream::stdout(), "{}", text::paragraph(location, dry_run))?;
        }
        Ok(())
    }

    fn conclude(self) -> Result<ExitStatus, TryError> {
        let good = if let Some(expectations) = self.expectations {
            let (verdict, good) = expectations.conclude();
            print_line(self.json, &verdict)?;
            good
        } else {
            if !self.json {
                writeln!(anstream::stdout(), "\n{}", self.tally)?;
            }
            self.tally.dead_letters() == 0
        };
        if self.tally.spans_lines() {
            print_error(
                "an event of several lines must be a file of its own: put the files into a folder, and run `try` with \
                 the folder",
            );
        }
        if !good && self.json && self.arguments.expect.is_none() {
            let dead = self.tally.dead_letters();
            print_error(&format!("{dead} of {} would be dead letters", self.tally.events()));
        }
        Ok(if good { ExitStatus::Done } else { ExitStatus::Failed })
    }
}

/// To people: where lines are for machines, beside them.
fn print_line(beside: bool, text: &str) -> io::Result<()> {
    if beside {
        writeln!(anstream::stderr(), "{text}")
    } else {
        writeln!(anstream::stdout(), "{text}")
    }
}
