//! Rules that no compiler checks. Each returns its findings, `path: what and why`.

mod leftovers;
mod names;
mod sizes;
mod stores;
mod walls;
mod workspace;

use std::path::Path;

use crate::{cargo, tree};

/// Above this many crates in the lock file somebody should ask why.
const CRATES: usize = 420;

/// Runs every rule; false when one has a finding.
pub(crate) fn run(root: &Path) -> anyhow::Result<bool> {
    let files = tree::files(root)?;
    let packages = cargo::packages(root)?;
    let mut findings = walls::check(&packages);
    findings.extend(names::check(&files));
    findings.extend(sizes::check(&files));
    findings.extend(stores::check(&files));
    findings.extend(leftovers::check(&files));
    findings.extend(workspace::check(&files)?);
    findings.sort();
    for finding in &findings {
        println!("tidy: {finding}");
    }
    let crates = workspace::locked_crates(&files);
    let remark = if crates > CRATES {
        format!(" (more than {CRATES}: which of them can go?)")
    } else {
        String::new()
    };
    println!(
        "tidy: {} files, {crates} crates in Cargo.lock{remark}, {} findings",
        files.len(),
        findings.len()
    );
    Ok(findings.is_empty())
}
