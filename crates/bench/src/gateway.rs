//! `gateway`: what a call costs, against nginx, in every combination of modes,
//! scenarios, bodies and connections that was asked for.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};

use crate::environment;
use crate::report::{Heading, table};
use crate::rounds::Rounds;
use crate::stage::{Layout, Mode, PinnedCores, Setting, Stage};
use crate::workload::{Scenario, Workload};

/// What is measured and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A build of this harness whose gateway is measured; may be given several times [default: this one]
    #[arg(long)]
    binary: Vec<PathBuf>,
    /// Who runs where
    #[arg(long, value_enum, value_delimiter = ',', default_value = "pinned,unpinned")]
    modes: Vec<Mode>,
    /// What the gateway has to do
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "gateway,rate-only,hand-over"
    )]
    scenarios: Vec<Scenario>,
    /// Kept connections of the load [default: 64,256]
    #[arg(long, value_delimiter = ',')]
    connections: Vec<u32>,
    /// Bytes of every answer [default: 200,16384]
    #[arg(long, value_delimiter = ',')]
    body: Vec<usize>,
    /// Rounds; six give an interval, nine a better one [default: 9]
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of each slice [default: 3]
    #[arg(long)]
    seconds: Option<u32>,
    /// Number of APIs [default: 1000]
    #[arg(long)]
    apis: Option<u32>,
    /// Number of keys [default: 100000]
    #[arg(long)]
    keys: Option<u32>,
    /// A little of everything, to see that it works: its figures mean nothing
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    cores: PinnedCores,
}

/// The options with what was left out.
#[derive(Debug)]
struct Plan {
    binaries: Vec<PathBuf>,
    connections: Vec<u32>,
    bodies: Vec<usize>,
    rounds: usize,
    seconds: u32,
    apis: u32,
    keys: u32,
}

/// Measures and prints the tables.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    environment::check()?;
    let plan = options.plan()?;
    println!(
        "{} {} rounds of {} s.\n",
        environment::describe(),
        plan.rounds,
        plan.seconds
    );
    for mode in &options.modes {
        for scenario in &options.scenarios {
            for body in &plan.bodies {
                measure(options, &plan, *mode, *scenario, *body)?;
            }
        }
    }
    Ok(())
}

impl Options {
    fn plan(&self) -> anyhow::Result<Plan> {
        let or = |given: Option<u32>, full: u32, quick: u32| {
            given.unwrap_or(if self.quick { quick } else { full })
        };
        let plan = Plan {
            binaries: self.binaries()?,
            connections: or_else(&self.connections, if self.quick { &[16] } else { &[64, 256] }),
            bodies: or_else(&self.body, if self.quick { &[200] } else { &[200, 16_384] }),
            rounds: self.rounds.unwrap_or(if self.quick { 2 } else { 9 }),
            seconds: or(self.seconds, 3, 1),
            apis: or(self.apis, 1_000, 50),
            keys: or(self.keys, 100_000, 2_000),
        };
        if plan.rounds == 0 || plan.seconds == 0 || plan.connections.contains(&0) {
            bail!("--rounds, --seconds and --connections count from 1");
        }
        if plan.apis == 0 || plan.keys < plan.apis {
            bail!("--keys must be at least --apis, and both at least 1");
        }
        Ok(plan)
    }

    fn binaries(&self) -> anyhow::Result<Vec<PathBuf>> {
        if self.binary.is_empty() {
            return Ok(vec![std::env::current_exe()?]);
        }
        if let Some(absent) = self.binary.iter().find(|binary| !binary.is_file()) {
            bail!("{} is not there; build it first", absent.display());
        }
        Ok(self.binary.clone())
    }
}

fn or_else<T: Clone>(given: &[T], default: &[T]) -> Vec<T> {
    if given.is_empty() { default } else { given }.to_vec()
}

fn measure(
    options: &Options,
    plan: &Plan,
    mode: Mode,
    scenario: Scenario,
    body: usize,
) -> anyhow::Result<()> {
    let layout = Layout::of(mode, options.cores);
    let setting = Setting {
        workload: Workload {
            scenario,
            apis: plan.apis,
            keys: plan.keys,
        },
        body,
        layout,
    };
    let mode_word = word(mode);
    eprintln!("{mode_word}, {}, {body} B: starting", scenario.word());
    let mut stage = Stage::set(&setting, &plan.binaries)?;
    for connections in &plan.connections {
        let heading = Heading {
            title: format!(
                "{mode_word}, {}, {connections} connections, {body} B",
                scenario.word()
            ),
            charged: match mode {
                Mode::Pinned => "core",
                Mode::Unpinned => "machine",
            },
        };
        let rounds = Rounds {
            count: plan.rounds,
            seconds: plan.seconds,
            connections: *connections,
        };
        let outcome = rounds.run(&mut stage, layout)?;
        println!("{}", table(&heading, &outcome));
    }
    for contestant in stage.contestants.into_iter().skip(1) {
        let name = contestant.name.clone();
        println!("{name}: {}.\n", contestant.finish()?);
    }
    Ok(())
}

fn word(mode: Mode) -> String {
    mode.to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
