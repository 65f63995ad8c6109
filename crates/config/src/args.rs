//! The flags, made from the list of settings.

use std::fmt;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::key::{Fallback, KEYS, Key, Kind, Reach, Scope};
use crate::layers::Given;

/// The flags that every command takes. Flatten it into the command's arguments.
#[derive(Clone, Default)]
pub struct StoreArgs(pub(crate) Given);

/// The flags of the commands that run or examine a server, those of
/// [`StoreArgs`] among them. Flatten it into the command's arguments.
#[derive(Clone, Default)]
pub struct ServeArgs(pub(crate) Given);

fn flags(widest: Scope) -> impl Iterator<Item = &'static Key> {
    let keys = KEYS.iter().copied();
    keys.filter(move |key| {
        key.reach != Reach::EnvironmentOnly && (key.scope == Scope::Every || widest == Scope::Serve)
    })
}

fn augment(command: Command, widest: Scope) -> Command {
    flags(widest).fold(command, |command, key| command.arg(argument(key)))
}

fn argument(key: &'static Key) -> Arg {
    let argument = Arg::new(key.name)
        .long(key.name)
        .value_name(key.kind.placeholder())
        .help(help(key))
        .help_heading(key.section);
    match key.kind {
        Kind::Switch => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::List(_) => argument.action(ArgAction::Append),
        _ => argument,
    }
}

/// Current values are never shown: some of them are secrets.
fn help(key: &Key) -> String {
    let words = match key.kind {
        Kind::Choice(words) => format!(" [{}]", words.join("|")),
        _ => String::new(),
    };
    let default = match key.fallback {
        Fallback::Value(value) | Fallback::Derived(value) => format!(" [default: {value}]"),
        Fallback::Unset => String::new(),
    };
    format!("{}{words}{default} [env: {}]", key.doc, key.env()).replace('`', "")
}

fn collect(matches: &ArgMatches, widest: Scope) -> Result<Given, clap::Error> {
    let mut given = Given::new();
    for key in flags(widest) {
        let values = matches
            .try_get_many::<String>(key.name)
            .map_err(|error| clap::Error::raw(ErrorKind::InvalidValue, error))?;
        if let Some(values) = values {
            given.insert(key.name, values.cloned().collect());
        }
    }
    Ok(given)
}

impl FromArgMatches for StoreArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        collect(matches, Scope::Every).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(collect(matches, Scope::Every)?);
        Ok(())
    }
}

impl Args for StoreArgs {
    fn augment_args(command: Command) -> Command {
        augment(command, Scope::Every)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ServeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        collect(matches, Scope::Serve).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(collect(matches, Scope::Serve)?);
        Ok(())
    }
}

impl Args for ServeArgs {
    fn augment_args(command: Command) -> Command {
        augment(command, Scope::Serve)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl fmt::Debug for StoreArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for ServeArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::exit::{Exit, exit_of_clap};

    #[derive(Debug, Parser)]
    enum Cli {
        Serve(#[command(flatten)] ServeArgs),
        Migrate(#[command(flatten)] StoreArgs),
    }

    fn serve(args: &[&str]) -> Given {
        let all = ["gatewright", "serve"].iter().chain(args);
        match Cli::try_parse_from(all).unwrap() {
            Cli::Serve(args) => args.0,
            Cli::Migrate(_) => panic!("another command"),
        }
    }

    #[test]
    fn lists_repeat_and_switches_stand_alone() {
        let given = serve(&[
            "--fetch-allow",
            "10.0.0.0/8",
            "--fetch-allow=::1/128",
            "--migrate",
            "--workers=2",
        ]);
        assert_eq!(given["fetch-allow"], ["10.0.0.0/8", "::1/128"]);
        assert_eq!(given["migrate"], ["true"]);
        assert_eq!(given["workers"], ["2"]);
        assert!(!given.contains_key("redis-url"));
    }

    #[test]
    fn other_commands_take_the_store_flags_alone() {
        let parsed = Cli::try_parse_from(["gatewright", "migrate", "--data-dir", "d"]).unwrap();
        let Cli::Migrate(args) = parsed else {
            panic!("another command")
        };
        assert_eq!(args.0["data-dir"], ["d"]);
        let error = Cli::try_parse_from(["gatewright", "migrate", "--portal-listen", "x"]).unwrap_err();
        assert_eq!(exit_of_clap(&error), Exit::Usage);
    }

    #[test]
    fn help_names_the_variable_and_is_no_error() {
        let error = Cli::try_parse_from(["gatewright", "serve", "--help"]).unwrap_err();
        assert_eq!(exit_of_clap(&error), Exit::Success);
        let help = error.to_string();
        assert!(
            help.contains("--gateway-listen <IP:PORT>") && help.contains("GATEWRIGHT_GATEWAY_LISTEN"),
            "{help}"
        );
        assert!(
            !help.contains("GATEWRIGHT_MASTER_KEY]") && !help.contains("--admin-password"),
            "{help}"
        );
    }
}
