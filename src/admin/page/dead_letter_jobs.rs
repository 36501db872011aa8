//! Jobs on the dead letters for the page, such as a search or a replay, one after the other on the admin thread.

mod count;
mod job;

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{FutureExt, LocalBoxFuture};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep};

pub(super) use self::job::Job;
use super::Watchers;
use crate::config::Config;
use crate::dead_letters::{
    DeadLetters, DeadLettersError, Filter, Replay, Report, Stop, report_as_json,
};
use crate::route::Router;

/// Jobs that may wait for their turn; further ones are refused.
const WAITING: usize = 8;

/// How long a job waits for another reader of the queue: less than a client may wait for an answer.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(90);

/// Between two jobs, so that those who wait in line beside this page get their turn.
const BREATH: Duration = Duration::from_millis(400);

/// Between two reports of a replay's progress.
const REPORT_EVERY: Duration = Duration::from_millis(250);

/// What every job works with.
#[derive(Debug)]
pub(super) struct OperatorContext {
    pub(super) dead_letters: DeadLetters,
    pub(super) router: Router,
    replay: Replay,
    /// Letters that are held are not ready, and would not be counted.
    is_looking: Cell<bool>,
    /// Whether somebody else has the letters, and what is to be done waits for them.
    waits_in_line: Arc<AtomicBool>,
}

impl OperatorContext {
    pub(super) fn new(config: Config, router: Router, name: String) -> Self {
        let waits_in_line = Arc::<AtomicBool>::default();
        let waits = Arc::clone(&waits_in_line);
        Self {
            replay: Replay::new(&config),
            dead_letters: DeadLetters::new(config.amqp, name)
                .waiting(PATIENCE_WITH_OTHERS, move |it| waits.store(it, Ordering::Relaxed)),
            router,
            is_looking: Cell::new(false),
            waits_in_line,
        }
    }

    /// One of all letters, as the configuration asks for.
    pub(super) fn replay(&self) -> Replay {
        self.replay.clone()
    }
}

type JobSender = watch::Sender<Option<Job>>;
type Task = Box<dyn FnOnce(Rc<OperatorContext>) -> LocalBoxFuture<'static, ()> + Send>;

/// What a replay is to do.
#[derive(Debug, Clone)]
pub(super) struct ReplayRequest {
    pub(super) filter: Filter,
    pub(super) canary: Option<u64>,
    pub(super) rate: Option<f64>,
    pub(super) max_failures: Option<u64>,
    /// Who requested it, for those who are logged in.
    pub(super) by: String,
    /// From where, for the log.
    pub(super) peer: SocketAddr,
}

/// Why a job was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JobError {
    /// Other things are to be done first.
    Busy(&'static str),
    /// The broker's side, or whoever asked has gone.
    Failed(String),
}

#[derive(Debug)]
pub(super) struct DeadLetterJobs {
    tasks: mpsc::Sender<Task>,
    job: watch::Sender<Option<Job>>,
    stop: watch::Sender<bool>,
    dead_letters: watch::Receiver<Option<u64>>,
    waits_in_line: Arc<AtomicBool>,
}

impl DeadLetterJobs {
    /// The queue of jobs; they run while the second value is polled.
    pub(super) fn new(
        context: OperatorContext,
        watchers: watch::Receiver<Watchers>,
        worker: Stop,
    ) -> (Self, impl Future<Output = ()>) {
        let (tasks, todo) = mpsc::channel(WAITING);
        let (count, dead_letters) = watch::channel(None);
        let stop = watch::Sender::new(false);
        let waits_in_line = Arc::clone(&context.waits_in_line);
        let job = watch::Sender::new(None);
        let jobs = Self { tasks, job, stop: stop.clone(), dead_letters, waits_in_line };
        let context = Rc::new(context);
        let working = async move {
            let counting = count::keep(Rc::clone(&context), watchers, count);
            tokio::join!(run_jobs(context, todo), counting, stop_with_the_worker(worker, stop));
        };
        (jobs, working)
    }

    /// The number of dead letters, if it was counted lately.
    pub(super) fn dead_letters(&self) -> Option<u64> {
        *self.dead_letters.borrow()
    }

    /// Whether the current job waits for another reader of the queue.
    pub(super) fn waits_in_line(&self) -> bool {
        self.waits_in_line.load(Ordering::Relaxed)
    }

    pub(super) fn job(&self) -> Option<Job> {
        self.job.borrow().clone()
    }

    fn is_replaying(&self) -> bool {
        self.job.borrow().as_ref().is_some_and(|job| job.running)
    }

