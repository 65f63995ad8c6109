//! `scale`: what the product does with much in its store, against the bars of
//! its design: memory and start of a gateway, how soon a change is everywhere,
//! and how long pages take.
//!
//! The store is filled through `gatewright restore`, with an archive that is
//! made of what a small installation wrote: both databases are filled alike,
//! and no row has a form that the product does not write itself.

mod archive;
mod figures;
mod fill;
mod memory;
mod pages;
mod publish;
mod seed;
mod stores;
mod traffic;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::environment;
use figures::Figures;
use fill::Size;
use stores::{Filled, Kind};

/// What is measured and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The build of gatewright that is measured [default: the one beside this program]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// What is measured
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "memory,publish,pages"
    )]
    parts: Vec<Part>,
    /// On which databases pages are measured
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    stores: Vec<Kind>,
    /// How many keys the gateways of `memory` know
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000")]
    keys: Vec<u32>,
    /// How often each kind of page is asked for
    #[arg(long, default_value_t = 40)]
    visits: usize,
    /// How many changes are published
    #[arg(long, default_value_t = 100)]
    changes: usize,
    /// Only kinds of pages whose route begins so
    #[arg(long, default_value = "")]
    only: String,
    /// Where archives are kept, so that the next run need not make them again
    #[arg(long)]
    keep: Option<PathBuf>,
    /// A store that is filled already, in place of a new one: the address of a Postgres
    /// database, or a data directory, of which a copy is used
    #[arg(long)]
    filled: Option<String>,
    /// Serve the filled store until Enter is pressed, and measure nothing
    #[arg(long)]
    serve: bool,
    /// A little of everything, to see that it works: its figures mean nothing
    #[arg(long)]
    quick: bool,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Memory of a gateway, and how soon it serves from disk
    Memory,
    /// How soon a change is on three nodes, and what it does to calls
    Publish,
    /// How long the server takes for every kind of page
    Pages,
}

/// Measures and prints the table.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let binary = options.binary()?;
    println!("{}\n", environment::describe());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()?;
    let mut figures = Figures::default();
    for part in &options.parts {
        match part {
            Part::Memory => {
                for keys in &options.keys {
                    let keys = options.few(*keys);
                    let size = Size {
                        apis: options.few(1_000),
                        keys,
                        calls: 0,
                        audit: 0,
                    };
                    let filled = options.filled(&binary, Kind::Postgres, size, &runtime)?;
                    runtime.block_on(memory::measure(filled, &mut figures))?;
                }
            }
            Part::Publish => {
                let size = Size {
                    apis: options.few(10_000),
                    keys: options.few(100_000),
                    calls: 0,
                    audit: 0,
                };
                let filled = options.filled(&binary, Kind::Postgres, size, &runtime)?;
                runtime.block_on(publish::measure(filled, options.changes, &mut figures))?;
            }
            Part::Pages => {
                for kind in &options.stores {
                    let size = Size {
                        apis: options.few(10_000),
                        keys: options.few(100_000),
                        calls: options.few(1_000_000),
                        audit: options.few(200_000),
                    };
                    let filled = options.filled(&binary, *kind, size, &runtime)?;
                    let visits = pages::Visits {
                        each: options.visits,
                        only: options.only.clone(),
                        serve: options.serve,
                    };
                    runtime.block_on(pages::measure(&filled, &visits, &mut figures))?;
                }
            }
        }
    }
    print!("{}", figures.table());
    Ok(())
}

impl Options {
    fn few(&self, full: u32) -> u32 {
        if self.quick { (full / 100).max(20) } else { full }
    }

    fn binary(&self) -> anyhow::Result<PathBuf> {
        let beside = || {
            let own = std::env::current_exe()?;
            let dir = own.parent().context("this program lies in no directory")?;
            Ok::<_, anyhow::Error>(dir.join("gatewright"))
        };
        let binary = self.binary.clone().map_or_else(beside, Ok)?;
        if !binary.is_file() {
            bail!("{} is not there; build it first", binary.display());
        }
        Ok(binary.canonicalize()?)
    }

    fn filled(
        &self,
        binary: &std::path::Path,
        kind: Kind,
        size: Size,
        runtime: &tokio::runtime::Runtime,
    ) -> anyhow::Result<Filled> {
        if let Some(known) = &self.filled {
            return Filled::known(binary, size, known);
        }
        let archive = stores::archive(binary, size, self.keep.as_deref(), runtime)?;
        Filled::restore(binary, kind, size, archive)
    }
}
