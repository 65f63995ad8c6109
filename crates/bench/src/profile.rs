//! `profile`: which functions the gateway spends its time in, by `perf` where
//! the kernel allows it, else by counting instructions under `callgrind`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::environment;
use crate::nginx;
use crate::stage::{Contestant, Layout, Mode, PinnedCores, Setting, start_ours};
use crate::workload::{Scenario, Workload};
use crate::wrk::{Load, Pressure};

/// Samples a second: prime, so as not to march in step with timers.
const FREQUENCY: &str = "997";
/// Functions below this share of the time are not listed.
const LEAST_PERCENT: f64 = 0.4;

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// Samples at the speed of the real thing, kernel included
    Perf,
    /// Counts instructions, some fifty times slower and without the kernel
    Callgrind,
}

/// What is looked at.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The build of this harness whose gateway is looked at [default: this one]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// What the gateway has to do
    #[arg(long, value_enum, default_value = "gateway")]
    scenario: Scenario,
    /// With what [default: perf where it works]
    #[arg(long, value_enum)]
    tool: Option<Tool>,
    /// For how many seconds
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Kept connections of the load
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Number of APIs
    #[arg(long, default_value_t = 1_000)]
    apis: u32,
    /// Number of keys
    #[arg(long, default_value_t = 100_000)]
    keys: u32,
    /// Who runs where
    #[arg(long, value_enum, default_value = "pinned")]
    mode: Mode,
    #[command(flatten)]
    cores: PinnedCores,
}

/// Puts a load on the gateway, watches it, and prints the functions that cost most.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    environment::check()?;
    let tool = match options.tool {
        Some(tool) => tool,
        None if perf_works() => Tool::Perf,
        None => Tool::Callgrind,
    };
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?,
    };
    let home = tempfile::tempdir().context("no directory for the profile")?;
    let setting = Setting {
        workload: Workload {
            scenario: options.scenario,
            apis: options.apis,
            keys: options.keys,
        },
        body: 200,
        layout: Layout::of(options.mode, options.cores),
    };
    println!("{}\n", environment::describe());
    let listing = match tool {
        Tool::Perf => sample(options, &setting, &binary, home.path())?,
        Tool::Callgrind => count(options, &setting, &binary, home.path())?,
    };
    print!("{listing}");
    Ok(())
}

/// What the gateway under test stands between.
struct Ends {
    _upstream: crate::child::Running,
    address: std::net::SocketAddr,
    load: Load,
}

fn ends(setting: &Setting, home: &Path) -> anyhow::Result<Ends> {
    let address = environment::free_address()?;
    let workers = setting.layout.workers as usize;
    Ok(Ends {
        _upstream: nginx::start_upstream(home, address, workers, setting.body, setting.layout.load)?,
        address,
        load: Load::prepare(home, &setting.workload.requests())?,
    })
}

const fn pressure(options: &Options, setting: &Setting, seconds: u32) -> Pressure {
    Pressure {
        connections: options.connections,
        threads: setting.layout.load_threads,
        seconds,
        place: setting.layout.load,
    }
}

/// Whether the kernel lets us sample other processes of this user.
fn perf_works() -> bool {
    let record = Command::new("perf")
        .args(["record", "--output", "/dev/null", "--", "true"])
        .output();
    record.is_ok_and(|output| output.status.success())
}

fn sample(options: &Options, setting: &Setting, binary: &Path, home: &Path) -> anyhow::Result<String> {
    let ends = ends(setting, home)?;
    let gateway = start_ours(setting, ends.address, binary, Vec::new())?;
    ends.load
        .put_on(gateway.address, &pressure(options, setting, 2))?;
    let data = home.join("perf.data");
    let mut recorder = Command::new("perf")
        .args(["record", "--quiet", "--freq", FREQUENCY, "--event", "cpu-clock"])
        .args(["--pid", &gateway.pid().to_string(), "--output"])
        .arg(&data)
        .args(["--", "sleep", &options.seconds.to_string()])
        .spawn()
        .context("perf does not start")?;
    let answered = ends
        .load
        .put_on(gateway.address, &pressure(options, setting, options.seconds))?;
    if !recorder.wait()?.success() {
        bail!("perf could not record");
    }
    let threads = report(&data, "comm")?;
    let functions = report(&data, "symbol")?;
    println!(
        "Sampled by perf for {} s, {} requests.\n",
        options.seconds, answered.requests
    );
    Ok(format!(
        "| share | thread |\n|---|---|\n{}\n| share | function |\n|---|---|\n{}",
        rows(&threads),
        rows(&functions)
    ))
}

