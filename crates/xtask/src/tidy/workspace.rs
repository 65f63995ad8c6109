//! The top level of the repository, its manifests and their reasons.

use std::collections::BTreeSet;

use anyhow::Context;

use crate::tree::SourceFile;

/// Everything that may stand at the top level.
const TOP: [&str; 24] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "crates",
    "deny.toml",
    "deploy",
    "docker-compose.yml",
    ".dockerignore",
    "docs",
    "install.sh",
    "migrations",
    "rustfmt.toml",
    "static",
    "templates",
    "tests",
    "web",
    ".gitattributes",
    ".github",
    "CHANGELOG.md",
];

/// All rules of this file.
pub(super) fn check(files: &[SourceFile]) -> anyhow::Result<Vec<String>> {
    let mut findings = top_level(files);
    findings.extend(crate_roots(files));
    let manifest = files
        .iter()
        .find(|file| file.path == "Cargo.toml")
        .context("there is a Cargo.toml")?;
    findings.extend(reasons(&manifest.text));
    for manifest in files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        findings.extend(member(manifest)?);
    }
    Ok(findings)
}

/// How many crates the lock file holds.
pub(super) fn locked_crates(files: &[SourceFile]) -> usize {
    let lock = files.iter().find(|file| file.path == "Cargo.lock");
    lock.map_or(0, |lock| {
        lock.text.lines().filter(|line| *line == "[[package]]").count()
    })
}

fn top_level(files: &[SourceFile]) -> Vec<String> {
    let entries: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.split('/').next())
        .collect();
    let foreign = entries.into_iter().filter(|entry| !TOP.contains(entry));
    foreign
        .map(|entry| format!("{entry}: does not belong at the top level"))
        .collect()
}

/// A library begins with what it is, what it must not know, and where to start reading.
fn crate_roots(files: &[SourceFile]) -> Vec<String> {
    let roots = files
        .iter()
        .filter(|file| file.path.ends_with("/src/lib.rs") || file.path.ends_with("/src/main.rs"));
    roots
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| format!("{}: begins without saying what the crate is", file.path))
        .collect()
}

/// Every block of dependencies begins with the sentence that justifies it.
fn reasons(manifest: &str) -> Vec<String> {
    let lines = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1);
    let mut findings = Vec::new();
    let mut justified = false;
    for line in lines.take_while(|line| !line.starts_with('[')) {
        if line.starts_with('#') {
            justified = line.len() > 8;
        } else if line.trim().is_empty() {
            justified = false;
        } else if let Some((name, _)) = line.split_once('=').filter(|_| !justified) {
            findings.push(format!(
                "Cargo.toml: {} has no sentence that justifies it",
                name.trim()
            ));
        }
    }
    findings
}

fn member(manifest: &SourceFile) -> anyhow::Result<Vec<String>> {
    let parsed: toml::Table = manifest.text.parse().with_context(|| manifest.path.clone())?;
    let mut findings = Vec::new();
    // Fuzz targets need another toolchain: they stand outside of the workspace.
    if parsed.contains_key("workspace") && manifest.path.ends_with("/fuzz/Cargo.toml") {
        return Ok(findings);
    }
    let inherits = |table: &str| {
        let value = parsed.get(table).and_then(|table| table.get("workspace"));
        value.and_then(toml::Value::as_bool) == Some(true)
    };
    if !inherits("lints") {
        findings.push(format!("{}: [lints] workspace = true is missing", manifest.path));
    }
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let dependencies = parsed.get(table).and_then(toml::Value::as_table);
        for (name, value) in dependencies.into_iter().flatten() {
            if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                findings.push(format!("{}: {name} must come from the workspace", manifest.path));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn dependencies_need_a_reason_and_a_block_may_share_one() {
        let manifest = "[workspace.dependencies]\n# Text in, values out, both ways.\nserde = \"1\"\nserde_json = \"1\"\n\nrand = \"0.10\"\n[profile.dev]\ndebug = 1\n";
        assert_eq!(
            reasons(manifest),
            ["Cargo.toml: rand has no sentence that justifies it"]
        );
    }

    #[test]
    fn members_inherit_lints_and_versions() {
        let text = "[package]\nname = \"x\"\n[dependencies]\nserde = \"1\"\n";
        assert_eq!(member(&file("crates/x/Cargo.toml", text)).unwrap().len(), 2);
        let text = "[package]\nname = \"x\"\n[dependencies]\nserde = { workspace = true }\n[lints]\nworkspace = true\n";
        assert!(member(&file("crates/x/Cargo.toml", text)).unwrap().is_empty());
    }

    #[test]
    fn strangers_at_the_top_level_are_found() {
        let files = [
            file("Cargo.toml", ""),
            file("notes/a.md", ""),
            file("crates/a/src/lib.rs", "//! A."),
        ];
        assert_eq!(top_level(&files), ["notes: does not belong at the top level"]);
    }
}
