//! What a new description changes for those who call an API: operations,
//! parameters, bodies, answers, and the data in them, each change with a class
//! (governance.md, section 3, row 2).
//!
//! Both sides are normalised documents, so that 2.0, 3.0 and 3.1 compare with
//! each other; what the three say differently about schemas is read into one
//! form in [`flat`]. Widening what a caller may send breaks nobody, widening
//! what a caller gets may; that is decided in [`change::Direction`].
//!
//! Start reading at [`compare`], then `operations` and `schema`.

mod bodies;
mod change;
mod fields;
mod flat;
mod limits;
mod operations;
mod parameters;
mod schema;
mod security;
#[cfg(test)]
mod tests;
mod unchanged;

use crate::document::Document;
use crate::import::Imported;
use crate::index::Index;

pub use change::{Change, Class, Code, Counts, Diff, Side};

/// One of the two descriptions.
#[derive(Clone, Copy)]
pub(crate) struct Description<'d> {
    document: &'d Document,
    index: &'d Index,
}

impl<'d> Description<'d> {
    const fn of(imported: &'d Imported) -> Self {
        Self {
            document: &imported.document,
            index: &imported.index,
        }
    }
}

/// What `new` changes for those who call what `old` describes. Time is bounded:
/// where that is not enough for everything, a risky change says so.
#[must_use]
pub fn compare(old: &Imported, new: &Imported) -> Diff {
    let (old, new) = (Description::of(old), Description::of(new));
    let mut found = change::Collector::default();
    operations::compare(old, new, &mut found);
    found.into_diff()
}
