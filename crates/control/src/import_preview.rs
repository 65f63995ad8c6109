//! What a document changes in a version: the operations that come, go, or mean
//! something else.

use std::collections::HashMap;

use gatewright_model::api::{ApiVersion, Operation, Revision, VersionState};
use gatewright_model::state::Word;
use gatewright_openapi::diff::Diff;
use gatewright_openapi::finding::Finding;

use crate::error::{Error, Result};
use crate::import::ReadDocument;
use crate::views::VersionView;

/// What an import over a version did, or would do.
#[derive(Debug, Clone)]
pub struct Reimported {
    /// The version as it is then.
    pub version: VersionView,
    /// What the importer has to say.
    pub findings: Vec<Finding>,
    /// The operations that differ.
    pub changes: OperationChanges,
    /// What that means for callers, against the document that was live when this
    /// began. `None` where there was none, or it cannot be read by itself.
    pub diff: Option<Diff>,
    /// False for a dry run, and when the document is the live one already.
    pub written: bool,
}

/// How the operations of two documents differ. Each is known by its key; what
/// it means is told by its fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperationChanges {
    /// Only in the new document, in its order.
    pub added: Vec<Operation>,
    /// In both, with another meaning.
    pub changed: Vec<Operation>,
    /// Only in the old document.
    pub removed: Vec<Operation>,
    /// How many stay as they are.
    pub unchanged: usize,
}

impl OperationChanges {
    /// Compares two lists of operations.
    #[must_use]
    pub fn between(before: Vec<Operation>, after: Vec<Operation>) -> Self {
        let mut changes = Self::default();
        let order: Vec<String> = before.iter().map(|operation| operation.key.clone()).collect();
        let mut known: HashMap<String, Operation> = before
            .into_iter()
            .map(|operation| (operation.key.clone(), operation))
            .collect();
        for operation in after {
            match known.remove(&operation.key) {
                None => changes.added.push(operation),
                Some(earlier) if earlier.fingerprint == operation.fingerprint => changes.unchanged += 1,
                Some(_) => changes.changed.push(operation),
            }
        }
        changes.removed = order.iter().filter_map(|key| known.remove(key)).collect();
        changes
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Whether a document is the live one, byte for byte and as it is read today. One
/// that refers to others may mean something else although its bytes are the same.
pub(crate) fn is_live(document: &ReadDocument, live: Option<&Revision>, operations: &[Operation]) -> bool {
    document.is_whole
        && live.is_some_and(|live| live.document_hash == document.hash)
        && document.operations == operations
}

/// A version under review is frozen, and one that has ended stays as it was.
pub(crate) fn takes_documents(version: &ApiVersion) -> Result<()> {
    if !matches!(
        version.state,
        VersionState::InReview | VersionState::Retired | VersionState::Archived
    ) {
        return Ok(());
    }
    let rule = format!("a version that is {} takes no new document", version.state);
    Err(Error::guard_in(
        "version_frozen",
        rule,
        version.state.as_str(),
        version.state.reachable(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(key: &str, fingerprint: &str) -> Operation {
        Operation {
            key: key.to_owned(),
            slug: key.to_owned(),
            method: "GET".to_owned(),
            template: format!("/{key}"),
            summary: String::new(),
            deprecated: false,
            tags: Vec::new(),
            pointer: String::new(),
            fingerprint: fingerprint.to_owned(),
            routable: true,
        }
    }

    #[test]
    fn operations_come_go_and_change() {
        let before = vec![
            operation("a", "1"),
            operation("b", "1"),
            operation("d", "1"),
            operation("c", "1"),
        ];
        let after = vec![operation("e", "1"), operation("b", "2"), operation("a", "1")];
        let changes = OperationChanges::between(before, after);
        let keys = |list: &[Operation]| -> Vec<String> {
            list.iter().map(|operation| operation.key.clone()).collect()
        };
        assert_eq!(
            (keys(&changes.added), keys(&changes.changed)),
            (vec!["e".into()], vec!["b".into()])
        );
        assert_eq!(
            keys(&changes.removed),
            ["d", "c"],
            "in the order of the old document"
        );
        assert_eq!(changes.unchanged, 1);
        assert!(!changes.is_empty());
    }
}
