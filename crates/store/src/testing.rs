//! A fresh store for each test, on both databases.
//!
//! Postgres is used when `TEST_DATABASE_URL` names a server on which databases
//! may be made; its absence is said aloud, and is a failure when
//! `GATEWRIGHT_REQUIRE_POSTGRES=1`.

pub(crate) mod sample;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_model::secret::SecretText;
use gatewright_model::time::{SystemEntropy, Timestamp};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::store::{Database, Store, StoreSettings};

/// Runs the body on SQLite and, where there is one, on Postgres.
macro_rules! store_test {
    ($(#[$meta:meta])* async fn $name:ident($store:ident: Store) $body:block) => {
        mod $name {
            use super::*;
            use $crate::store::Store;

            async fn body($store: Store) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let fresh = $crate::testing::Fresh::sqlite().await;
                body(fresh.store.clone()).await;
                fresh.drop().await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let Some(fresh) = $crate::testing::Fresh::postgres().await else { return };
                body(fresh.store.clone()).await;
                fresh.drop().await;
            }
        }
    };
}

pub(crate) use store_test;

/// A migrated store and what has to go when the test ends.
pub(crate) struct Fresh {
    pub(crate) store: Store,
    dir: Option<tempfile::TempDir>,
    database: Option<(String, String)>,
}

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

static NEXT: AtomicU64 = AtomicU64::new(0);
static TEMPLATE: OnceCell<String> = OnceCell::const_new();

#[expect(clippy::disallowed_methods, reason = "tests are told where their server is")]
pub(crate) fn server() -> Option<String> {
    let server = std::env::var("TEST_DATABASE_URL").ok();
    let required = std::env::var("GATEWRIGHT_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
    assert!(server.is_some() || !required, "TEST_DATABASE_URL is required");
    if server.is_none() {
        eprintln!("skipped on Postgres: TEST_DATABASE_URL is not set");
    }
    server
}

pub(crate) async fn open(database: Database) -> Store {
    let entropy = Arc::new(SystemEntropy);
    Store::open(StoreSettings { database, entropy }).await.unwrap()
}

async fn on_server(server: &str, sql: String) {
    let mut conn = PgConnection::connect(server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}

/// The same server, another database.
fn at(server: &str, database: &str) -> String {
    let mut url: url::Url = server.parse().unwrap();
    url.set_path(database);
    url.to_string()
}

pub(crate) fn unique(prefix: &str) -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}_{}_{number}", std::process::id())
}

impl Fresh {
    pub(crate) async fn sqlite() -> Self {
        let fresh = Self::sqlite_empty().await;
        fresh.store.migrate(NOW).await.unwrap();
        fresh
    }

    pub(crate) async fn sqlite_empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(Database::sqlite_in(dir.path())).await;
        Self {
            store,
            dir: Some(dir),
            database: None,
        }
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let server = server()?;
        // Copying a migrated database is faster than migrating one for each test.
        let template = TEMPLATE
            .get_or_init(|| async {
                let name = unique("gwt_template");
                on_server(&server, format!("CREATE DATABASE {name}")).await;
                let store = open(Database::postgres(SecretText::new(at(&server, &name)))).await;
                store.migrate(NOW).await.unwrap();
                store.close().await;
                name
            })
            .await;
        let name = unique("gwt");
        on_server(&server, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Some(Self::on(server, name).await)
    }

    pub(crate) async fn postgres_empty() -> Option<Self> {
        let server = server()?;
        let name = unique("gwt");
        on_server(&server, format!("CREATE DATABASE {name}")).await;
        Some(Self::on(server, name).await)
    }

    async fn on(server: String, name: String) -> Self {
        let store = open(Database::postgres(SecretText::new(at(&server, &name)))).await;
        Self {
            store,
            dir: None,
            database: Some((server, name)),
        }
    }

    pub(crate) async fn drop(self) {
        self.store.close().await;
        if let Some((server, name)) = self.database {
            on_server(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
        drop(self.dir);
    }
}
