//! Which documents come from which crate.

use std::path::Path;

use anyhow::Context;

use super::Mode;

/// A generated file and where its text comes from.
struct Document {
    path: &'static str,
    render: fn() -> String,
}

const DOCUMENTS: &[Document] = &[
    Document {
        path: "docs/configuration.md",
        render: gatewright_config::reference_markdown,
    },
    Document {
        path: "docs/management-openapi.json",
        render: management_openapi,
    },
];

fn management_openapi() -> String {
    let text = gatewright_management::openapi();
    format!("{}\n", text.trim_end())
}

pub(super) fn run(root: &Path, mode: Mode) -> anyhow::Result<bool> {
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
