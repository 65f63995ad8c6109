//! The commands: one file for each subject.

mod admin;
mod api;
mod archive;
mod diff;
mod doctor;
mod migrate;
pub(crate) mod session;
mod token;

use std::future::Future;

use gatewright_config::{Config, Environment, Exit, ServeArgs};

use crate::cli::{AdminCommand, ApiCommand, Command, TokenCommand};
use crate::failure::Failure;
use crate::{demo, log, output, serve};

/// Does what was asked for.
///
/// # Errors
/// What to tell, and the code to end with.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    match command {
        Command::Serve(args) => {
            let config = server_config(&args.serve, &environment)?;
            let load = || Config::load(&args.serve, &environment);
            let start = if args.take_over {
                serve::Start::TakeOver
            } else {
                serve::Start::Anew
            };
            block_on(serve::run(config, serve::Content::Own, start, &load))
        }
        Command::Demo(args) => {
            let config = server_config(&args.serve, &environment)?;
            if args.remove {
                block_on(demo::remove(&config))
            } else {
                let load = || Config::load(&args.serve, &environment);
                block_on(serve::run(
                    demo::with_admin(config)?,
                    serve::Content::Demo,
                    serve::Start::Anew,
                    &load,
                ))
            }
        }
        Command::Doctor(args) => {
            let config = server_config(&args, &environment)?;
            block_on(doctor::run(&config))
        }
        Command::Migrate(args) => block_on(migrate::run(&args, &environment)),
        Command::Admin(AdminCommand::Create(args)) => block_on(admin::create(&args, &environment)),
        Command::Token(TokenCommand::Create(args)) => block_on(token::create(args, &environment)),
        Command::Api(ApiCommand::Import(args)) => block_on(api::import(args, &environment)),
        Command::Api(ApiCommand::Lint(args)) => block_on(api::lint(&args, &environment)),
        Command::Api(ApiCommand::Diff(args)) => block_on(diff::run(&args, &environment)),
        Command::Backup(args) => block_on(archive::backup(&args, &environment)),
        Command::Restore(args) => block_on(archive::restore(&args, &environment)),
        Command::Openapi => {
            output::line(&gatewright_management::openapi())?;
            Ok(Exit::Success)
        }
    }
}

fn server_config(args: &ServeArgs, environment: &Environment) -> Result<Config, Failure> {
    let config = Config::load(args, environment)?;
    log::start(&config.store.log, &config.store.warnings)?;
    Ok(config)
}

/// Runs a command on the runtime of everything but the gateway's workers,
/// which have their own.
fn block_on(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("control")
        .build()
        .map_err(|error| Failure::finding(format!("the system gives no threads: {error}")))?;
    let outcome = runtime.block_on(Box::pin(work));
    // Whatever still blocks has had its time to drain.
    runtime.shutdown_background();
    outcome
}
