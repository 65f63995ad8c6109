//! What both descriptions share, so that only what differs is walked.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::document::Document;
use crate::pointer;
use crate::references;

/// The places that references of both descriptions lead to and that mean the
/// same in both, with everything that they refer to in turn.
#[derive(Debug, Default)]
pub(super) struct Shared(HashSet<String>);

impl Shared {
    pub(super) fn of(old: &Document, new: &Document) -> Self {
        let targets: HashSet<String> = targets_in(old.tree()).into_iter().collect();
        let mut same = HashSet::new();
        let mut referrers: HashMap<String, Vec<String>> = HashMap::new();
        let mut changed = Vec::new();
        for target in targets {
            let (before, after) = (old.get(&target), new.get(&target));
            if before.is_none() || before != after {
                changed.push(target);
                continue;
            }
            for inner in before.map(targets_in).unwrap_or_default() {
                referrers.entry(inner).or_default().push(target.clone());
            }
            same.insert(target);
        }
        // What refers to something that has changed has changed too.
        while let Some(target) = changed.pop() {
            for referrer in referrers.remove(&target).unwrap_or_default() {
                if same.remove(&referrer) {
                    changed.push(referrer);
                }
            }
        }
        Self(same)
    }

    /// Whether nothing below this place has changed.
    pub(super) fn has(&self, target: &str) -> bool {
        self.0.contains(target)
    }

    /// Whether two equal values mean the same: all that they refer to is shared.
    pub(super) fn covers(&self, value: &Value) -> bool {
        let mut covered = true;
        references::walk(value, &mut |_, reference| {
            covered &= pointer::of_local_ref(reference).is_some_and(|target| self.has(&target));
        });
        covered
    }
}

fn targets_in(value: &Value) -> Vec<String> {
    let mut targets = Vec::new();
    references::walk(value, &mut |_, reference| {
        if let Some(target) = pointer::of_local_ref(reference) {
            targets.push(target.into_owned());
        }
    });
    targets
}
