//! The tasks of this repository: `cargo xtask check|tidy|gen|bench`.
//!
//! It knows the shape of the house (crate walls, names, sizes) and which files
//! are generated from which crate. Start reading in [`tidy`].
#![expect(clippy::print_stdout, reason = "the output of a task is what it is for")]

mod bench;
mod cargo;
mod generate;
mod tidy;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this repository")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format, lints and tidy: what has to hold before a commit
    Check,
    /// The rules that no compiler checks: crate walls, names, sizes, leftovers
    Tidy,
    /// Write the generated documents; with --check only say which are stale
    Gen {
        /// Change nothing; end with 1 when a document is stale
        #[arg(long)]
        check: bool,
    },
    /// Run a benchmark of crates/bench with the release profile
    Bench {
        /// Passed on to the harness
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let root = tree::root()?;
    let clean = match Arguments::parse().task {
        Task::Check => check(&root)?,
        Task::Tidy => tidy::run(&root)?,
        Task::Gen { check } => generate::run(
            &root,
            if check {
                generate::Mode::Check
            } else {
                generate::Mode::Write
            },
        )?,
        Task::Bench { arguments } => bench::run(&root, &arguments)?,
    };
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn check(root: &std::path::Path) -> anyhow::Result<bool> {
    let format = cargo::run(root, &["fmt", "--all", "--", "--check"])?;
    let lints = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        "gatewright-xtask/documents",
        "--",
        "-D",
        "warnings",
    ];
    let lints = cargo::run(root, &lints)?;
    Ok(tidy::run(root)? && format && lints)
}
