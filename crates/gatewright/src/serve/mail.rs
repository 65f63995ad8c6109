//! Mail, as the configuration says it.

use std::sync::Arc;

use gatewright_config::{MailConfig, SmtpEncryption};
use gatewright_control::Control;
use gatewright_control::error::with_causes;
use gatewright_worker::mail::Encryption;
use gatewright_worker::{MailSettings, Mailer};

use crate::failure::Failure;
use crate::serve::foundation::Foundation;

/// Delivers mail in this process, where a server for it is named.
///
/// # Errors
/// 64 when the settings can never work.
pub(crate) fn deliver(control: &Control, base: &Foundation) -> Result<(), Failure> {
    let Some(config) = base.config.mail.clone() else {
        return Ok(());
    };
    let mailer = Mailer::new(control.clone(), settings(config), Arc::clone(&base.entropy));
    let mailer = mailer.map_err(|error| {
        Failure::usage(format!(
            "mail cannot be sent: {}; fix: correct --smtp-url and --mail-from",
            with_causes(&error)
        ))
    })?;
    base.tasks.spawn(mailer.run(base.draining.clone()));
    Ok(())
}

fn settings(config: MailConfig) -> MailSettings {
    let server = config.server;
    MailSettings {
        host: server.host,
        port: server.port,
        encryption: match server.encryption {
            SmtpEncryption::Implicit => Encryption::Implicit,
            SmtpEncryption::Required => Encryption::Required,
            SmtpEncryption::WhenOffered => Encryption::WhenOffered,
            SmtpEncryption::Off => Encryption::Off,
        },
        credentials: server.credentials,
        from_name: config.from_name,
        from: config.from,
    }
}
