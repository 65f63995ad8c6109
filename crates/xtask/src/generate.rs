//! Documents that come out of code, so that they cannot be wrong.

use std::path::Path;

/// Whether to write or to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write what is stale.
    Write,
    /// Say what is stale.
    Check,
}

/// Without the crates that documents come from: runs us again with them.
#[cfg(not(feature = "documents"))]
pub(crate) fn run(root: &Path, mode: Mode) -> anyhow::Result<bool> {
    let mut arguments = vec![
        "run",
        "--package",
        "gatewright-xtask",
        "--features",
        "documents",
        "--",
        "gen",
    ];
    if mode == Mode::Check {
        arguments.push("--check");
    }
    crate::cargo::run(root, &arguments)
}

/// Writes or compares every generated document; false when one was stale in [`Mode::Check`].
#[cfg(feature = "documents")]
pub(crate) fn run(root: &Path, mode: Mode) -> anyhow::Result<bool> {
    documents::run(root, mode)
}

#[cfg(feature = "documents")]
mod documents;
