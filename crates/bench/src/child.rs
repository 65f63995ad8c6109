//! Programs that run beside the harness, on the cores they were given, and end
//! with it however it ends.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long a program has to end when it is asked to.
const FAREWELL: Duration = Duration::from_secs(10);

/// Where a program may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On one core alone.
    Core(u16),
    /// Wherever the kernel puts it.
    Anywhere,
}

/// A command that runs on its cores and gets a signal when this thread ends
/// (`PR_SET_PDEATHSIG`), so start it from the thread that lives longest.
pub(crate) fn command(program: &OsStr, place: Place) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]);
    if let Place::Core(core) = place {
        command.args(["taskset", "--cpu-list", &core.to_string()]);
    }
    command.arg(program);
    command
}

/// A program that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    /// Our own programs end when it closes.
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Running {
    /// Starts it.
    pub(crate) fn start(name: &str, mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self {
            name: name.to_owned(),
            stdin: child.stdin.take(),
            child,
            lines,
        })
    }

    /// Its process id. The programs before it replace themselves by it.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints.
    pub(crate) fn line(&self, limit: Duration) -> anyhow::Result<String> {
        let line = self.lines.recv_timeout(limit);
        line.with_context(|| format!("{} said nothing within {limit:?}", self.name))
    }

    /// Fails when it has ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} has ended: {status}", self.name);
        }
        Ok(())
    }

    /// Closes its standard input and returns the last line that it printed.
    pub(crate) fn finish(mut self) -> anyhow::Result<String> {
        drop(self.stdin.take());
        let end = Instant::now() + FAREWELL;
        let mut last = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => last = line,
                Err(_) => return Ok(last),
            }
        }
    }

    fn terminate(&mut self) -> std::io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let end = Instant::now() + FAREWELL;
        while Instant::now() < end {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if let Err(error) = self.terminate() {
            eprintln!("{} may still run: {error}", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_runs_on_its_core_and_ends_when_dropped() {
        let mut command = command(OsStr::new("sh"), Place::Core(0));
        command.args(["-c", "taskset -cp $$; cat; echo bye; exec sleep 600"]);
        let mut running = Running::start("sh", command).unwrap();
        let line = running.line(Duration::from_secs(10)).unwrap();
        assert!(line.ends_with(" 0"), "{line}");
        running.check().unwrap();
        let stat = format!("/proc/{}/stat", running.pid());
        assert!(std::path::Path::new(&stat).exists());
        drop(running);
        assert!(!std::path::Path::new(&stat).exists());
    }

    #[test]
    fn what_is_said_last_is_kept() {
        let mut command = command(OsStr::new("sh"), Place::Anywhere);
        command.args(["-c", "echo ready; cat; echo bye"]);
        let running = Running::start("sh", command).unwrap();
        assert_eq!(running.line(Duration::from_secs(10)).unwrap(), "ready");
        assert_eq!(running.finish().unwrap(), "bye");
    }
}
