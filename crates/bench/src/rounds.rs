//! Rounds: everybody in turn, for a few seconds each, over and over, so that
//! what changes on the machine changes for all.

use std::time::Duration;

use anyhow::bail;

use crate::stage::{Contestant, Layout, Stage};
use crate::statistics::Median;
use crate::usage::{ProcessUsage, busy};
use crate::wrk::{Answered, Pressure};

/// Records are written in batches of half a second: this long after the last
/// answer the last batch belongs to the slice that caused it.
const SETTLE: Duration = Duration::from_millis(600);
/// Failures of a thousand requests above which a figure is none.
const FAILURES_OF_1000: u64 = 1;

/// How rounds are run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    /// How many.
    pub(crate) count: usize,
    /// Seconds of each slice.
    pub(crate) seconds: u32,
    /// Kept connections of the load.
    pub(crate) connections: u32,
}

/// A contestant's turn in one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    /// What came of the load.
    pub(crate) answered: Answered,
    /// What the processes of the contestant used.
    pub(crate) cpu: Duration,
    /// What everybody used on the cores that are charged.
    pub(crate) charged: Duration,
    /// Bytes of memory at the end.
    pub(crate) memory: u64,
}

/// All slices of a contestant, in the order of the rounds.
#[derive(Debug)]
pub(crate) struct Series {
    /// Whose.
    pub(crate) name: String,
    /// One for each round.
    pub(crate) slices: Vec<Slice>,
}

/// What came of all rounds.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Requests a second without a proxy, by a slice of one second in each round.
    pub(crate) direct: Option<Median>,
    /// Of each contestant; the first is the measure of the others.
    pub(crate) series: Vec<Series>,
}

impl Slice {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answered.rate()
    }

    /// Microseconds of the contestant's processes for each request.
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.answered.requests as f64
    }

    /// Microseconds on the charged cores for each request, whoever worked there.
    pub(crate) fn charged_micros(&self) -> f64 {
        self.charged.as_secs_f64() * 1e6 / self.answered.requests as f64
    }
}

impl Series {
    /// The median of a figure.
    pub(crate) fn median(&self, figure: impl Fn(&Slice) -> f64) -> Option<Median> {
        Median::of(&self.slices.iter().map(figure).collect::<Vec<_>>())
    }

    /// The median of the ratios to another series, round by round.
    pub(crate) fn against(&self, other: &Self, figure: impl Fn(&Slice) -> f64) -> Option<Median> {
        let pairs = self.slices.iter().zip(&other.slices);
        let ratios: Vec<f64> = pairs
            .map(|(ours, theirs)| figure(ours) / figure(theirs))
            .collect();
        Median::of(&ratios)
    }

    /// Requests that failed, over all rounds.
    pub(crate) fn failed(&self) -> u64 {
        self.slices.iter().map(|slice| slice.answered.failed).sum()
    }
}

impl Rounds {
    /// Warms everybody up, then runs the rounds.
    pub(crate) fn run(self, stage: &mut Stage, layout: Layout) -> anyhow::Result<Outcome> {
        let warm_up = self.pressure(layout, 1);
        for contestant in &stage.contestants {
            stage.load.put_on(contestant.address, &warm_up)?;
        }
        let mut series: Vec<Series> = stage
            .contestants
            .iter()
            .map(|contestant| Series {
                name: contestant.name.clone(),
                slices: Vec::with_capacity(self.count),
            })
            .collect();
        let mut direct = Vec::with_capacity(self.count);
        for round in 0..self.count {
            let answered = stage.load.put_on(stage.upstream, &warm_up)?;
            direct.push(answered.rate());
            let mut turns: Vec<_> = stage.contestants.iter().zip(&mut series).collect();
            // Nobody is always the one after the slowest.
            let first = round % turns.len();
            turns.rotate_left(first);
            for (contestant, series) in turns {
                let slice = self.slice(stage, contestant, layout)?;
                eprintln!(
                    "  round {}/{}: {} {:.0} requests/s, {:.1} µs",
                    round + 1,
                    self.count,
                    series.name,
                    slice.rate(),
                    slice.cpu_micros()
                );
                series.slices.push(slice);
            }
            stage.check()?;
        }
        Ok(Outcome {
            direct: Median::of(&direct),
            series,
        })
    }

    const fn pressure(self, layout: Layout, seconds: u32) -> Pressure {
        Pressure {
            connections: self.connections,
            threads: layout.load_threads,
            seconds,
            place: layout.load,
        }
    }

    fn slice(self, stage: &Stage, contestant: &Contestant, layout: Layout) -> anyhow::Result<Slice> {
        let used = ProcessUsage::of(contestant.pid())?;
        let charged = busy(layout.charged)?;
        let answered = stage
            .load
            .put_on(contestant.address, &self.pressure(layout, self.seconds))?;
        let charged = busy(layout.charged)?.saturating_sub(charged);
        std::thread::sleep(SETTLE);
        let after = ProcessUsage::of(contestant.pid())?;
        if answered.failed * 1_000 > answered.requests * FAILURES_OF_1000 {
            bail!(
                "{}: {} of {} requests failed",
                contestant.name,
                answered.failed,
                answered.requests
            );
        }
        Ok(Slice {
            answered,
            cpu: after.cpu.saturating_sub(used.cpu),
            charged,
            memory: after.memory,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, cpu: [u64; 3]) -> Series {
        let slice = |millis: u64| Slice {
            answered: Answered {
                requests: 10_000,
                time: Duration::from_secs(2),
                failed: 1,
                p50: Duration::ZERO,
                p99: Duration::ZERO,
            },
            cpu: Duration::from_millis(millis),
            charged: Duration::from_millis(2 * millis),
            memory: 0,
        };
        Series {
            name: name.to_owned(),
            slices: cpu.map(slice).to_vec(),
        }
    }

    #[test]
    fn ratios_are_taken_in_each_round_and_not_of_the_medians() {
        let (ours, theirs) = (series("ours", [100, 300, 200]), series("theirs", [200, 300, 100]));
        let ratio = ours.against(&theirs, Slice::cpu_micros).unwrap();
        assert_eq!(ratio.value, 1.0);
        assert_eq!(ours.median(Slice::cpu_micros).unwrap().value, 20.0);
        assert_eq!(ours.median(Slice::charged_micros).unwrap().value, 40.0);
        assert_eq!(ours.median(Slice::rate).unwrap().value, 5_000.0);
        assert_eq!(ours.failed(), 3);
    }
}
