//! The program: its commands, and the composition root that puts the parts
//! together. It decides nothing about APIs, plans or calls; it reads the
//! configuration, opens what the parts need, hands it to them, and ends them
//! in order.
//!
//! Start reading in [`cli`] (what can be asked for), then [`serve`] (how a
//! server starts and ends), then [`wiring`] (how the gateway's traits stand on
//! the store).

mod cli;
mod commands;
mod demo;
mod failure;
mod log;
mod output;
mod sample;
mod schema;
mod serve;
mod status;
mod store_slot;
mod wiring;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keep_pages_small();
    let exit = match cli::read() {
        Ok(command) => commands::run(command).unwrap_or_else(|failure| failure.tell()),
        Err(exit) => exit,
    };
    exit.into()
}

/// With huge pages a process holds all 2 MB as soon as it touches one byte: an
/// idle process held 36 MB with them and 12 MB without. The allocator does not
/// ask for them, and the kernel is told not to give them unasked. Where it does
/// not know the question, it does not give such pages either.
fn keep_pages_small() {
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).ok();
}
