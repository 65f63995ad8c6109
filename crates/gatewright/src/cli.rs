//! The command line. Settings that are shared with the environment and the
//! file are declared in the configuration crate; here stand the commands and
//! what belongs to one of them alone.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use gatewright_config::{Exit, ServeArgs, StoreArgs, exit_of_clap};
use gatewright_model::permission::Permission;
use gatewright_model::text::{ContextPath, Email, Name, Slug, VersionLabel};
use gatewright_model::time::Timestamp;
use url::Url;

#[derive(Debug, Parser)]
#[command(
    name = "gatewright",
    version,
    about = "API management in one program: gateway, management API and portal",
    after_help = "Exit codes: 0 done, 1 findings, 64 usage or configuration, 69 store out of reach, 73 address or data directory taken."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server: every role in one process, or some of them
    Serve(StartArgs),
    /// Run the server with the sample shop in it
    Demo(DemoArgs),
    /// Apply pending migrations
    Migrate(MigrateArgs),
    /// Check configuration, stores, ports, clock and keys, and say how to mend what is wrong
    Doctor(ServeArgs),
    /// Administrators
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Tokens of the management API
    #[command(subcommand)]
    Token(TokenCommand),
    /// Tools for OpenAPI documents
    #[command(subcommand)]
    Api(ApiCommand),
    /// Write a portable archive of the control store
    Backup(ArchiveArgs),
    /// Read an archive into an empty store of either kind
    Restore(ArchiveArgs),
    /// Print the OpenAPI description of the management API
    #[command(hide = true)]
    Openapi,
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Take over from the process that serves this data directory, without losing a connection
    #[arg(long)]
    pub(crate) take_over: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Take the sample data out again and end
    #[arg(long)]
    pub(crate) remove: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Only list what is pending
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Make a platform administrator; the password comes from a file, GATEWRIGHT_ADMIN_PASSWORD or standard input
    Create(AdminCreateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AdminCreateArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The address to sign in with
    #[arg(long)]
    pub(crate) email: Email,
    /// A file whose first line is the password
    #[arg(long, value_name = "PATH")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token of a user and print it; it is not shown again
    Create(TokenCreateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Whose token it is
    #[arg(long, value_name = "EMAIL")]
    pub(crate) user: Email,
    /// What it is for
    #[arg(long)]
    pub(crate) name: Name,
    /// Narrows the token; repeatable. Without it the token has all rights of the user
    #[arg(long, value_name = "PERMISSION", value_delimiter = ',')]
    pub(crate) scope: Vec<Permission>,
    /// The tenant of the user
    #[arg(long, value_name = "SLUG", default_value = "default")]
    pub(crate) tenant: Slug,
    /// When it stops by itself, as in 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<Timestamp>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiCommand {
    /// Import an OpenAPI document as a new API
    Import(ImportArgs),
    /// Say what is wrong with an OpenAPI document; ends with 1 when something is
    Lint(LintArgs),
    /// Say what an OpenAPI document changes for those who call an API; ends with 1 when calls break
    Diff(DiffArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The document, JSON or YAML; `-` reads standard input
    pub(crate) file: PathBuf,
    /// The name; the document's title by default
    #[arg(long)]
    pub(crate) name: Option<Name>,
    /// The slug; made of the name by default
    #[arg(long)]
    pub(crate) slug: Option<Slug>,
    /// Where it stands at the gateway; `/{slug}` by default
    #[arg(long, value_name = "PATH")]
    pub(crate) context_path: Option<ContextPath>,
    /// Where its calls go; the document's first server by default
    #[arg(long, value_name = "URL")]
    pub(crate) upstream_url: Option<Url>,
    /// The team that owns it, by slug
    #[arg(long, value_name = "SLUG")]
    pub(crate) team: Option<Slug>,
    /// Only say what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The document, JSON or YAML; `-` reads standard input
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The new document, JSON or YAML; `-` reads standard input
    pub(crate) file: PathBuf,
    /// Compare with this document instead of a published one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["api", "label"])]
    pub(crate) against: Option<PathBuf>,
    /// Compare with this API; by default the one that the document's title names
    #[arg(long, value_name = "SLUG")]
    pub(crate) api: Option<Slug>,
    /// Compare with this version; by default the newest published one
    #[arg(long = "version", value_name = "LABEL")]
    pub(crate) label: Option<VersionLabel>,
}

#[derive(Debug, Args)]
pub(crate) struct ArchiveArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The archive
    pub(crate) file: PathBuf,
}

/// Reads the command line. What the parser has to say, help included, is
/// printed here.
///
/// # Errors
/// The code to end with.
pub(crate) fn read() -> Result<Command, Exit> {
    Cli::try_parse().map(|cli| cli.command).map_err(|error| {
        let exit = exit_of_clap(&error);
        // Nobody is left to tell when the terminal is gone.
        if error.print().is_err() { Exit::Usage } else { exit }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_token_has_a_user_and_a_name() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        let full = "gatewright token create --user ana@example.com --name ci --scope apis:read,usage:read --scope calls:read";
        let Ok(Cli {
            command: Command::Token(TokenCommand::Create(args)),
        }) = parse(full)
        else {
            panic!("is a token command");
        };
        assert_eq!(
            args.scope,
            [Permission::ApisRead, Permission::UsageRead, Permission::CallsRead]
        );
        assert_eq!(args.tenant.as_str(), "default");
        for wrong in [
            "gatewright token create --user nobody --name ci",
            "gatewright token create --user ana@example.com",
            "gatewright token create --user ana@example.com --name ci --scope everything",
            "gatewright admin create --email ana@example.com --password secret",
        ] {
            assert_eq!(exit_of_clap(&parse(wrong).unwrap_err()), Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn help_lists_what_is_built() {
        let help = Cli::command().render_help().to_string();
        for command in [
            "serve", "demo", "migrate", "doctor", "admin", "token", "api", "backup", "restore",
        ] {
            assert!(help.contains(&format!("  {command} ")), "{command} in {help}");
        }
        assert!(!help.contains("openapi ") && !help.contains("apply"), "{help}");
    }
}
