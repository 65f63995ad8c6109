//! What processes and cores have used, as the kernel counts it (`proc(5)`).

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// `USER_HZ`, in which the kernel shows times on every architecture that we run on.
const TICKS_PER_SECOND: u64 = 100;

/// What a process and its children have used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ProcessUsage {
    /// In user and in kernel mode.
    pub(crate) cpu: Duration,
    /// Memory in bytes; what processes have in common is counted once (PSS).
    pub(crate) memory: u64,
}

/// Whose time is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cores {
    /// One core, by its number.
    One(u16),
    /// The machine.
    All,
}

impl ProcessUsage {
    /// Reads a process with its children.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let mut total = Self::default();
        let mut open = vec![pid];
        while let Some(pid) = open.pop() {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
                .with_context(|| format!("process {pid} is gone"))?;
            total.cpu += process_time(&stat).context("/proc/PID/stat has another form")?;
            let memory = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            total.memory += proportional_memory(&memory).context("smaps_rollup has no Pss")?;
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
            open.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
        Ok(total)
    }
}

/// How long cores have worked since the start of the machine, whoever ran there.
pub(crate) fn busy(cores: Cores) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let name = match cores {
        Cores::One(core) => format!("cpu{core}"),
        Cores::All => "cpu".to_owned(),
    };
    core_time(&stat, &name).with_context(|| format!("there is no {name}"))
}

/// Fields 14 and 15, counted behind the name, which may hold anything.
fn process_time(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(ticks(user + system))
}

fn proportional_memory(smaps: &str) -> Option<u64> {
    let line = smaps.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

/// Everything but idling, waiting for disks, and what the host took (`steal`).
fn core_time(stat: &str, name: &str) -> Option<Duration> {
    let line = stat
        .lines()
        .find(|line| line.split_whitespace().next() == Some(name))?;
    let fields: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .map_while(|field| field.parse().ok())
        .collect();
    let [user, nice, system, _idle, _disk, interrupts, soft, ..] = *fields else {
        return None;
    };
    Some(ticks(user + nice + system + interrupts + soft))
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 1_000 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_does_not_shift_its_fields() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 900 0 0 0 150 50 7 8 20 0 1 0 100";
        assert_eq!(process_time(stat), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_core_is_told_from_the_machine_and_from_other_cores() {
        let stat =
            "cpu  200 0 100 900 5 0 100 7 0 0\ncpu1 100 0 50 400 5 0 50 7 0 0\ncpu10 1 0 0 0 0 0 0 0 0 0\n";
        assert_eq!(core_time(stat, "cpu"), Some(Duration::from_secs(4)));
        assert_eq!(core_time(stat, "cpu1"), Some(Duration::from_secs(2)));
        assert_eq!(core_time(stat, "cpu2"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = ProcessUsage::of(std::process::id()).unwrap();
        assert!(usage.memory > 100_000, "{usage:?}");
    }
}
