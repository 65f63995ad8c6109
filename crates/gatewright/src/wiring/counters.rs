//! Who keeps the counters of limits: Redis where one is named, else the store.

use std::sync::Arc;

use gatewright_control::error::with_causes;
use gatewright_coordination::authority::Authority;
use gatewright_coordination::redis_authority::RedisAuthority;
use gatewright_coordination::stored::StoredAuthority;

use crate::failure::Failure;
use crate::serve::foundation::Foundation;
use crate::wiring::counter_rows::CounterRows;

/// The keeper of the counters that this installation shares.
///
/// # Errors
/// 64 when the address of Redis cannot be understood.
pub(crate) fn authority(base: &Foundation) -> Result<Arc<dyn Authority>, Failure> {
    match &base.config.store.redis {
        Some(url) => {
            let redis = RedisAuthority::new(url.expose()).map_err(|error| {
                Failure::usage(format!(
                    "redis_url (--redis-url, GATEWRIGHT_REDIS_URL) cannot be used: {}; fix: give redis://HOST:PORT",
                    with_causes(&error)
                ))
            })?;
            Ok(Arc::new(redis))
        }
        None => {
            let rows = CounterRows::new(base.store.clone(), Arc::clone(&base.clock));
            Ok(Arc::new(StoredAuthority::new(rows)))
        }
    }
}
