//! What all pages of a revision need, kept for the revisions that are read.
//! Revisions never change, so what is kept is never wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gatewright_model::api::Operation;
use gatewright_model::id::RevisionId;
use gatewright_openapi::docs::head::Head;
use gatewright_store::document_part::weight;

/// How many bytes are kept, about.
const MOST_BYTES: usize = 32 << 20;

/// The operations of a revision and the head of its document.
#[derive(Debug, Default)]
pub struct RevisionDocs {
    /// In the order of the document.
    pub operations: Vec<Operation>,
    /// What the document says of itself.
    pub head: Head,
    by_slug: HashMap<String, usize>,
    by_pointer: HashMap<String, usize>,
    bytes: usize,
}

impl RevisionDocs {
    pub(super) fn new(operations: Vec<Operation>, head: Head, head_bytes: usize) -> Self {
        let by = |name: fn(&Operation) -> &String| -> HashMap<String, usize> {
            let named = operations.iter().enumerate();
            named
                .map(|(at, operation)| (name(operation).clone(), at))
                .collect()
        };
        Self {
            by_slug: by(|operation| &operation.slug),
            by_pointer: by(|operation| &operation.pointer),
            bytes: head_bytes * 2 + operations.iter().map(weight).sum::<usize>(),
            operations,
            head,
        }
    }

    /// The operation with this name in addresses.
    #[must_use]
    pub fn by_slug(&self, slug: &str) -> Option<&Operation> {
        self.operations.get(*self.by_slug.get(slug)?)
    }

    /// The operation that stands at this place of the document.
    #[must_use]
    pub fn by_pointer(&self, pointer: &str) -> Option<&Operation> {
        self.operations.get(*self.by_pointer.get(pointer)?)
    }
}

/// The revisions that were read last.
#[derive(Debug, Default)]
pub(crate) struct KeptDocs(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    docs: HashMap<RevisionId, (Arc<RevisionDocs>, u64)>,
    bytes: usize,
    uses: u64,
}

impl KeptDocs {
    pub(super) fn get(&self, id: RevisionId) -> Option<Arc<RevisionDocs>> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let now = inner.uses;
        let (docs, used) = inner.docs.get_mut(&id)?;
        *used = now;
        Some(Arc::clone(docs))
    }

    /// Keeps a revision; those that were not read for the longest time go for it.
    pub(super) fn put(&self, id: RevisionId, docs: &Arc<RevisionDocs>) {
        if docs.bytes > MOST_BYTES / 2 {
            return;
        }
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let now = inner.uses;
        inner.bytes += docs.bytes;
        if let Some((old, _)) = inner.docs.insert(id, (Arc::clone(docs), now)) {
            inner.bytes -= old.bytes;
        }
        while inner.bytes > MOST_BYTES {
            let oldest = inner
                .docs
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(id, _)| *id);
            let Some((gone, _)) = oldest.and_then(|id| inner.docs.remove(&id)) else {
                break;
            };
            inner.bytes -= gone.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright_model::id::EntityId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_was_not_read_for_long_goes_first() {
        let kept = KeptDocs::default();
        let id = |n: u128| RevisionId::from_uuid(Uuid::from_u128(n));
        let docs = Arc::new(RevisionDocs::new(Vec::new(), Head::default(), MOST_BYTES / 8));
        for n in 0..4 {
            kept.put(id(n), &docs);
        }
        assert!(kept.get(id(0)).is_some());
        kept.put(id(4), &docs);
        assert!(kept.get(id(1)).is_none() && kept.get(id(0)).is_some() && kept.get(id(4)).is_some());
        let large = Arc::new(RevisionDocs::new(Vec::new(), Head::default(), MOST_BYTES));
        kept.put(id(9), &large);
        assert!(kept.get(id(9)).is_none() && kept.get(id(0)).is_some());
    }
}
