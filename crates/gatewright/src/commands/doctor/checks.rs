//! What `doctor` looks at, one function for each subject.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use gatewright_config::{Config, DataDirLock, LockError, MasterKeySource, Role};
use gatewright_control::error::with_causes;
use gatewright_model::keys::MasterKey;
use gatewright_model::time::{Clock, SystemClock, SystemEntropy};
use gatewright_store::{Scope, Store};

use crate::commands::doctor::Check;
use crate::commands::session::matches_key;
use crate::failure::Failure;
use crate::schema;

/// A clock that differs by more makes expiries and limits differ between nodes.
const MAX_SKEW_MS: i64 = 1_000;
/// A store that takes longer makes itself felt.
const SLOW: Duration = Duration::from_millis(50);
/// Redis gets this long to answer.
const REDIS: Duration = Duration::from_secs(2);

/// Looks at everything. Whatever depends on something that does not work is left out.
pub(super) async fn all(config: &Config) -> Vec<Check> {
    let mut checks = vec![Check::ok("config", "every setting can be read")];
    let served = data_dir(config, &mut checks);
    ports(config, served, &mut checks);
    addresses(config, &mut checks);
    let key = master_key(config, &mut checks);
    store(config, key.as_ref(), &mut checks).await;
    redis(config, &mut checks).await;
    checks
}

/// Whether a server runs on the data directory.
fn data_dir(config: &Config, checks: &mut Vec<Check>) -> bool {
    // Taking the lock would make the directory.
    if !config.store.data_dir.exists() {
        checks.push(Check::warning(
            "data_dir",
            format!(
                "{:?} is not there; the first start makes it",
                config.store.data_dir
            ),
            "correct data_dir (--data-dir, GATEWRIGHT_DATA_DIR) if an installation should be there",
        ));
        return false;
    }
    match DataDirLock::acquire(&config.store.data_dir) {
        Ok(_released) => {
            checks.push(Check::ok(
                "data_dir",
                format!("{:?} can be used", config.store.data_dir),
            ));
            false
        }
        Err(LockError::Taken { path, pid }) => {
            let pid = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            checks.push(Check::ok("data_dir", format!("{path:?} is served by {pid}")));
            true
        }
        Err(error) => {
            checks.push(Check::failed("data_dir", &Failure::from(error)));
            false
        }
    }
}

fn ports(config: &Config, served: bool, checks: &mut Vec<Check>) {
    if served {
        checks.push(Check::ok("ports", "not tried: a server is running"));
        return;
    }
    let listen = &config.listen;
    let all = [
        (
            config.roles.has(Role::Gateway),
            "--gateway-listen",
            listen.gateway,
        ),
        (
            config.roles.has(Role::Management),
            "--management-listen",
            listen.management,
        ),
        (config.roles.has(Role::Portal), "--portal-listen", listen.portal),
        (true, "--status-listen", listen.status),
    ];
    for (_, flag, address) in all.into_iter().filter(|(active, ..)| *active) {
        checks.push(match TcpListener::bind(address) {
            Ok(_closed) => Check::ok("ports", format!("{address} ({flag}) is free")),
            Err(error) => Check::problem(
                "ports",
                format!("{address} ({flag}) cannot be listened on: {error}"),
                "stop whoever listens there (`ss -ltnp` names it), or give another address",
            ),
        });
    }
}

/// Browsers send `Secure` cookies over plain http to loopback alone.
fn addresses(config: &Config, checks: &mut Vec<Check>) {
    let Some(portal) = &config.urls.portal else {
        return;
    };
    let loopback = ["127.0.0.1", "localhost", "[::1]"].contains(&portal.host());
    checks.push(if portal.is_https() || loopback {
        Check::ok("portal_url", format!("{portal} keeps sessions safe"))
    } else {
        Check::warning(
            "portal_url",
            format!("{portal} is plain http off loopback: sessions can be read on the way"),
            "put TLS in front of the portal and give its https address as --portal-url",
        )
    });
}

fn master_key(config: &Config, checks: &mut Vec<Check>) -> Option<MasterKey> {
    // Looking makes no key: a missing one is made by the first start.
    if let MasterKeySource::Generated(path) = &config.store.master_key
        && !path.exists()
    {
        checks.push(Check::ok(
            "master_key",
            format!("{path:?} will be made at the first start"),
        ));
        return None;
    }
    match config.store.master_key.load(&SystemEntropy) {
        Ok(key) => {
            checks.push(Check::ok("master_key", "can be read, and by its owner alone"));
            Some(key)
        }
        Err(error) => {
            checks.push(Check::failed("master_key", &Failure::from(error)));
            None
        }
    }
}

