//! arc-swap as its documentation promises it, and no better: a load gives one of
//! the values that were stored, whole, with everything that was written before
//! it was stored; which one is up to the memory model. That nothing is freed
//! while somebody reads it is arc-swap's own affair.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use loom::sync::atomic::{AtomicUsize, Ordering};

/// A pointer that is replaced.
#[derive(Debug)]
pub(crate) struct ArcSwap<T> {
    /// Which of the values holds.
    current: AtomicUsize,
    /// Loom forgets a load when another thread loads too, and with it an order to
    /// try; it forgets no step of this. It orders nothing else.
    steps: AtomicUsize,
    /// All there ever were. Behind it stands no loom: it is no part of the model.
    values: Mutex<Vec<Arc<T>>>,
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self {
            current: AtomicUsize::new(0),
            steps: AtomicUsize::new(0),
            values: Mutex::new(vec![Arc::new(value)]),
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "values are only added, and the number is of one that was"
    )]
    pub(crate) fn load(&self) -> Arc<T> {
        self.step();
        let current = self.current.load(Ordering::Acquire);
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&values[current])
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        self.load()
    }

    fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        let next = {
            let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
            values.push(value);
            values.len() - 1
        };
        self.current.swap(next, Ordering::AcqRel);
        // Others may look before the caller goes on.
        self.step();
    }
}

/// The same, empty at first.
#[derive(Debug)]
pub(crate) struct ArcSwapOption<T>(ArcSwap<Option<Arc<T>>>);

impl<T> ArcSwapOption<T> {
    pub(crate) fn empty() -> Self {
        Self(ArcSwap::from_pointee(None))
    }

    pub(crate) fn load(&self) -> Loaded<T> {
        Loaded(self.load_full())
    }

    pub(crate) fn load_full(&self) -> Option<Arc<T>> {
        self.0.load().as_ref().clone()
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        self.0.store(Arc::new(value));
    }
}

/// What was loaded, until it is let go.
#[derive(Debug)]
pub(crate) struct Loaded<T>(Option<Arc<T>>);

impl<T> Deref for Loaded<T> {
    type Target = Option<Arc<T>>;

    fn deref(&self) -> &Option<Arc<T>> {
        &self.0
    }
}
