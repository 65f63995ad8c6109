//! `admin create`: a platform administrator from the command line.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use gatewright_config::{Environment, Exit, FirstAdmin};
use gatewright_control::passwords::Password;
use gatewright_model::secret::SecretText;
use serde_json::json;

use crate::cli::AdminCreateArgs;
use crate::commands::session::{Session, configure};
use crate::failure::Failure;
use crate::output;

/// A password has at most 256 characters, a character four bytes.
const MAX_LINE_BYTES: usize = 1_100;

/// Runs the command.
pub(crate) async fn create(args: &AdminCreateArgs, environment: &Environment) -> Result<Exit, Failure> {
    let config = configure(&args.store, environment)?;
    let password = password(args.password_file.as_deref(), environment)?;
    let password = Password::parse(password.expose())
        .map_err(|invalid| Failure::usage(format!("the password {invalid}; fix: choose another one")))?;
    let session = Session::open(&config).await?;
    let user = session.control.create_admin(args.email.clone(), password).await?;
    let text = format!("{} may do everything now", user.email);
    output::print(
        session.output,
        &text,
        &json!({ "id": user.id, "email": user.email }),
    )?;
    session.close().await;
    Ok(Exit::Success)
}

/// From the file, else from the environment, else from standard input.
fn password(file: Option<&Path>, environment: &Environment) -> Result<SecretText, Failure> {
    if let Some(path) = file {
        let opened = std::fs::File::open(path);
        let file = opened
            .map_err(|error| Failure::usage(format!("the password file {path:?} cannot be read: {error}")))?;
        return first_line(&mut std::io::BufReader::new(file));
    }
    if let Some(password) = FirstAdmin::password_in(environment) {
        return Ok(password);
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return first_line(&mut stdin.lock());
    }
    ask("Password: ")?;
    echo("-echo");
    let line = first_line(&mut stdin.lock());
    echo("echo");
    ask("\n")?;
    line
}

fn ask(text: &str) -> Result<(), Failure> {
    let mut stderr = std::io::stderr().lock();
    let asked = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    asked.map_err(|error| Failure::finding(format!("the terminal cannot be written to: {error}")))
}

/// Switches the echo of the terminal. Without `stty` the password is seen while it is typed.
fn echo(mode: &str) {
    let switched = Command::new("stty").arg(mode).stdin(Stdio::inherit()).status();
    if let Err(error) = switched {
        tracing::debug!(%error, "the echo of the terminal could not be switched");
    }
}

fn first_line(source: &mut dyn BufRead) -> Result<SecretText, Failure> {
    let mut line = Vec::with_capacity(MAX_LINE_BYTES);
    let mut bounded = std::io::Read::take(source, MAX_LINE_BYTES as u64);
    bounded
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::usage(format!("the password cannot be read: {error}")))?;
    let text = String::from_utf8(line).map_err(|_| Failure::usage("the password is not UTF-8"))?;
    let password = text.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        return Err(Failure::usage(
            "no password was given; fix: use --password-file, GATEWRIGHT_ADMIN_PASSWORD, or type it",
        ));
    }
    Ok(SecretText::new(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_first_line() {
        let read = |text: &[u8]| first_line(&mut &text[..]).map(|secret| secret.expose().to_owned());
        assert_eq!(read(b"correct horse \r\nsecond").unwrap(), "correct horse ");
        assert_eq!(read(b"no newline").unwrap(), "no newline");
        for wrong in [&b""[..], b"\nsecond", b"\xff\n"] {
            assert!(read(wrong).is_err());
        }
    }

    #[test]
    fn the_file_wins_over_the_environment() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("password");
        std::fs::write(&path, "from the file\n").unwrap();
        let environment = Environment::from_pairs([("GATEWRIGHT_ADMIN_PASSWORD", "from the environment")]);
        assert_eq!(
            password(Some(&path), &environment).unwrap().expose(),
            "from the file"
        );
        assert_eq!(
            password(None, &environment).unwrap().expose(),
            "from the environment"
        );
        assert!(password(Some(&home.path().join("nothing")), &environment).is_err());
    }
}