async fn store(config: &Config, key: Option<&MasterKey>, checks: &mut Vec<Check>) {
    if schema::is_missing(&config.store.database) {
        checks.push(Check::warning(
            "store",
            "there is no database yet; the first start makes it",
            "correct data_dir (--data-dir, GATEWRIGHT_DATA_DIR) or database_url (--database-url, GATEWRIGHT_DATABASE_URL) if there should be one",
        ));
        return;
    }
    let store = match schema::open(&config.store.database, Arc::new(SystemEntropy)).await {
        Ok(store) => store,
        Err(failure) => {
            checks.push(Check::failed("store", &failure));
            return;
        }
    };
    if let Err(failure) = look_into(&store, key, checks).await {
        checks.push(Check::failed("store", &failure));
    }
    store.close().await;
}

async fn look_into(store: &Store, key: Option<&MasterKey>, checks: &mut Vec<Check>) -> Result<(), Failure> {
    let health = store.health(SystemClock.now()).await?;
    let latency = format!("answers in {:.1} ms", health.latency.as_secs_f64() * 1_000.0);
    checks.push(if health.latency <= SLOW {
        Check::ok("store", latency)
    } else {
        Check::warning(
            "store",
            latency,
            "bring the database nearer, or look what keeps it busy",
        )
    });
    let skew = health.clock_skew_ms.unwrap_or(0);
    checks.push(if skew.abs() <= MAX_SKEW_MS {
        Check::ok("clock", format!("differs from the store's by {skew} ms"))
    } else {
        Check::problem(
            "clock",
            format!("differs from the store's by {skew} ms"),
            "synchronise the clocks, for example with chrony",
        )
    });
    if !health.pending.is_empty() {
        let pending = format!(
            "{} are pending: {}",
            health.pending.len(),
            health.pending.join(", ")
        );
        checks.push(if store.is_empty_schema().await? {
            Check::ok(
                "migrations",
                "the schema is empty and will be made at the first start",
            )
        } else {
            Check::problem("migrations", pending, "run `gatewright migrate`")
        });
        return Ok(());
    }
    checks.push(Check::ok("migrations", "the schema is up to date"));
    content(store, key, checks).await
}

/// Whether the store belongs to this key, and to somebody.
async fn content(store: &Store, key: Option<&MasterKey>, checks: &mut Vec<Check>) -> Result<(), Failure> {
    if let Some(key) = key {
        checks.push(if matches_key(store, key).await? {
            Check::ok("master_key", "is the one that the store was made with")
        } else {
            Check::problem(
                "master_key",
                "is not the one that the store was made with",
                "give that key by --master-key-file or GATEWRIGHT_MASTER_KEY",
            )
        });
    }
    let mut tx = store.read(Scope::System).await?;
    checks.push(if tx.users().any_platform_admin().await? {
        Check::ok("admin", "there is an administrator")
    } else {
        Check::warning(
            "admin",
            "there is no administrator yet",
            "run `gatewright admin create --email you@example.com`",
        )
    });
    Ok(())
}

async fn redis(config: &Config, checks: &mut Vec<Check>) {
    let Some(url) = &config.store.redis else {
        if !config.store.database.is_embedded() {
            checks.push(Check::warning(
                "redis",
                "is not used: nodes learn of changes by polling, and limits load the database",
                "give --redis-url when several nodes serve",
            ));
        }
        return;
    };
    let answered = tokio::time::timeout(REDIS, ping(url.expose())).await;
    let fix = "start Redis, or correct redis_url (--redis-url, GATEWRIGHT_REDIS_URL)";
    checks.push(match answered {
        Ok(Ok(())) => Check::ok("redis", format!("{url} answers")),
        Ok(Err(error)) => Check::problem(
            "redis",
            format!("Redis at {url} does not answer: {}", with_causes(&error)),
            fix,
        ),
        Err(_) => Check::problem(
            "redis",
            format!("Redis at {url} does not answer within 2 seconds"),
            fix,
        ),
    });
}

async fn ping(url: &str) -> redis::RedisResult<()> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async(&mut connection).await
}
