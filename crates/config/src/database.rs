//! Where state lives: the data directory, the control store, and Redis.

use std::fmt;
use std::path::{Path, PathBuf};

use gatewright_model::secret::SecretText;
use url::Url;

use crate::error::Fault;
use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;

pub(crate) static DATA_DIR: Key = Key {
    name: "data-dir",
    section: "Files and stores",
    kind: Kind::Path,
    fallback: Fallback::Value("./gatewright-data"),
    scope: Scope::Every,
    reach: Reach::Everywhere,
    doc: "The directory of this process's own files; one server at a time uses it.",
};

pub(crate) static DATABASE_URL: Key = Key {
    name: "database-url",
    section: "Files and stores",
    kind: Kind::SecretUrl,
    fallback: Fallback::Derived("SQLite in the data directory"),
    scope: Scope::Every,
    reach: Reach::Everywhere,
    doc: "The control store: sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE.",
};

pub(crate) static REDIS_URL: Key = Key {
    name: "redis-url",
    section: "Files and stores",
    kind: Kind::SecretUrl,
    fallback: Fallback::Unset,
    scope: Scope::Every,
    reach: Reach::Everywhere,
    doc: "Redis for limits and change notices shared by several processes; without it the control store keeps the limits.",
};

pub(crate) static MIGRATE: Key = Key {
    name: "migrate",
    section: "Files and stores",
    kind: Kind::Switch,
    fallback: Fallback::Unset,
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Apply pending migrations to a Postgres that already holds data; otherwise the start is refused.",
};

/// A connection URL that may carry a password: only scheme, host and path are ever printed.
#[derive(Clone)]
pub struct SecretUrl {
    whole: SecretText,
    shown: String,
}

impl SecretUrl {
    fn new(url: &Url) -> Self {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!(
            "{}://{}{port}{}",
            url.scheme(),
            url.host_str().unwrap_or_default(),
            url.path()
        );
        Self {
            whole: SecretText::new(url.as_str().to_owned()),
            shown,
        }
    }

    /// The URL with its credentials, for the driver alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.whole.expose()
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The control store.
#[derive(Debug, Clone)]
pub enum DatabaseTarget {
    /// Two SQLite files in one directory.
    Sqlite {
        /// Entities, credentials, audit.
        control: PathBuf,
        /// Call records and rollups.
        traffic: PathBuf,
    },
    /// A Postgres database.
    Postgres(SecretUrl),
}

impl DatabaseTarget {
    /// Whether the store lives in files of this machine.
    #[must_use]
    pub const fn is_embedded(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }

    fn in_directory(directory: &Path) -> Self {
        Self::Sqlite {
            control: directory.join("control.db"),
            traffic: directory.join("traffic.db"),
        }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        const FIX: &str = "give sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Self::sqlite(path.strip_prefix("//").unwrap_or(path));
        }
        let url = Url::parse(text).map_err(|error| Fault::new(format!("is no URL: {error}"), FIX))?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(Self::Postgres(SecretUrl::new(&url))),
            other => Err(Fault::new(format!("names the unknown store {other:?}"), FIX)),
        }
    }

    fn sqlite(path: &str) -> Result<Self, Fault> {
        let fix = "give the path of a file, for example sqlite:///var/lib/gatewright/control.db";
        if path.contains('?') || path.contains(":memory:") {
            return Err(Fault::new("is not the plain path of a SQLite file", fix));
        }
        let control = PathBuf::from(path);
        let Some(name) = control.file_name().and_then(|name| name.to_str()) else {
            return Err(Fault::new("names no SQLite file", fix));
        };
        // Another name than the usual keeps its traffic file apart, so that two stores fit one directory.
        let traffic = if name == "control.db" {
            "traffic.db".to_owned()
        } else {
            format!("{}-traffic.db", name.strip_suffix(".db").unwrap_or(name))
        };
        Ok(Self::Sqlite {
            traffic: control.with_file_name(traffic),
            control,
        })
    }

    pub(crate) fn read(reader: &mut Reader<'_>, data_dir: &Path) -> Option<Self> {
        if reader.is_given(&DATABASE_URL) {
            reader.read(&DATABASE_URL, Self::parse)
        } else {
            Some(Self::in_directory(data_dir))
        }
    }
}

/// Reads the address of Redis. `Some(None)` when there is none.
pub(crate) fn read_redis(reader: &mut Reader<'_>) -> Option<Option<SecretUrl>> {
    if reader.is_given(&REDIS_URL) {
        reader.read(&REDIS_URL, parse_redis).map(Some)
    } else {
        Some(None)
    }
}

fn parse_redis(text: &str) -> Result<SecretUrl, Fault> {
    const FIX: &str = "give redis://HOST:PORT or rediss://:PASSWORD@HOST:PORT/0";
    let url = Url::parse(text).map_err(|error| Fault::new(format!("is no URL: {error}"), FIX))?;
    let known = matches!(url.scheme(), "redis" | "rediss" | "redis+unix" | "unix");
    let network = url.scheme().starts_with("redis") && url.scheme() != "redis+unix";
    if !known {
        return Err(Fault::new("is no Redis address", FIX));
    }
    if network && url.host_str().is_none_or(str::is_empty) {
        return Err(Fault::new("names no host", FIX));
    }
    Ok(SecretUrl::new(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_paths_name_both_files() {
        for (text, control, traffic) in [
            ("sqlite:///v/control.db", "/v/control.db", "/v/traffic.db"),
            ("sqlite://d/shop.db", "d/shop.db", "d/shop-traffic.db"),
            ("sqlite:x", "x", "x-traffic.db"),
        ] {
            let DatabaseTarget::Sqlite {
                control: c,
                traffic: t,
            } = DatabaseTarget::parse(text).unwrap()
            else {
                panic!("{text} is SQLite");
            };
            assert_eq!((c.to_str(), t.to_str()), (Some(control), Some(traffic)));
        }
        for text in [
            "sqlite::memory:",
            "sqlite://",
            "sqlite://a.db?mode=ro",
            "mysql://u:hunter2@h/d",
            "nonsense",
        ] {
            let fault = DatabaseTarget::parse(text).unwrap_err();
            assert!(!fault.problem.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn credentials_reach_the_driver_and_nothing_else() {
        let target = DatabaseTarget::parse("postgres://ana:hunter2@db:5433/gw?password=hunter3").unwrap();
        let shown = format!("{target:?}");
        assert_eq!(shown, "Postgres(postgres://db:5433/gw)");
        let DatabaseTarget::Postgres(url) = target else {
            panic!("is Postgres")
        };
        assert!(url.expose().contains("ana:hunter2@") && url.expose().contains("hunter3"));
        assert_eq!(
            parse_redis("rediss://:hunter2@cache/1").unwrap().to_string(),
            "rediss://cache/1"
        );
        assert!(parse_redis("http://cache").is_err() && parse_redis("redis:///0").is_err());
    }
}
