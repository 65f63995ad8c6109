//! `token create`: a token of the management API from the command line.

use gatewright_config::{Environment, Exit};
use serde_json::json;

use crate::cli::TokenCreateArgs;
use crate::commands::session::{Session, configure};
use crate::failure::Failure;
use crate::output;

/// Runs the command.
pub(crate) async fn create(args: TokenCreateArgs, environment: &Environment) -> Result<Exit, Failure> {
    let config = configure(&args.store, environment)?;
    let session = Session::open(&config).await?;
    let control = &session.control;
    let made = control
        .create_token_for(&args.tenant, &args.user, args.name, args.scope, args.expires_at)
        .await;
    let token = made.map_err(|error| match error {
        gatewright_control::Error::NotFound { kind } => Failure::usage(format!(
            "there is no such {kind}: {} in tenant {}; fix: check --user and --tenant",
            args.user, args.tenant
        )),
        other => other.into(),
    })?;
    output::print(
        session.output,
        token.expose(),
        &json!({ "token": token.expose() }),
    )?;
    session.close().await;
    Ok(Exit::Success)
}
