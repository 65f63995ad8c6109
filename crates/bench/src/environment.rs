//! Where a run takes place: the programs it needs, and what it must tell about
//! the machine for its figures to mean anything.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use anyhow::{Context, bail};

/// A program and the Debian package that has it.
const NEEDED: [(&str, &[&str], &str); 4] = [
    ("nginx", &["-v"], "nginx-light"),
    ("wrk", &["-v"], "wrk"),
    ("taskset", &["--version"], "util-linux"),
    ("setpriv", &["--version"], "util-linux"),
];

/// Checks that everything is there.
///
/// # Errors
/// Names what is missing and how to install it.
pub(crate) fn check() -> anyhow::Result<()> {
    let missing = NEEDED
        .iter()
        .filter(|(program, version, _)| said(program, version).is_none());
    let (programs, packages): (Vec<&str>, Vec<&str>) =
        missing.map(|(program, _, package)| (*program, *package)).unzip();
    if !programs.is_empty() {
        bail!(
            "{} not found; install with: apt-get install {}",
            programs.join(", "),
            packages.join(" ")
        );
    }
    Ok(())
}

/// One paragraph about the machine and the programs.
pub(crate) fn describe() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |name| {
            name.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let nginx = said("nginx", &["-v"]).unwrap_or_default();
    let wrk = said("wrk", &["-v"]).unwrap_or_default();
    format!(
        "{processor}, {cores} cores, Linux {}; {}; {}.",
        kernel.trim(),
        nginx.trim_start_matches("nginx version: "),
        wrk.split(" [").next().unwrap_or_default()
    )
}

/// A free port of the loopback interface, for programs that cannot ask for one
/// themselves. Somebody else may take it in between: then the program says so.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

/// The first line that a program says about itself; `None` when it is not there.
fn said(program: &str, version: &[&str]) -> Option<String> {
    let output = Command::new(program).args(version).output().ok()?;
    let all = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&all).lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_told_from_one_that_is_there() {
        assert_eq!(said("no-such-program-here", &[]), None);
        assert!(said("sh", &["-c", "echo 1.2 >&2"]).is_some_and(|line| line == "1.2"));
    }

    #[test]
    fn two_free_addresses_are_on_loopback() {
        assert!(free_address().unwrap().ip().is_loopback());
    }
}
