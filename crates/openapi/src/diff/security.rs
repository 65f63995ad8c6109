//! By what a call proves who sends it.

use super::change::{Class, Code, Collector, Found, Side};
use crate::index::{Index, Operation, SecurityUse};

/// Compares what two operations ask for. Each of the alternatives that worked must work still.
pub(super) fn compare(
    (before, old): (&Index, &Operation),
    (after, new): (&Index, &Operation),
    found: &mut Collector,
) {
    let named = format!("{} {}", new.method, new.template);
    let mut tell = |class, code, message| {
        found.add(Found {
            class,
            code,
            pointer: &new.pointer,
            side: Side::After,
            direction: None,
            message,
        });
    };
    let works = |accepted: &[Vec<SecurityUse>], proof: &[SecurityUse]| {
        accepted.is_empty()
            || accepted
                .iter()
                .any(|asked| asked.iter().all(|part| gives(proof, part)))
    };
    let lost = alternatives(old)
        .iter()
        .find(|proof| !works(&new.security, proof))
        .cloned();
    let gained = alternatives(new)
        .iter()
        .find(|proof| !works(&old.security, proof))
        .cloned();
    if let Some(proof) = &lost {
        let message = format!("{named} asks for more than {}", words(proof));
        tell(Class::Breaking, Code::SecurityAdded, message);
    }
    if let Some(proof) = &gained {
        let message = format!("{named} can be called with {}", words(proof));
        tell(Class::Additive, Code::SecurityRemoved, message);
    }
    let used = new.security.iter().flatten().map(|part| part.scheme.as_str());
    let scheme = |index: &Index, name: &str| {
        let mut schemes = index.security_schemes.iter();
        schemes
            .find(|scheme| scheme.name == name)
            .map(|scheme| scheme.kind.clone())
    };
    let mut changed: Vec<&str> = used
        .filter(|name| {
            let (was, is) = (scheme(before, name), scheme(after, name));
            was.is_some() && was != is
        })
        .collect();
    changed.sort_unstable();
    changed.dedup();
    if !changed.is_empty() {
        let message = format!(
            "{named} is proved otherwise: `{}` has changed",
            changed.join("`, `")
        );
        tell(Class::Breaking, Code::SecuritySchemeChanged, message);
    }
}

/// What callers may have proved; nothing at all where nothing is asked for.
fn alternatives(operation: &Operation) -> Vec<Vec<SecurityUse>> {
    if operation.security.is_empty() {
        vec![Vec::new()]
    } else {
        operation.security.clone()
    }
}

fn gives(proof: &[SecurityUse], asked: &SecurityUse) -> bool {
    proof.iter().any(|part| {
        part.scheme == asked.scheme && asked.scopes.iter().all(|scope| part.scopes.contains(scope))
    })
}

fn words(proof: &[SecurityUse]) -> String {
    if proof.is_empty() {
        return "nothing".to_owned();
    }
    let parts = proof.iter().map(|part| {
        if part.scopes.is_empty() {
            format!("`{}`", part.scheme)
        } else {
            format!("`{}` ({})", part.scheme, part.scopes.join(", "))
        }
    });
    parts.collect::<Vec<_>>().join(" and ")
}