    /// Runs a job in its turn, and returns its result. If the client has gone, the job is told to stop.
    pub(super) async fn ask<T, F>(
        &self,
        work: impl FnOnce(Rc<OperatorContext>, Stop) -> F + Send + 'static,
    ) -> Result<T, JobError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DeadLettersError>> + 'static,
    {
        if self.is_replaying() {
            return Err(JobError::Busy(
                "a replay uses the dead-letter queue; wait until it has ended, or stop it",
            ));
        }
        let (mut reply, answer) = oneshot::channel();
        let task: Task = Box::new(move |context| {
            let working = async move {
                let (tell, stop) = watch::channel(false);
                let mut work = pin!(work(context, stop));
                let done = tokio::select! {
                    done = &mut work => done,
                    () = reply.closed() => {
                        tell.send_replace(true);
                        work.await
                    }
                };
                let _ = reply.send(done);
            };
            working.boxed_local()
        });
        self.enqueue(task)?;
        match answer.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(trouble)) => Err(JobError::Failed(trouble.to_string())),
            Err(_) => Err(JobError::Failed("the request was cancelled".to_owned())),
        }
    }

    fn enqueue(&self, task: Task) -> Result<(), JobError> {
        let busy = "too many requests for dead letters are waiting; try again in a moment";
        self.tasks.try_send(task).map_err(|_| JobError::Busy(busy))
    }

    /// Starts a replay, which continues if the page is closed.
    pub(super) fn replay(&self, request: ReplayRequest) -> Result<(), JobError> {
        if self.is_replaying() {
            return Err(JobError::Busy(
                "a replay is already running; wait until it has ended, or stop it",
            ));
        }
        let (job, stop) = (self.job.clone(), self.stop.clone());
        let by = request.by.clone();
        let task: Task = Box::new(move |context| {
            async move { replay(&context, request, &job, stop.subscribe()).await }.boxed_local()
        });
        self.enqueue(task)?;
        self.stop.send_replace(false);
        self.job.send_replace(Some(Job {
            by,
            began: Timestamp::now(),
            running: true,
            stopping: false,
            report: None,
            watching: false,
            error: None,
        }));
        Ok(())
    }

    /// Tells the running replay to stop, and returns whether there is one.
    pub(super) fn stop(&self) -> bool {
        let is_replaying = self.is_replaying();
        if is_replaying {
            self.stop.send_replace(true);
            self.job.send_modify(|job| job.iter_mut().for_each(|job| job.stopping = true));
        }
        is_replaying
    }
}

async fn run_jobs(context: Rc<OperatorContext>, mut todo: mpsc::Receiver<Task>) {
    while let Some(task) = todo.recv().await {
        context.is_looking.set(true);
        task(Rc::clone(&context)).await;
        context.is_looking.set(false);
        // It may have been given up while it waited.
        context.waits_in_line.store(false, Ordering::Relaxed);
        sleep(BREATH).await;
    }
}

/// A worker that ends takes its replay along, in order.
async fn stop_with_the_worker(mut worker: Stop, stop: watch::Sender<bool>) {
    if worker.wait_for(|stop| *stop).await.is_ok() {
        stop.send_replace(true);
    }
}

async fn replay(context: &OperatorContext, request: ReplayRequest, job: &JobSender, stop: Stop) {
    let ReplayRequest { filter, canary, rate, max_failures, by, peer } = request;
    let replay = Replay { canary, rate, max_failures, ..context.replay() };
    let update = |change: &dyn Fn(&mut Job)| job.send_modify(|job| job.iter_mut().for_each(change));
    let (mut reported, mut waits_for): (Option<Instant>, _) = (None, (None, None));
    let show = |report: &Report| {
        let now = (report.blocked, report.held.clone());
        let news = std::mem::replace(&mut waits_for, now.clone()) != now;
        if news || reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
            reported = Some(Instant::now());
            let json = report_as_json(report);
            update(&|job| (job.report, job.watching) = (Some(json.clone()), report.watching));
        }
    };
    match context.dead_letters.replay(&filter, &replay, &stop, show).await {
        Ok(report) => {
            let json = report_as_json(&report);
            let (replayed, came_back) = (report.replayed, report.came_back);
            tracing::info!(event = "page_replay_ended", %peer, by, replayed, left = report.left(), came_back, ended = json["ended"].as_str(), "replay from the page ended");
            update(&|job| (job.report, job.running) = (Some(json.clone()), false));
        }
        Err(trouble) => {
            tracing::warn!(event = "page_replay_failed", %peer, by, error = %trouble, "replay from the page could not begin");
            update(&|job| (job.error, job.running) = (Some(trouble.to_string()), false));
        }
    }
    update(&|job| job.watching = false);
}
