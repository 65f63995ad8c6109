//! Carries the bytes of one connection, and spoils them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::fault::{End, Faults, Flow};

/// How both directions end at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Fin,
    Reset,
}

type Direction = fn(&Faults) -> &Flow;

/// Carries until both directions have ended, or a fault ends them.
pub(super) async fn carry(mut client: TcpStream, mut server: TcpStream, faults: watch::Receiver<Faults>) {
    // Slices shall be segments.
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = Pump::new(from_client, to_server, |faults| &faults.up, faults.clone());
        let down = Pump::new(from_server, to_client, |faults| &faults.down, faults);
        tokio::try_join!(up.run(), down.run())
    };
    if ended == Err(Cut::Reset) {
        // Closing without a linger is a reset.
        client.set_zero_linger().ok();
        server.set_zero_linger().ok();
    }
}

struct Pump<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    direction: Direction,
    faults: watch::Receiver<Faults>,
    passed: u64,
    dice: u64,
}

impl<'a> Pump<'a> {
    fn new(
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
        direction: Direction,
        faults: watch::Receiver<Faults>,
    ) -> Self {
        Self {
            from,
            to,
            direction,
            faults,
            passed: 0,
            dice: 1,
        }
    }

    /// Both directions are one task: a wait of one does not hold up the other.
    async fn run(mut self) -> Result<(), Cut> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            // A fault that comes while nothing is said ends the silence too.
            let end = self.reached();
            if let Some(end) = end {
                match self.end(end).await? {
                    After::GoesOn => continue,
                    After::Over => return Ok(()),
                }
            }
            let read = tokio::select! {
                read = self.from.read(&mut buffer) => read.map_err(|_| Cut::Reset)?,
                changed = self.faults.changed() => {
                    changed.map_err(|_| Cut::Fin)?;
                    continue;
                }
            };
            if read == 0 {
                self.to.shutdown().await.ok();
                return Ok(());
            }
            let piece = buffer.get_mut(..read).unwrap_or_default();
            if self.forward(piece).await? == After::Over {
                return Ok(());
            }
        }
    }

    fn flow(&mut self) -> Flow {
        *(self.direction)(&self.faults.borrow_and_update())
    }

    fn reached(&mut self) -> Option<End> {
        let (after, end) = self.flow().end?;
        (self.passed >= after).then_some(end)
    }

    async fn end(&mut self, end: End) -> Result<After, Cut> {
        match end {
            End::Fin => Err(Cut::Fin),
            End::Reset => Err(Cut::Reset),
            End::Stall => {
                self.faults.changed().await.map_err(|_| Cut::Fin)?;
                Ok(After::GoesOn)
            }
            End::HalfClose => {
                self.to.shutdown().await.ok();
                // What still comes is not the sender's fault: it is read and forgotten.
                tokio::io::copy(&mut self.from, &mut tokio::io::sink()).await.ok();
                Ok(After::Over)
            }
        }
    }

    async fn forward(&mut self, mut rest: &mut [u8]) -> Result<After, Cut> {
        while !rest.is_empty() {
            let flow = self.flow();
            if let Some(end) = self.reached() {
                match self.end(end).await? {
                    After::GoesOn => continue,
                    After::Over => return Ok(After::Over),
                }
            }
            let left = flow
                .end
                .map_or(u64::MAX, |(after, _)| after.saturating_sub(self.passed));
            let size = rest
                .len()
                .min(flow.slice)
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            let (piece, later) = rest.split_at_mut(size);
            self.spoil(piece, &flow);
            let wait = self.wait(&flow, size);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            self.to.write_all(piece).await.map_err(|_| Cut::Reset)?;
            self.passed += size as u64;
            rest = later;
            if flow.slice < 1_024 {
                // One segment after the other, not all in one go of this task.
                tokio::task::yield_now().await;
            }
        }
        Ok(After::GoesOn)
    }

    fn spoil(&self, piece: &mut [u8], flow: &Flow) {
        let offset = flow.corrupt_at.and_then(|at| at.checked_sub(self.passed));
        let byte = offset
            .and_then(|offset| usize::try_from(offset).ok())
            .and_then(|offset| piece.get_mut(offset));
        if let Some(byte) = byte {
            *byte = !*byte;
        }
    }

    fn wait(&mut self, flow: &Flow, size: usize) -> Duration {
        // Knuth's MMIX generator: every run of a test sees the same sequence.
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let jitter = u64::try_from(flow.jitter.as_micros()).unwrap_or(u64::MAX);
        let jitter = Duration::from_micros((self.dice >> 33) % (jitter + 1));
        let pace = flow.bytes_per_second.map_or(Duration::ZERO, |most| {
            Duration::from_secs_f64(size as f64 / most.max(1) as f64)
        });
        flow.delay + jitter + pace
    }
}

/// Whether a direction goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    GoesOn,
    Over,
}
