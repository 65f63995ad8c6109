//! tokio's channel, each use of it one step. What was done before something was
//! sent is seen by whoever received it, which loom is told by the number.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc as real;
use tokio::sync::mpsc::error::TrySendError;

pub(crate) fn channel<T>(places: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = real::channel(places);
    let order = Arc::new(AtomicUsize::new(0));
    let receiver = Receiver {
        real: receiver,
        order: Arc::clone(&order),
    };
    (Sender { real: sender, order }, receiver)
}

#[derive(Debug)]
pub(crate) struct Sender<T> {
    real: real::Sender<T>,
    order: Arc<AtomicUsize>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            real: self.real.clone(),
            order: Arc::clone(&self.order),
        }
    }
}

impl<T> Sender<T> {
    pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.order.fetch_add(1, Ordering::AcqRel);
        self.real.try_send(value)
    }
}

#[derive(Debug)]
pub(crate) struct Receiver<T> {
    real: real::Receiver<T>,
    order: Arc<AtomicUsize>,
}

impl<T> Receiver<T> {
    pub(crate) async fn recv(&mut self) -> Option<T> {
        let received = self.real.recv().await;
        self.order.fetch_add(0, Ordering::AcqRel);
        received
    }
}
