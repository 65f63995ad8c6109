//! Documents that come out of code, so that they cannot be wrong.

use std::path::Path;

use anyhow::Context;

/// Whether to write or to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write what is stale.
    Write,
    /// Say what is stale.
    Check,
}

/// A generated file and where its text comes from.
struct Document {
    path: &'static str,
    render: fn() -> String,
}

const DOCUMENTS: &[Document] = &[Document {
    path: "docs/configuration.md",
    render: gatewright_config::reference_markdown,
}];

/// Writes or compares every generated document; false when one was stale in [`Mode::Check`].
pub(crate) fn run(root: &Path, mode: Mode) -> anyhow::Result<bool> {
    let mut current = true;
    for document in DOCUMENTS {
        let path = root.join(document.path);
        let text = (document.render)();
        if std::fs::read_to_string(&path).is_ok_and(|found| found == text) {
            println!("gen: {} is current", document.path);
            continue;
        }
        match mode {
            Mode::Check => {
                current = false;
                println!("gen: {} is stale: cargo xtask gen", document.path);
            }
            Mode::Write => {
                std::fs::write(&path, text).with_context(|| path.display().to_string())?;
                println!("gen: {} is written", document.path);
            }
        }
    }
    Ok(current)
}
