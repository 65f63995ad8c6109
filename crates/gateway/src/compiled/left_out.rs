//! A version that cannot be used as it was delivered: it is left out alone, and
//! every other version serves in its newest form.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use gatewright_model::id::{EntityId, VersionId};
use gatewright_model::snapshot::PartRef;

use super::CompiledVersion;
use super::version::VersionAddress;

/// Such a version.
#[derive(Debug)]
pub(crate) struct LeftOut {
    pub(crate) version: VersionId,
    /// What is wrong with it.
    pub(crate) reason: String,
    /// Whether its bytes are here. Others are asked for again.
    pub(super) delivered: bool,
    stand_in: Option<Arc<CompiledVersion>>,
}

impl LeftOut {
    /// A version without a usable form. At its address stands its last good
    /// form; without one a refusal, as far as the address can be read.
    pub(super) fn new(
        reference: &PartRef,
        reason: String,
        body: Option<&Bytes>,
        last_good: Option<&Arc<CompiledVersion>>,
    ) -> Self {
        let refusal = || {
            let address: VersionAddress = serde_json::from_slice(body?).ok()?;
            Some(Arc::new(CompiledVersion::unavailable(&address)))
        };
        Self {
            version: VersionId::from_uuid(reference.key),
            reason,
            delivered: body.is_some(),
            stand_in: last_good.cloned().or_else(refusal),
        }
    }

    /// A version that is whole and belongs to nothing: it has no address.
    pub(super) fn homeless(reference: &PartRef) -> Self {
        Self {
            version: VersionId::from_uuid(reference.key),
            reason: "its API is not in the configuration".to_owned(),
            delivered: true,
            stand_in: None,
        }
    }

    /// What stands at its address.
    pub(super) const fn stand_in(&self) -> Option<&Arc<CompiledVersion>> {
        self.stand_in.as_ref()
    }

    /// The last form of it that could be used.
    pub(super) fn last_good(&self) -> Option<&Arc<CompiledVersion>> {
        self.stand_in.as_ref().filter(|version| !version.unavailable)
    }

    /// Whether an earlier form of it serves.
    pub(crate) fn serves(&self) -> bool {
        self.last_good().is_some()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instead = if self.serves() {
            "its last good form serves"
        } else {
            "its calls are refused"
        };
        write!(
            f,
            "version {} is left out: {}; {instead}",
            self.version, self.reason
        )
    }
}
