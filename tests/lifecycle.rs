//! The process: start, stop, exit codes, commands.

mod backup;
mod commands;
mod demo;
mod exit_codes;
mod serve;
