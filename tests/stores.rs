//! Where tests get Postgres and Redis from.

use std::env::var_os;

use gatewright_testkit::postgres::{Postgres, create_database};
use gatewright_testkit::redis::Redis;

/// A database of this test's own, and the server if that is its own too.
pub(crate) struct Database {
    pub(crate) url: String,
    _server: Option<Postgres>,
}

/// An empty Postgres database, or nothing where none can be had; then the test says so.
pub(crate) fn database() -> Option<Database> {
    if let Some(url) = var_os("TEST_DATABASE_URL") {
        let url = create_database(&url.into_string().unwrap());
        return Some(Database { url, _server: None });
    }
    let server = own_postgres()?;
    Some(Database {
        url: server.database(),
        _server: Some(server),
    })
}

/// A Postgres server that the test may stop.
pub(crate) fn own_postgres() -> Option<Postgres> {
    available(
        Postgres::is_installed(),
        "Postgres",
        "GATEWRIGHT_REQUIRE_POSTGRES",
    )
    .then(Postgres::start)
}

/// A Redis server that the test may stop.
pub(crate) fn own_redis() -> Option<Redis> {
    available(Redis::is_installed(), "Redis", "GATEWRIGHT_REQUIRE_REDIS").then(Redis::start)
}

fn available(installed: bool, what: &str, required: &str) -> bool {
    assert!(
        installed || var_os(required).is_none(),
        "{what} is required here and not installed"
    );
    if !installed {
        eprintln!("SKIPPED: {what} is not installed; {required}=1 makes this a failure");
    }
    installed
}
