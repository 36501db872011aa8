//! What relaying costs, measured side by side: the worker, a bare lapin loop and a bare
//! lapin + SDK loop, each a process of its own, on the same preloaded queue and the same
//! fake SNS. `make bench` runs it; docs/performance.md explains it.

mod broker;
mod fake;
#[path = "../../tests/fake_sns/mod.rs"]
mod fake_sns;
mod idle;
mod loops;
mod medians;
mod process;
mod report;
mod rounds;
mod targets;
mod watched;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use broker::Stand;

/// Whatever stops the measuring: said and given up.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Measures the worker beside bare loops; needs a RabbitMQ, which `make bench` starts.
#[derive(Debug, Parser)]
#[command(name = "relay")]
struct Arguments {
    /// Events in the queue at the start of each run
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// How often each contestant runs; the tables show medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these, separated by commas: a to f, or with a latency: c@20; f is c, watched and not in turn
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// A setting of the worker on top of its defaults: `SNS__POOL_SIZE=50`; may repeat
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Another worker than the one just built
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_event-pusher-sns"))]
    worker: PathBuf,
    /// Where the figures go as JSON
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench/relay.json"))]
    json: PathBuf,
    /// Said by `cargo bench` to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What runs in processes of its own.
#[derive(Debug, Subcommand)]
enum Part {
    /// The fake SNS
    #[command(hide = true)]
    Fake,
    /// A bare loop
    #[command(hide = true)]
    Loop(loops::Loop),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The same shape as the worker's, for all parts.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("no runtime");
    let result = runtime.block_on(async {
        match &arguments.part {
            Some(Part::Fake) => fake::serve().await,
            Some(Part::Loop(it)) => it.run().await,
            None => measure(&arguments).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// All runs, the tables, and nothing left behind, also after Ctrl-C.
async fn measure(arguments: &Arguments) -> Result<()> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stand = Stand::new().await?;
    // Dropped half-way, it kills the processes that it has started.
    let measured = tokio::select! {
        measured = run(arguments, &stand) => measured,
        _ = interrupt.recv() => Err("stopped by Ctrl-C".into()),
        _ = terminate.recv() => Err("stopped by SIGTERM".into()),
    };
    stand.remove().await;
    measured
}

async fn run(arguments: &Arguments, stand: &Stand) -> Result<()> {
    let mut fake = fake::Fake::start().await?;
    let contestants = rounds::contestants(&arguments.only);
    let bench = rounds::Bench::new(stand, arguments)?;
    bench.warm_up(&mut fake).await?;
    let runs = bench.rounds(&mut fake, &contestants).await?;
    let wanted = arguments.only.is_empty() || arguments.only.iter().any(|name| name == "f");
    let watched = if wanted { watched::measure(&bench, &mut fake).await? } else { None };
    let idle = idle::measure(&bench, &mut fake).await?;
    let report = report::Report::new(arguments, &contestants, runs, idle, watched);
    print!("{report}");
    report.write(&arguments.json)?;
    fake.stop().await
}
