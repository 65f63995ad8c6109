//! The loop that runs each job when its time has come.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use gatewright_control::Control;
use gatewright_model::time::Entropy;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::{jittered, wait};
use crate::job::{Job, JobError, Keep, Progress};

/// What one run of a job may take.
const WITHIN: Duration = Duration::from_secs(120);

/// Runs the jobs one after the other, so that they never compete for the store.
#[derive(Debug)]
pub struct Worker {
    control: Control,
    keep: Keep,
    entropy: Arc<dyn Entropy>,
}

/// When a job runs next, and how it went lately.
#[derive(Debug)]
struct Planned {
    job: Job,
    due: Instant,
    failures: u32,
}

impl Worker {
    /// A worker over the use cases.
    #[must_use]
    pub fn new(control: Control, keep: Keep, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            control,
            keep,
            entropy,
        }
    }

    /// Runs until `stop`. A job under way is finished first: its steps are short.
    pub async fn run(self, stop: CancellationToken) {
        let now = Instant::now();
        let mut plan = Job::ALL.map(|job| Planned {
            job,
            due: now,
            failures: 0,
        });
        loop {
            let Some(next) = plan.iter_mut().min_by_key(|planned| planned.due) else {
                return;
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(next.due) => {}
            }
            self.step(next).await;
        }
    }

    async fn step(&self, planned: &mut Planned) {
        let run = planned.job.run(&self.control, self.keep);
        let outcome = match tokio::time::timeout(WITHIN, run).await {
            Ok(outcome) => outcome,
            Err(_) => Err(JobError::TimedOut(WITHIN)),
        };
        let every = planned.job.every();
        let pause = match outcome {
            Ok(progress) => {
                recovered(planned);
                if progress == Progress::More {
                    Duration::ZERO
                } else {
                    every
                }
            }
            Err(error) => {
                failed(planned, &error);
                wait(every, planned.failures)
            }
        };
        planned.due = Instant::now() + jittered(pause, self.entropy.as_ref());
    }
}

fn recovered(planned: &mut Planned) {
    if planned.failures > 0 {
        tracing::info!(job = planned.job.name(), "the job works again");
        planned.failures = 0;
    }
}

/// Says a failure once; the silence until the job works again is not news.
fn failed(planned: &mut Planned, error: &JobError) {
    let error = error as &dyn Error;
    if planned.failures == 0 {
        tracing::warn!(job = planned.job.name(), error, "a job failed and is tried again");
    } else {
        tracing::debug!(job = planned.job.name(), error, "a job failed again");
    }
    planned.failures = planned.failures.saturating_add(1);
}
