//! Who uses the directory of a node while one process takes over from another:
//! its log of changes has one writer.

use std::io;
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::disk::Disk;

use super::{ConfigSync, Durable, blocking};

/// Asks a running [`ConfigSync`] to let go of its directory, or to use it again.
#[derive(Debug, Clone)]
pub struct DiskUse(mpsc::Sender<Wish>);

/// What a sync is asked for.
#[derive(Debug)]
pub(super) struct Wish {
    wanted: Wanted,
    done: oneshot::Sender<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    LetGo,
    UseAgain,
}

/// A way to ask, and where it is heard.
pub(super) fn channel() -> (DiskUse, mpsc::Receiver<Wish>) {
    let (sender, receiver) = mpsc::channel(1);
    (DiskUse(sender), receiver)
}

impl DiskUse {
    /// Another process may use the directory when this returns. What changes
    /// from now on is put into force, and not kept.
    pub async fn let_go(&self) {
        self.ask(Wanted::LetGo).await;
    }

    /// The directory is this process's again.
    pub async fn use_again(&self) {
        self.ask(Wanted::UseAgain).await;
    }

    async fn ask(&self, wanted: Wanted) {
        let (done, is_done) = oneshot::channel();
        // A sync that has ended uses no directory.
        if self.0.send(Wish { wanted, done }).await.is_ok() && is_done.await.is_err() {
            tracing::debug!("the sync ended before it was done with the directory");
        }
    }
}

impl ConfigSync {
    /// How it is asked to share its directory.
    #[must_use]
    pub fn disk_use(&self) -> DiskUse {
        self.disk_use.clone()
    }

    pub(super) async fn heed(&mut self, wish: Wish) {
        match wish.wanted {
            Wanted::LetGo => {
                self.disk = None;
                self.durable = Durable::NotKept;
            }
            Wanted::UseAgain => {
                if let Some(home) = self.home.clone() {
                    let opened = self.reopen(home).await;
                    self.note_reopened(opened);
                }
            }
        }
        if wish.done.send(()).is_err() {
            tracing::debug!("who asked about the directory did not wait");
        }
    }

    /// What another process kept there meanwhile need not be what is in force
    /// here, so everything from the lesser of the two on is kept once more.
    async fn reopen(&mut self, home: PathBuf) -> io::Result<()> {
        let opened = blocking(move || Disk::open(&home, |_| {})).await;
        let (disk, alerts) = opened.map_err(|error| error.source)?;
        for alert in alerts {
            tracing::error!(alert, "the node's own copy of the configuration is not whole");
        }
        self.durable = Durable::Behind {
            through: disk.through().min(self.runtime.subjects().applied()),
            retry_at: Instant::now(),
        };
        self.disk = Some(disk);
        self.unkept = Some(Instant::now());
        Ok(())
    }

    fn note_reopened(&mut self, opened: io::Result<()>) {
        if let Err(error) = opened {
            tracing::error!(%error, "the directory of the node cannot be used again; changes are in force and not kept");
            self.problem.log = Some(format!("changes cannot be kept on disk: {error}"));
        }
    }
}
