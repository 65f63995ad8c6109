//! The servers behind a version and the choice among them.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatewright_model::address::AddressPolicy;
use gatewright_model::api::{Balancing, Timeouts, Upstream};
use http::HeaderValue;
use rustls::pki_types::ServerName;

/// How long a target that could not be connected to is passed over while another one is there.
const AVOID_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Where connections go: they are shared by all targets with an equal origin
/// under an equal address rule, and by nobody else.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Host name, or an address without brackets.
    pub(crate) host: Box<str>,
    /// The address, when the host is one.
    pub(crate) literal: Option<IpAddr>,
    /// The port.
    pub(crate) port: u16,
    /// The name to verify, when the scheme is `https`.
    pub(crate) tls: Option<ServerName<'static>>,
    /// Which addresses may be connected to.
    pub(crate) policy: AddressPolicy,
    hash: u64,
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.port == other.port
            && self.host == other.host
            && self.tls.is_some() == other.tls.is_some()
            && self.policy == other.policy
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// One server behind a version.
#[derive(Debug)]
pub(crate) struct Target {
    /// Where to connect.
    pub(crate) origin: Arc<Origin>,
    /// The `Host` that it gets.
    pub(crate) authority: HeaderValue,
    /// What stands before the path of the call; empty or `/base`, never with a final slash.
    pub(crate) base_path: Box<str>,
    /// How it is named in call records: scheme, host, port and base path.
    pub(crate) name: Arc<str>,
    weight: u32,
    in_flight: AtomicU32,
    /// Milliseconds after [`UpstreamSet::epoch`] until which it is passed over.
    avoid_until: AtomicU64,
}

/// The targets of a version, shared by all workers.
#[derive(Debug)]
pub(crate) struct UpstreamSet {
    /// At least one unless nobody configured any.
    pub(crate) targets: Box<[Arc<Target>]>,
    /// How long to wait.
    pub(crate) timeouts: Timeouts,
    algorithm: Balancing,
    turn: AtomicU64,
    total_weight: u64,
    stride: u64,
    epoch: Instant,
}

/// Holds one place at a target until dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Target>);

impl Place {
    /// The target.
    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why no target can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTarget {
    /// None is configured, or all have been tried.
    Exhausted,
    /// Each has as many calls under way as it may.
    Full,
}

impl UpstreamSet {
    /// Prepares the targets of a version under the address rule of its tenant.
    pub(crate) fn compile(upstream: &Upstream, policy: &AddressPolicy) -> Self {
        let targets: Box<[Arc<Target>]> = upstream
            .targets
            .iter()
            .filter(|target| target.weight > 0)
            .filter_map(|target| Target::compile(&target.url, target.weight, policy))
            .map(Arc::new)
            .collect();
        let total_weight = targets.iter().map(|target| u64::from(target.weight)).sum();
        Self {
            targets,
            timeouts: upstream.timeouts,
            algorithm: upstream.algorithm,
            turn: AtomicU64::new(0),
            total_weight,
            stride: stride(total_weight),
            epoch: Instant::now(),
        }
    }

    /// Chooses a target with room that is not in `tried` and takes a place at it.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn choose(&self, tried: &[Arc<Target>], max_in_flight: u32) -> Result<Place, NoTarget> {
        let fresh = |target: &&Arc<Target>| !tried.iter().any(|other| Arc::ptr_eq(other, target));
        if self.targets.iter().find(fresh).is_none() {
            return Err(NoTarget::Exhausted);
        }
        let now = self.now();
        let healthy = |target: &&Arc<Target>| target.avoid_until.load(Ordering::Relaxed) <= now;
        let preferred = self.turn_of(now, tried);
        let candidates = preferred
            .into_iter()
            .chain(self.targets.iter().filter(fresh).filter(healthy))
            .chain(self.targets.iter().filter(fresh));
        for target in candidates {
            if target.in_flight.fetch_add(1, Ordering::Relaxed) < max_in_flight {
                return Ok(Place(Arc::clone(target)));
            }
            target.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        Err(NoTarget::Full)
    }

