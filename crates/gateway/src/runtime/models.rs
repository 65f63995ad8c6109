//! A configuration that is put into service beside those who decide by it, in
//! every order that the memory model allows.

#![expect(clippy::unwrap_used, reason = "models are tests, whose failure is a panic")]

use gatewright_coordination::modelling::{joined, spawn, with_timers};
use gatewright_model::plan::Security;

use std::sync::Weak;

use super::*;
use crate::compiled::{Patience, compile};
use crate::testing::{Parts, api_part, plan_part, quota, runtime, tenant_part, version_part};

/// A configuration whose only API has a limit of its own number.
fn config(seq: i64) -> Arc<CompiledConfig> {
    let number = u128::from(seq.unsigned_abs());
    let mut parts = Parts::default();
    parts.tenant(&tenant_part(1, "default"));
    let mut api = api_part(1, 1, "/shop");
    api.plans = vec![plan_part(1, Security::ApiKey, vec![quota(number, 10, "1h")])];
    parts.api(&api);
    parts.version(&version_part(1, 1, "v1"));
    Arc::new(compile(&parts.manifest(seq), None, &parts.bodies, Patience::LeaveOut).unwrap())
}

/// Whoever sees a configuration sees it whole: every limit of it can be counted.
fn look(runtime: &Runtime) -> i64 {
    let config = runtime.config.load();
    let Some(config) = config.as_ref() else { return 0 };
    let limits = config.apis().flat_map(crate::compiled::CompiledApi::limits);
    let known: Vec<bool> = limits.map(|limit| limit.handle.get().is_some()).collect();
    assert_eq!(known, [true], "a limit of snapshot {} is not known", config.seq);
    config.seq
}

#[test]
fn a_configuration_is_seen_whole_and_never_an_older_one_after_a_newer() {
    // The limiter's task is not part of the model: nothing runs it.
    with_timers(|| {
        let runtime = runtime();
        let configs = [config(1), config(2)];
        let freed: Vec<_> = configs.iter().map(Arc::downgrade).collect();
        let changing = Arc::clone(&runtime);
        let change = spawn(move || {
            for config in configs {
                changing.activate(config);
            }
        });
        let seen = [
            look(&runtime),
            look(&runtime),
            runtime.snapshot_seq().unwrap_or_default(),
        ];
        assert!(seen.is_sorted(), "{seen:?}");
        joined(change);
        assert_eq!(look(&runtime), 2);
        // Nobody but the pointer, which keeps all in a model, has them any more.
        let held: Vec<usize> = freed.iter().map(Weak::strong_count).collect();
        assert_eq!(held, [1, 1], "somebody keeps an old configuration");
    });
}
