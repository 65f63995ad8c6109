//! The condition that a caller may put on a change: only if nobody changed it since.

use crate::error::{Error, Result};

/// The row version that the caller has seen (`If-Match`), if it said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IfMatch(pub Option<i64>);

impl IfMatch {
    /// No condition.
    pub const ANY: Self = Self(None);

    /// Compares with what is there.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub fn check(self, row_version: i64) -> Result<()> {
        match self.0 {
            Some(seen) if seen != row_version => Err(Error::Stale),
            _ => Ok(()),
        }
    }
}
