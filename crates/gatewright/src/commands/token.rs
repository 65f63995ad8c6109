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
    if args.expires_at.is_some_and(|end| end <= control.now()) {
        return Err(Failure::usage(
            "--expires-at is over already; fix: give a time that is yet to come",
        ));
    }
    let made = control
        .create_token_for(&args.tenant, &args.user, args.name, args.scope, args.expires_at)
        .await;
    let token = made.map_err(|error| match error {
        gatewright_control::Error::NotFound { kind: "tenant" } => {
            Failure::usage(format!("there is no tenant {}; fix: check --tenant", args.tenant))
        }
        gatewright_control::Error::NotFound { .. } => Failure::usage(format!(
            "nobody in tenant {} has the address {}; fix: check --user and --tenant",
            args.tenant, args.user
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