    /// Passes over a target for a while, because it could not be connected to.
    pub(crate) fn avoid(&self, target: &Target) {
        let until = self.now() + u64::try_from(AVOID_AFTER_FAILURE.as_millis()).unwrap_or(0);
        target.avoid_until.store(until, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn turn_of(&self, now: u64, tried: &[Arc<Target>]) -> Option<&Arc<Target>> {
        if let [only] = &*self.targets {
            return tried.is_empty().then_some(only);
        }
        let usable = |target: &Arc<Target>| {
            target.avoid_until.load(Ordering::Relaxed) <= now
                && !tried.iter().any(|other| Arc::ptr_eq(other, target))
        };
        match self.algorithm {
            Balancing::RoundRobin => self.next_in_turn().filter(|target| usable(target)),
            Balancing::LeastConnections => {
                self.targets
                    .iter()
                    .filter(|target| usable(target))
                    .min_by_key(|target| {
                        // Calls under way for each unit of weight, in fixed point.
                        (u64::from(target.in_flight.load(Ordering::Relaxed)) << 20) / u64::from(target.weight)
                    })
            }
        }
    }

    /// Any `total_weight` turns in a row give each target exactly its weight;
    /// the stride spreads them, so that a heavy target gets no long runs.
    fn next_in_turn(&self) -> Option<&Arc<Target>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.total_weight.max(1);
        let mut slot = turn.wrapping_mul(self.stride) % self.total_weight.max(1);
        self.targets.iter().find(|target| {
            let weight = u64::from(target.weight);
            let found = slot < weight;
            slot = slot.saturating_sub(weight);
            found
        })
    }
}

impl Target {
    fn compile(url: &url::Url, weight: u32, policy: &AddressPolicy) -> Option<Self> {
        let port = url.port_or_known_default()?;
        let (host, literal) = match url.host()? {
            url::Host::Domain(name) => (name.to_owned(), None),
            url::Host::Ipv4(v4) => (v4.to_string(), Some(IpAddr::V4(v4))),
            url::Host::Ipv6(v6) => (v6.to_string(), Some(IpAddr::V6(v6))),
        };
        let tls = match url.scheme() {
            "https" => Some(ServerName::try_from(host.clone()).ok()?),
            "http" => None,
            _ => return None,
        };
        let authority = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str()?),
            None => url.host_str()?.to_owned(),
        };
        let base_path = url.path().trim_end_matches('/');
        let name = format!("{}://{authority}{base_path}", url.scheme());
        let hash = {
            let mut hasher = std::hash::DefaultHasher::new();
            (&host, port, tls.is_some(), policy.private, &policy.allow).hash(&mut hasher);
            hasher.finish()
        };
        Some(Self {
            origin: Arc::new(Origin {
                host: host.into(),
                literal,
                port,
                tls,
                policy: policy.clone(),
                hash,
            }),
            authority: HeaderValue::try_from(authority).ok()?,
            base_path: base_path.into(),
            name: name.into(),
            weight,
            in_flight: AtomicU32::new(0),
            avoid_until: AtomicU64::new(0),
        })
    }
}

/// A step near the golden section of `total` that shares no factor with it.
fn stride(total: u64) -> u64 {
    let golden = total.saturating_mul(618) / 1000;
    (golden.max(1)..=total.max(1))
        .find(|step| greatest_common_divisor(*step, total) == 1)
        .unwrap_or(1)
}

const fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use gatewright_model::api;
    use proptest::prelude::*;

    use super::*;

    fn set(algorithm: Balancing, weights: &[u32]) -> UpstreamSet {
        let targets = weights
            .iter()
            .enumerate()
            .map(|(index, weight)| api::Target {
                url: format!("http://10.0.0.{}:8080/base/", index + 1).parse().unwrap(),
                weight: *weight,
            })
            .collect();
        UpstreamSet::compile(
            &Upstream {
                targets,
                algorithm,
                timeouts: Timeouts::default(),
            },
            &AddressPolicy::default(),
        )
    }

    fn index(set: &UpstreamSet, place: &Place) -> usize {
        set.targets
            .iter()
            .position(|target| Arc::ptr_eq(target, place.target()))
            .unwrap()
    }

    proptest! {
        #[test]
        fn each_round_gives_everybody_its_weight(weights in proptest::collection::vec(0_u32..50, 1..6)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let set = set(Balancing::RoundRobin, &weights);
            let mut counts = vec![0_u32; set.targets.len()];
            for _ in 0..weights.iter().sum() {
                counts[index(&set, &set.choose(&[], 10).unwrap())] += 1;
            }
            let expected: Vec<u32> = weights.into_iter().filter(|weight| *weight > 0).collect();
            prop_assert_eq!(counts, expected);
        }
    }

    #[test]
    fn the_least_busy_for_its_weight_is_next() {
        let set = set(Balancing::LeastConnections, &[1, 2]);
        let places: Vec<Place> = (0..6).map(|_| set.choose(&[], 10).unwrap()).collect();
        let second = places.iter().filter(|place| index(&set, place) == 1).count();
        assert_eq!(second, 4);
    }

    #[test]
    fn a_failed_target_is_passed_over_while_another_is_there() {
        let set = set(Balancing::RoundRobin, &[1, 1]);
        set.avoid(&set.targets[0]);
        for _ in 0..4 {
            assert_eq!(index(&set, &set.choose(&[], 10).unwrap()), 1);
        }
        let tried = [Arc::clone(&set.targets[1])];
        assert_eq!(index(&set, &set.choose(&tried, 10).unwrap()), 0);
        let all: Vec<_> = set.targets.to_vec();
        assert_eq!(set.choose(&all, 10).unwrap_err(), NoTarget::Exhausted);
    }

    #[test]
    fn a_full_set_says_so_and_places_come_back() {
        let set = set(Balancing::RoundRobin, &[1]);
        let place = set.choose(&[], 1).unwrap();
        assert_eq!(set.choose(&[], 1).unwrap_err(), NoTarget::Full);
        drop(place);
        assert!(set.choose(&[], 1).is_ok());
    }

    #[test]
    fn names_and_base_paths_have_no_final_slash() {
        let set = set(Balancing::RoundRobin, &[1]);
        assert_eq!(&*set.targets[0].base_path, "/base");
        assert_eq!(&*set.targets[0].name, "http://10.0.0.1:8080/base");
        assert_eq!(set.targets[0].authority, "10.0.0.1:8080");
    }
}
