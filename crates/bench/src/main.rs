//! The benchmark harness: what a call through the gateway costs, as a ratio to
//! nginx in the same run.
//!
//! It knows the gateway and the programs that it is compared with; it knows no
//! store, no use case and no page, because a call needs none of them. What a
//! call costs it does not say in absolute terms: a figure of one machine on one
//! day holds only beside the figure of nginx in the same round
//! (`docs/benchmarks.md`). [`scale`] is the exception: it holds the product as
//! a whole, from outside, against bars in milliseconds and megabytes.
//!
//! Start reading in [`gateway`] (what is measured), then [`workload`] (what is
//! asked), [`under_test`] (our side) and [`nginx`] (the other side).
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tables on stdout and progress on stderr are what the harness is for"
)]

mod child;
mod environment;
mod gateway;
mod nginx;
mod profile;
mod report;
mod rounds;
mod scale;
mod stage;
mod statistics;
mod under_test;
mod usage;
mod workload;
mod wrk;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "gatewright-bench", about = "Benchmarks of Gatewright")]
struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Calls through the gateway against calls through nginx
    Gateway(gateway::Options),
    /// The product with much in its store: memory, start, publishing, pages
    Scale(scale::Options),
    /// Where the gateway spends its time
    Profile(profile::Options),
    /// The gateway that the other commands start
    #[command(hide = true)]
    GatewayUnderTest(under_test::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().benchmark {
        Benchmark::Gateway(options) => gateway::run(&options),
        Benchmark::Scale(options) => scale::run(&options),
        Benchmark::Profile(options) => profile::run(&options),
        Benchmark::GatewayUnderTest(options) => under_test::run(&options),
    }
}
