//! What is asked: APIs, keys and the requests that a load generator sends.
//!
//! Everything follows from numbers, so that the harness, the gateway under test
//! and the configuration of nginx agree on every key without telling each other.

use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use gatewright_model::id::{EntityId, uuid_v7};
use gatewright_model::secret::{SecretHasher, SecretKind, SecretText, generate};
use gatewright_model::time::{Entropy, Timestamp};
use uuid::Uuid;

/// Operations of every API, all of them reads, because the load has no bodies.
pub(crate) const TEMPLATES: [&str; 10] = [
    "/items",
    "/items/{id}",
    "/items/{id}/parts",
    "/items/{id}/parts/{part}",
    "/orders",
    "/orders/{id}",
    "/orders/{id}/lines",
    "/search",
    "/status",
    "/reports/{year}/{month}",
];
/// The label of every version.
pub(crate) const LABEL: &str = "v1";
/// Calls a second that every subscription may make: far above what one gets to make.
pub(crate) const RATE: u64 = 10_000;
/// How many of them at once.
pub(crate) const BURST: u64 = 1_000;
/// Calls a day that every subscription may make.
pub(crate) const QUOTA: u64 = 1_000_000_000;
/// Distinct requests, a route and a key each.
const REQUESTS: u32 = 20_000;
/// Shares no factor with a round number of keys, so that requests visit keys in no order.
const STEP: u32 = 7_919;
/// Where ids begin, in milliseconds since the epoch.
const FIRST_ID: i64 = 1_760_000_000_000;

/// What the gateway has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Key, subscription, rate, quota, header edits and a call record
    Gateway,
    /// The same without the quota, which nginx does not have
    RateOnly,
    /// A keyless API without limits, against a plain `proxy_pass`
    HandOver,
}

impl Scenario {
    /// As it stands on the command line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::RateOnly => "rate-only",
            Self::HandOver => "hand-over",
        }
    }

    /// Whether callers have to show a key.
    pub(crate) const fn is_keyed(self) -> bool {
        matches!(self, Self::Gateway | Self::RateOnly)
    }
}

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    /// What the gateway has to do.
    pub(crate) scenario: Scenario,
    /// APIs, each with one version and [`TEMPLATES`].
    pub(crate) apis: u32,
    /// Keys, each of one application with one subscription.
    pub(crate) keys: u32,
}

/// What an id names. Different kinds draw from different random numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Named {
    /// The only tenant.
    Tenant,
    /// An API, and its only version.
    Api,
    /// The plan of an API, and its only version.
    Plan,
    /// The rate of a plan.
    Rate,
    /// The quota of a plan.
    Quota,
    /// An application, its subscription and its credential: one number, so that
    /// the other side can make all three ids of one look-up.
    Consumer,
}

/// One request of the load.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The path at the gateway.
    pub(crate) path: String,
    /// The key, where one is needed.
    pub(crate) key: Option<SecretText>,
}

impl Workload {
    /// The id with this number.
    pub(crate) fn id<I: EntityId>(named: Named, number: u32) -> I {
        let kind = match named {
            Named::Tenant => 1_u64,
            Named::Api => 2,
            Named::Plan => 3,
            Named::Rate => 4,
            Named::Quota => 5,
            Named::Consumer => 6,
        };
        let mut random = [0; 10];
        Numbers::from(kind << 32 | u64::from(number)).fill(&mut random);
        I::from_uuid(uuid_v7(
            Timestamp::from_millis(FIRST_ID + i64::from(number)),
            random,
        ))
    }

    /// The uuid with this number.
    pub(crate) fn uuid(named: Named, number: u32) -> Uuid {
        Self::id::<gatewright_model::id::ApiId>(named, number).uuid()
    }

    /// Where an API stands.
    pub(crate) fn context(api: u32) -> String {
        format!("/api-{api:04}")
    }

