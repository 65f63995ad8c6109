//! Mail: the server that takes it, and the address that it comes from.

use std::fmt;

use gatewright_model::secret::SecretText;
use gatewright_model::text::{Email, Name};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::error::Fault;
use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;

pub(crate) static SMTP_URL: Key = Key {
    name: "smtp-url",
    section: "Mail",
    kind: Kind::SecretUrl,
    fallback: Fallback::Derived("no mail: links are shown to administrators instead"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "The server that takes mail: smtp://USER:PASSWORD@HOST:PORT (STARTTLS) or smtps://…; ?tls=off never encrypts, ?tls=required always does.",
};

pub(crate) static MAIL_FROM: Key = Key {
    name: "mail-from",
    section: "Mail",
    kind: Kind::Text,
    fallback: Fallback::Unset,
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "The address that mail comes from: no-reply@example.com or Example APIs <no-reply@example.com>.",
};

const SMTP_FIX: &str = "give smtp://USER:PASSWORD@HOST:PORT or smtps://USER:PASSWORD@HOST:PORT";

/// How the connection to the server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// From the first byte.
    Implicit,
    /// By STARTTLS; a server that does not offer it gets nothing.
    Required,
    /// By STARTTLS where the server offers it.
    WhenOffered,
    /// Never.
    Off,
}

/// The server that takes mail. Its `Debug` shows no credential.
#[derive(Clone)]
pub struct SmtpServer {
    /// Name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: SmtpEncryption,
    /// User and password, where the server asks for them.
    pub credentials: Option<(String, SecretText)>,
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpServer({}:{})", self.host, self.port)
    }
}

/// Mail: the server that takes it, and the address that it comes from.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// Who takes it.
    pub server: SmtpServer,
    /// The sender's name.
    pub from_name: Option<Name>,
    /// The sender's address.
    pub from: Email,
}

impl MailConfig {
    /// `Some(None)` when no mail is sent.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        match (reader.is_given(&SMTP_URL), reader.is_given(&MAIL_FROM)) {
            (false, false) => Some(None),
            (true, false) => {
                let fix = format!("set {} too, the address that mail comes from", MAIL_FROM.env());
                reader.refuse(&SMTP_URL, Fault::new("comes without a sender", fix));
                None
            }
            (false, true) => {
                let fix = format!("set {} too, the server that takes mail", SMTP_URL.env());
                reader.refuse(&MAIL_FROM, Fault::new("comes without a server", fix));
                None
            }
            (true, true) => {
                let server = reader.read(&SMTP_URL, server);
                let sender = reader.read(&MAIL_FROM, sender);
                let (from_name, from) = sender?;
                Some(Some(Self {
                    server: server?,
                    from_name,
                    from,
                }))
            }
        }
    }
}

fn server(text: &str) -> Result<SmtpServer, Fault> {
    let url = Url::parse(text).map_err(|error| Fault::new(format!("is no URL: {error}"), SMTP_FIX))?;
    let implicit = match url.scheme() {
        "smtp" => false,
        "smtps" => true,
        _ => return Err(Fault::new("is no address of a mail server", SMTP_FIX)),
    };
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| Fault::new("names no host", SMTP_FIX))?;
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err(Fault::new("has more than a host and a port", SMTP_FIX));
    }
    let credentials = credentials(&url)?;
    let encryption = if implicit {
        SmtpEncryption::Implicit
    } else {
        encryption(&url, credentials.is_some())?
    };
    Ok(SmtpServer {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(if implicit { 465 } else { 587 }),
        encryption,
        credentials,
    })
}

fn credentials(url: &Url) -> Result<Option<(String, SecretText)>, Fault> {
    let decoded = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
    };
    let malformed = |_| Fault::new("has a user or a password that is not UTF-8", SMTP_FIX);
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => {
            let fix = "give both a user and a password, or neither";
            Err(Fault::new("has half of the credentials", fix))
        }
        (user, Some(password)) => Ok(Some((
            decoded(user).map_err(malformed)?,
            SecretText::new(decoded(password).map_err(malformed)?),
        ))),
    }
}

/// A password travels encrypted unless the server is this machine or somebody says otherwise.
fn encryption(url: &Url, has_password: bool) -> Result<SmtpEncryption, Fault> {
    let here = match url_host(url) {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.query() {
        None if has_password && !here => Ok(SmtpEncryption::Required),
        None => Ok(SmtpEncryption::WhenOffered),
        Some("tls=required") => Ok(SmtpEncryption::Required),
        Some("tls=off") => Ok(SmtpEncryption::Off),
        Some(_) => {
            let fix = "give ?tls=required, ?tls=off or nothing after the host";
            Err(Fault::new("has an unknown parameter", fix))
        }
    }
}

/// URLs of schemes that browsers do not know keep their host as plain text.
fn url_host(url: &Url) -> Option<Host<String>> {
    Host::parse(url.host_str()?).ok()
}

fn sender(text: &str) -> Result<(Option<Name>, Email), Fault> {
    let fix = "give no-reply@example.com or Example APIs <no-reply@example.com>";
    let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"').trim(), address),
        None => ("", text),
    };
    let from = Email::parse(address).map_err(|invalid| Fault::new(invalid.to_string(), fix))?;
    let name = match name {
        "" => None,
        name => Some(Name::parse(name).map_err(|invalid| Fault::new(invalid.to_string(), fix))?),
    };
    Ok((name, from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_sent_in_the_clear() {
        for (text, port, expected) in [
            ("smtp://u:p@mail.example", 587, SmtpEncryption::Required),
            ("smtp://mail.example:25", 25, SmtpEncryption::WhenOffered),
            ("smtp://u:p@127.0.0.1:1025", 1025, SmtpEncryption::WhenOffered),
            ("smtp://u:p@localhost:1025", 1025, SmtpEncryption::WhenOffered),
            ("smtp://u:p@relay.internal?tls=off", 587, SmtpEncryption::Off),
            ("smtp://relay?tls=required", 587, SmtpEncryption::Required),
            ("smtps://u:p@mail.example", 465, SmtpEncryption::Implicit),
        ] {
            let read = server(text).unwrap();
            assert_eq!((read.port, read.encryption), (port, expected), "{text}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_not_shown() {
        let read = server("smtp://ana%40example.com:hunter2%2F3@mail.example:2525").unwrap();
        let (user, password) = read.credentials.clone().unwrap();
        assert_eq!(
            (user.as_str(), password.expose()),
            ("ana@example.com", "hunter2/3")
        );
        assert_eq!(format!("{read:?}"), "SmtpServer(mail.example:2525)");
    }

    #[test]
    fn what_is_no_mail_server_is_refused() {
        for text in [
            "http://mail.example",
            "mail.example:25",
            "smtp://",
            "smtp://u@mail.example",
            "smtp://:p@mail.example",
            "smtp://mail.example/inbox",
            "smtp://mail.example?tls=maybe",
        ] {
            assert!(server(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sender_has_a_name_or_none() {
        let (name, from) = sender("Example APIs <No-Reply@example.com>").unwrap();
        assert_eq!(name.unwrap().as_str(), "Example APIs");
        assert_eq!(from.as_str(), "no-reply@example.com");
        assert!(sender("no-reply@example.com").unwrap().0.is_none());
        assert!(sender("nobody").is_err() && sender("A <b>").is_err());
    }
}
