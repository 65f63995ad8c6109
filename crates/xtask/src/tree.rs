//! The files of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

/// Folders that are never part of the source, for trees without git.
const FOREIGN: [&str; 5] = [".git", "target", "node_modules", "gatewright-data", ".run"];

/// A text file with its path below the root, in `/` form.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    /// Whether it ends so.
    pub(crate) fn is(&self, extension: &str) -> bool {
        self.path
            .rsplit_once('.')
            .is_some_and(|(_, end)| end == extension)
    }
}

/// The root of the workspace.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
    let root = Path::new(&manifest)
        .ancestors()
        .nth(2)
        .context("crates/xtask lies two folders below the root")?;
    Ok(root.to_path_buf())
}

/// Every text file that git knows or would add.
pub(crate) fn files(root: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut paths = match tracked(root) {
        Some(paths) => paths,
        None => walk(root)?,
    };
    paths.sort();
    paths.dedup();
    let read = paths.into_iter().filter_map(|path| {
        // What is deleted but still in the index, and what is not text, has nothing to say here.
        let text = std::fs::read_to_string(root.join(&path)).ok()?;
        Some(SourceFile { path, text })
    });
    Ok(read.collect())
}

fn tracked(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .output()
        .ok()?;
    let listing = String::from_utf8(output.stdout).ok()?;
    let found = listing
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    output.status.success().then_some(found)
}

fn walk(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            if FOREIGN.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if let Ok(path) = entry.path().strip_prefix(root) {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}
