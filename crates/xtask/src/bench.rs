//! Hands over to the benchmark harness, which brings its own peers and loads.

use std::path::Path;

use anyhow::bail;

use crate::cargo;

/// Builds and runs crates/bench.
pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<bool> {
    if !root.join("crates/bench/Cargo.toml").exists() {
        bail!("there is no crates/bench in this tree");
    }
    // What runs at scale is the product itself.
    if arguments.first().is_some_and(|first| first == "scale")
        && !cargo::run(root, &["build", "--release", "--package", "gatewright"])?
    {
        return Ok(false);
    }
    let mut all = vec!["run", "--release", "--package", "gatewright-bench", "--"];
    all.extend(arguments.iter().map(String::as_str));
    cargo::run(root, &all)
}
