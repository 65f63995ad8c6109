//! Starting the process that takes over, when a signal asks for it.

use std::io;
use std::process::{Child, Command};

/// The flag that makes a start a hand-over.
const FLAG: &str = "--take-over";

/// Starts the program under the name and with the arguments, environment and
/// output of this process, so that a new file of that name is what runs.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn start() -> io::Result<u32> {
    let mut words = std::env::args_os();
    let program = words.next().ok_or(io::ErrorKind::NotFound)?;
    let arguments: Vec<_> = words.filter(|word| word != FLAG).collect();
    let child = Command::new(program).args(arguments).arg(FLAG).spawn()?;
    let pid = child.id();
    // It outlives this process when all goes well; until then somebody has to
    // hear of its end.
    std::thread::Builder::new()
        .name("successor".to_owned())
        .spawn(move || tell_end(child))?;
    Ok(pid)
}

fn tell_end(mut child: Child) {
    let pid = child.id();
    match child.wait() {
        Ok(status) => {
            tracing::warn!({ "process.id" } = pid, %status, "the process that was to take over ended");
        }
        Err(error) => tracing::warn!(%error, "the end of a process was not heard of"),
    }
}