fn report(data: &Path, by: &str) -> anyhow::Result<String> {
    let output = Command::new("perf")
        .args([
            "report",
            "--stdio",
            "--quiet",
            "--no-children",
            "--sort",
            by,
            "--input",
        ])
        .arg(data)
        .output()
        .context("perf does not start")?;
    if !output.status.success() {
        bail!("perf report: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `    12.34%  [k] name` becomes a row of a table, as long as it is worth one.
fn rows(report: &str) -> String {
    let worthy = report.lines().filter_map(|line| {
        let (share, name) = line.trim().split_once('%')?;
        let share: f64 = share.trim().parse().ok()?;
        // Columns that nobody asked for stand behind the name.
        let name = name.trim();
        let name = name.split_once("   ").map_or(name, |(name, _)| name);
        (share >= LEAST_PERCENT).then(|| format!("| {share:.1} % | `{name}` |\n"))
    });
    worthy.collect()
}

fn count(options: &Options, setting: &Setting, binary: &Path, home: &Path) -> anyhow::Result<String> {
    let ends = ends(setting, home)?;
    let out = home.join("callgrind.out");
    let mut under: Vec<OsString> = ["valgrind", "--quiet", "--tool=callgrind"]
        .map(OsString::from)
        .to_vec();
    let mut argument = OsString::from("--callgrind-out-file=");
    argument.push(&out);
    // Starting is not what is asked about: counting begins with the load.
    under.extend([argument, OsString::from("--instr-atstart=no")]);
    let gateway = start_ours(setting, ends.address, binary, under)?;
    ends.load
        .put_on(gateway.address, &pressure(options, setting, 2))?;
    instrument(&gateway, "on")?;
    let answered = ends
        .load
        .put_on(gateway.address, &pressure(options, setting, options.seconds))?;
    instrument(&gateway, "off")?;
    println!(
        "Counted by callgrind over {} requests, without the kernel.\n",
        answered.requests
    );
    gateway.finish()?;
    let output = Command::new("callgrind_annotate").arg(&out).output();
    let output = output.context("callgrind_annotate does not start")?;
    let listing = String::from_utf8_lossy(&output.stdout);
    Ok(format!(
        "| share | function |\n|---|---|\n{}",
        annotated(&listing)
    ))
}

fn instrument(gateway: &Contestant, state: &str) -> anyhow::Result<()> {
    let status = Command::new("callgrind_control")
        .args(["--instr", state])
        .arg(gateway.pid().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("callgrind_control does not start")?;
    if !status.success() {
        bail!("callgrind_control: {status}");
    }
    Ok(())
}

/// `1,234 (12.34%)  ???:name [file]` becomes a row of a table.
fn annotated(listing: &str) -> String {
    let worthy = listing.lines().filter_map(|line| {
        let (_, rest) = line.split_once('(')?;
        let (share, name) = rest.split_once("%)")?;
        let share: f64 = share.trim().parse().ok()?;
        let name = name.trim();
        let name = name.split_once(':').map_or(name, |(_, name)| name);
        let name = name.rsplit_once(" [/").map_or(name, |(name, _)| name);
        let total = name.contains("PROGRAM TOTALS");
        (share >= LEAST_PERCENT && !total).then(|| format!("| {share:.1} % | `{name}` |\n"))
    });
    worthy.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_that_are_worth_one() {
        let report = "# comment\n    12.34%  [k] tcp_sendmsg\n     0.41%  [.] <impl [T] as hyper::parse>      -      -\n     0.10%  [.] tiny\n";
        assert_eq!(
            rows(report),
            "| 12.3 % | `[k] tcp_sendmsg` |\n| 0.4 % | `[.] <impl [T] as hyper::parse>` |\n"
        );
    }

    #[test]
    fn annotations_lose_their_files_and_totals() {
        let listing = "1,000 (100.0%)  PROGRAM TOTALS\n600 (60.00%)  ???:sha2::compress [/x/bench]\n90 ( 9.00%)  ???:<impl [T]>::len\n1 ( 0.10%)  ???:tiny [/x]\n";
        assert_eq!(
            annotated(listing),
            "| 60.0 % | `sha2::compress` |\n| 9.0 % | `<impl [T]>::len` |\n"
        );
    }
}
