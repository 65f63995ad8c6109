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
mod memory;
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
    memory::keep_pages_small();
    let exit = match cli::read() {
        Ok(command) => commands::run(command).unwrap_or_else(|failure| failure.tell()),
        Err(exit) => exit,
    };
    exit.into()
}