    /// The key with this number.
    pub(crate) fn key(number: u32) -> SecretText {
        generate(SecretKind::LiveKey, &Numbers::from(u64::from(number)))
    }

    /// Which API the subscription behind a key opens.
    pub(crate) const fn api_of(self, key: u32) -> u32 {
        key % self.apis
    }

    /// What hashes keys on the side of the gateway.
    pub(crate) fn hasher() -> SecretHasher {
        SecretHasher::new(&[42; 32])
    }

    /// The requests of the load, each once.
    pub(crate) fn requests(self) -> Vec<Asked> {
        if !self.scenario.is_keyed() {
            let path = format!("{}/{LABEL}/items/1", Self::context(0));
            return vec![Asked { path, key: None }];
        }
        (0..REQUESTS.min(self.keys))
            .map(|number| {
                let product = u64::from(number) * u64::from(STEP) % u64::from(self.keys);
                let key = u32::try_from(product).unwrap_or(0);
                self.request(number, key)
            })
            .collect()
    }

    fn request(self, number: u32, key: u32) -> Asked {
        let context = Self::context(self.api_of(key));
        let operation = number / self.apis % 10;
        let template = TEMPLATES.into_iter().nth(operation as usize).unwrap_or("/items");
        let path = template
            .replace("{id}", &number.to_string())
            .replace("{part}", &(number % 7).to_string())
            .replace("{year}", "2026")
            .replace("{month}", &(number % 12 + 1).to_string());
        Asked {
            path: format!("{context}/{LABEL}{path}"),
            key: Some(Self::key(key)),
        }
    }
}

/// Numbers in place of randomness: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug)]
pub(crate) struct Numbers(AtomicU64);

impl Numbers {
    const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

    /// The sequence that begins with a seed.
    pub(crate) fn from(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(Self::GAMMA)))
    }

    /// The next number.
    pub(crate) fn next(&self) -> u64 {
        let state = self.0.fetch_add(Self::GAMMA, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Entropy for Numbers {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (slot, byte) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *slot = byte;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use gatewright_model::id::{ApplicationId, SubscriptionId};
    use gatewright_model::secret::recognise;

    use super::*;

    const FULL: Workload = Workload {
        scenario: Scenario::Gateway,
        apis: 1_000,
        keys: 100_000,
    };

    #[test]
    fn the_load_is_20000_distinct_pairs_over_every_api_and_operation() {
        let requests = FULL.requests();
        let keys: HashSet<&str> = requests
            .iter()
            .map(|asked| asked.key.as_ref().unwrap().expose())
            .collect();
        let contexts: HashSet<&str> = requests
            .iter()
            .map(|asked| asked.path.split('/').nth(1).unwrap())
            .collect();
        assert_eq!(
            (requests.len(), keys.len(), contexts.len()),
            (20_000, 20_000, 1_000)
        );
        for start in ["items", "orders", "search", "status", "reports"] {
            assert!(
                requests
                    .iter()
                    .any(|asked| asked.path.split('/').nth(3) == Some(start))
            );
        }
    }

    #[test]
    fn two_processes_make_the_same_keys_and_each_is_one_that_the_gateway_recognises() {
        let key = Workload::key(77);
        assert_eq!(key.expose(), Workload::key(77).expose());
        assert_ne!(key.expose(), Workload::key(78).expose());
        assert_eq!(recognise(key.expose()), Ok(SecretKind::LiveKey));
    }

    #[test]
    fn a_consumer_has_one_number_for_its_ids() {
        let application = Workload::id::<ApplicationId>(Named::Consumer, 5).to_string();
        let subscription = Workload::id::<SubscriptionId>(Named::Consumer, 5).to_string();
        assert_eq!(
            application.strip_prefix("app_"),
            subscription.strip_prefix("sub_")
        );
        assert_ne!(Workload::uuid(Named::Api, 5), Workload::uuid(Named::Consumer, 5));
    }
}
