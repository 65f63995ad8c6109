//! The administrator of the demo, when the environment names none: made up
//! once and kept in the data directory, readable by its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use gatewright_config::{Config, FirstAdmin};
use gatewright_model::secret::SecretText;
use gatewright_model::text::Email;
use gatewright_model::time::{Entropy, SystemEntropy};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

const FILE: &str = "admin.json";
const EMAIL: &str = "admin@example.com";
/// A data directory with this file has served before: it has its administrator.
const SERVED: &str = "node_id";

#[derive(Serialize, Deserialize)]
struct Account {
    email: String,
    password: String,
}

/// The configuration with an administrator in it.
///
/// # Errors
/// When the file in the data directory cannot be read or written.
pub(crate) fn with_admin(mut config: Config) -> Result<Config, Failure> {
    if config.first_admin.is_none() {
        config.first_admin = account(&config.store.data_dir, &SystemEntropy)?;
    }
    Ok(config)
}

fn account(data_dir: &Path, entropy: &dyn Entropy) -> Result<Option<FirstAdmin>, Failure> {
    let path = data_dir.join(FILE);
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "the file {path:?} cannot be used: {error}; fix: remove it, or set GATEWRIGHT_ADMIN_EMAIL and GATEWRIGHT_ADMIN_PASSWORD"
        ))
    };
    let account = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str::<Account>(&text).map_err(|error| unusable(&error))?,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if data_dir.join(SERVED).exists() {
                return Ok(None);
            }
            let account = make(entropy);
            write(&path, &account).map_err(|error| unusable(&error))?;
            tracing::info!(file = ?path, "made up an administrator for the demo: e-mail and password are in the file");
            account
        }
        Err(error) => return Err(unusable(&error)),
    };
    let email = Email::parse(&account.email).map_err(|invalid| unusable(&invalid))?;
    Ok(Some(FirstAdmin {
        email,
        password: SecretText::new(account.password),
    }))
}

/// 16 random bytes in hexadecimal are 32 characters: nobody guesses them.
fn make(entropy: &dyn Entropy) -> Account {
    let mut random = [0_u8; 16];
    entropy.fill(&mut random);
    Account {
        email: EMAIL.to_owned(),
        password: format!("{:032x}", u128::from_be_bytes(random)),
    }
}

fn write(path: &Path, account: &Account) -> std::io::Result<()> {
    if let Some(home) = path.parent() {
        fs::create_dir_all(home)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(serde_json::to_string_pretty(account)?.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_account_is_made_once_and_closed_to_others() {
        let home = tempfile::tempdir().unwrap();
        let first = account(home.path(), &SystemEntropy).unwrap().unwrap();
        let again = account(home.path(), &SystemEntropy).unwrap().unwrap();
        assert_eq!(first.password.expose(), again.password.expose());
        assert_eq!(first.password.expose().len(), 32);
        let mode = fs::metadata(home.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_directory_that_has_served_keeps_its_own_administrator() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(SERVED), "").unwrap();
        assert!(account(home.path(), &SystemEntropy).unwrap().is_none());
        assert!(!home.path().join(FILE).exists());
    }
}
