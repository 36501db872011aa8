//! Jobs on the dead letters for the page, such as a search or a replay, one after the other on the admin thread.

mod context;
mod count;
mod job;
mod replay;

use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{FutureExt, LocalBoxFuture};
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::sleep;

pub(super) use self::context::OperatorContext;
pub(super) use self::job::Job;
use super::Watchers;
use crate::dead_letters::{DeadLettersError, Filter, Rate, Stop, stopped};

/// Jobs that may wait for their turn; further ones are refused.
const WAITING: usize = 8;

/// Between two jobs, so that those who wait in line beside this page get their turn.
const BREATH: Duration = Duration::from_millis(400);

type JobSender = watch::Sender<Option<Job>>;
type Task = Box<dyn FnOnce(Rc<OperatorContext>) -> LocalBoxFuture<'static, ()> + Send>;

/// What a replay is to do.
#[derive(Debug, Clone)]
pub(super) struct ReplayRequest {
    pub(super) filter: Filter,
    pub(super) canary: Option<u64>,
    pub(super) rate: Rate,
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
    /// A replay of another page, or of a command, has the letters.
    Replaying(String),
    /// The broker's side, or whoever asked has gone.
    Failed(String),
}

#[derive(Debug)]
pub(super) struct DeadLetterJobs {
    tasks: mpsc::Sender<Task>,
    job: watch::Sender<Option<Job>>,
    stop: watch::Sender<bool>,
    worker: Stop,
    dead_letters: watch::Receiver<Option<u64>>,
    waits_in_line: Arc<AtomicBool>,
    is_exporting: Arc<AtomicBool>,
    /// Told when a job has ended.
    ended: Arc<Notify>,
}

/// An export holds all letters until it has ended, and a job that waited for it would wait for long.
#[derive(Debug)]
pub(super) struct ExportGuard(Arc<AtomicBool>);

impl Drop for ExportGuard {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl DeadLetterJobs {
    /// The queue of jobs; they run while the second value is polled, and `busy` says whether one does.
    pub(super) fn new(
        context: OperatorContext,
        watchers: watch::Receiver<Watchers>,
        worker: Stop,
        busy: watch::Sender<bool>,
    ) -> (Self, impl Future<Output = ()>) {
        let (tasks, todo) = mpsc::channel(WAITING);
        let dead_letters = context.count.subscribe();
        let stop = watch::Sender::new(false);
        let waits_in_line = Arc::clone(&context.waits_in_line);
        let job = watch::Sender::new(None);
        let (is_exporting, ended) = (Arc::default(), Arc::<Notify>::default());
        let tell = Arc::clone(&ended);
        let jobs = Self {
            tasks,
            job,
            stop: stop.clone(),
            worker: worker.clone(),
            dead_letters,
            waits_in_line,
            is_exporting,
            ended,
        };
        let context = Rc::new(context);
        let working = async move {
            let counting = count::keep(Rc::clone(&context), watchers);
            let running = run_jobs(context, todo, tell, busy);
            tokio::join!(running, counting, stop_with_the_worker(worker, stop));
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

    /// Waits until a job has ended.
    pub(super) async fn end_of_a_job(&self) {
        self.ended.notified().await;
    }

    fn is_replaying(&self) -> bool {
        self.job.borrow().as_ref().is_some_and(|job| job.running)
    }

    /// # Errors
    ///
    /// A job uses the queue that may take long, or none would be finished.
    fn is_free(&self) -> Result<(), JobError> {
        if *self.worker.borrow() {
            return Err(JobError::Busy(
                "the worker is stopping; use another worker's page, or the command",
            ));
        }
        if self.is_replaying() {
            return Err(JobError::Busy(
                "a replay uses the dead-letter queue; wait until it has ended, or stop it",
            ));
        }
        if self.is_exporting.load(Ordering::Relaxed) {
            return Err(JobError::Busy(
                "an export uses the dead-letter queue; wait until it has ended, or cancel it",
            ));
        }
        Ok(())
    }

    /// Refuses other jobs until the guard is dropped; to be called before [`Self::run`].
    pub(super) fn begin_export(&self) -> Result<ExportGuard, JobError> {
        self.is_free()?;
        self.is_exporting.store(true, Ordering::Relaxed);
        Ok(ExportGuard(Arc::clone(&self.is_exporting)))
    }

    /// Runs a job in its turn, and returns its result. If the client has gone, or the worker stops, the job is told to stop.
    pub(super) async fn ask<T, F>(
        &self,
        work: impl FnOnce(Rc<OperatorContext>, Stop) -> F + Send + 'static,
    ) -> Result<T, JobError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DeadLettersError>> + 'static,
    {
        self.is_free()?;
        self.run(work).await
    }

    /// [`Self::ask`] during an export, for the export itself.
    pub(super) async fn run<T, F>(
        &self,
        work: impl FnOnce(Rc<OperatorContext>, Stop) -> F + Send + 'static,
    ) -> Result<T, JobError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DeadLettersError>> + 'static,
    {
        let (mut reply, answer) = oneshot::channel();
        let mut worker = self.worker.clone();
        let task: Task = Box::new(move |context| {
            let working = async move {
                let (tell, stop) = watch::channel(false);
                let mut work = pin!(work(context, stop));
                let ends = async {
                    tokio::select! {
                        () = reply.closed() => {}
                        () = stopped(&mut worker) => {}
                    }
                };
                let done = tokio::select! {
                    done = &mut work => done,
                    () = ends => {
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
            Ok(Err(DeadLettersError::Replaying(why))) => Err(JobError::Replaying(why)),
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
        self.is_free()?;
        let (job, stop) = (self.job.clone(), self.stop.clone());
        let (by, canary) = (request.by.clone(), request.canary);
        let task: Task = Box::new(move |context| {
            async move { replay::run(&context, request, &job, stop.subscribe()).await }
                .boxed_local()
        });
        self.enqueue(task)?;
        self.stop.send_replace(false);
        self.job.send_replace(Some(Job {
            by,
            began: Timestamp::now(),
            canary,
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

async fn run_jobs(
    context: Rc<OperatorContext>,
    mut todo: mpsc::Receiver<Task>,
    ended: Arc<Notify>,
    busy: watch::Sender<bool>,
) {
    while let Some(task) = todo.recv().await {
        busy.send_replace(true);
        context.is_looking.set(true);
        task(Rc::clone(&context)).await;
        context.is_looking.set(false);
        busy.send_replace(false);
        // It may have been given up while it waited.
        context.waits_in_line.store(false, Ordering::Relaxed);
        ended.notify_one();
        sleep(BREATH).await;
    }
}

/// A worker that ends takes its replay along, in order.
async fn stop_with_the_worker(mut worker: Stop, stop: watch::Sender<bool>) {
    if worker.wait_for(|stop| *stop).await.is_ok() {
        stop.send_replace(true);
    }
}
