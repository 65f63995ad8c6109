//! Runs the cargo that runs us.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

/// Runs a subcommand and says whether it was content.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> anyhow::Result<bool> {
    println!("cargo {}", arguments.join(" "));
    let status = Command::new(program()).args(arguments).current_dir(root).status();
    Ok(status.context("cargo does not start")?.success())
}

/// The packages of the workspace, as `cargo metadata` tells them.
pub(crate) fn packages(root: &Path) -> anyhow::Result<Vec<Value>> {
    let output = Command::new(program())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cargo metadata does not start")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
    match metadata.get_mut("packages").map(Value::take) {
        Some(Value::Array(packages)) => Ok(packages),
        _ => bail!("cargo metadata lists no packages"),
    }
}

fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
