//! What the models of concurrency have in common: threads of loom, and futures
//! on them. Only with the feature `models`, for tests.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::thread::{self, JoinHandle, Thread};

/// So often a thread is stopped in the middle of its work, in one run, unless
/// `LOOM_MAX_PREEMPTIONS` says otherwise. With three, the largest models take minutes.
const INTERRUPTIONS: usize = 2;
/// Words. What loom gives by itself is too small for a panic to be told.
const STACK: usize = 0x1_0000;
/// Steps of one run, which is much more than a model has that ends.
const STEPS: usize = 20_000;

/// Runs a model in every order of its threads' steps, and with everything that
/// the memory model lets a load see.
pub fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut loom = loom::model::Builder::new();
    loom.preemption_bound.get_or_insert(INTERRUPTIONS);
    loom.max_branches = STEPS;
    let model = Arc::new(model);
    loom.check(move || {
        let model = Arc::clone(&model);
        joined(spawn(move || model()));
    });
}

/// The same for a model with futures of tokio. Its timers never fire.
///
/// # Panics
/// When there is no runtime to be had.
pub fn with_timers(model: impl Fn() + Send + Sync + 'static) {
    // Nobody turns it.
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let frozen = must(built, "a runtime");
    explore(move || {
        let _entered = frozen.enter();
        model();
    });
}

/// Starts a thread of a model.
///
/// # Panics
/// Outside of a model.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let thread = thread::Builder::new().stack_size(STACK);
    must(thread.spawn(work), "loom always starts threads")
}

/// Waits for a thread of a model.
///
/// # Panics
/// When the thread did.
pub fn joined<T>(thread: JoinHandle<T>) -> T {
    must(thread.join(), "a panic ends the model before")
}

#[expect(clippy::expect_used, reason = "models are tests, whose failure is a panic")]
fn must<T, E: std::fmt::Debug>(result: Result<T, E>, why: &str) -> T {
    result.expect(why)
}

/// Runs a future on this thread. It is asked again only when it was woken, so
/// that loom finds a wake-up that is lost: nobody can go on.
pub fn complete<T>(future: impl Future<Output = T>) -> T {
    let sleeper = Arc::new(Sleeper {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        while !sleeper.woken.swap(false, Ordering::Relaxed) {
            thread::park();
        }
    }
}

struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}
