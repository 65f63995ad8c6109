//! Child processes that end with the test, also when the test itself is killed.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::wait::eventually_blocking;

/// Runs its arguments and kills them when its standard input closes, which is
/// what the operating system does for us however the test ends.
const SUPERVISE: &str = r#"
exec 3<&0
# The first line is the pid, whatever the program says and however fast it is.
/bin/sh -c 'echo "$$"; exec "$@"' child "$@" </dev/null 3<&- &
child=$!
{ cat <&3; kill -KILL "$child"; } >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$child"; code=$?
kill "$watch" 2>/dev/null
exit "$code"
"#;

/// After this long without a word nothing more comes from who has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a finished program left behind.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Its exit code; 128 + n when signal n ended it.
    pub code: i32,
    /// What it said on stdout.
    pub stdout: String,
    /// What it said on stderr.
    pub stderr: String,
}

/// A running child.
pub struct Process {
    child: Child,
    pid: u32,
    lines: Mutex<Receiver<String>>,
    stderr: Arc<Mutex<String>>,
    /// Nobody can say anything on stderr any more.
    silent: Arc<AtomicBool>,
}

impl Process {
    /// Starts `program`, with `environment` in place of ours but for `PATH`,
    /// `HOME` and `TMPDIR`.
    ///
    /// # Panics
    /// When there is no shell to start it with.
    #[must_use]
    pub fn spawn(program: &OsStr, arguments: &[OsString], environment: &[(String, OsString)]) -> Self {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(SUPERVISE).arg("supervise");
        command.arg(program).args(arguments);
        isolate(&mut command, environment);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("/bin/sh starts");
        let (sender, lines) = channel();
        let stdout = child.stdout.take().expect("stdout is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stderr = Arc::new(Mutex::new(String::new()));
        let silent = Arc::new(AtomicBool::new(false));
        let (kept, heard) = (Arc::clone(&stderr), Arc::clone(&silent));
        let source = child.stderr.take().expect("stderr is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_str(&line);
                kept.push('\n');
            }
            heard.store(true, Ordering::Release);
        });
        let pid = lines
            .recv()
            .ok()
            .and_then(|line| line.parse().ok())
            .expect("the child has a pid");
        Self {
            child,
            pid,
            lines: Mutex::new(lines),
            stderr,
            silent,
        }
    }

    /// The process id of the program itself.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// The next line on stdout, if there is one by now.
    #[must_use]
    pub fn next_line(&self) -> Option<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .try_recv()
            .ok()
    }

    /// What it has said on stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that it said on stderr, once it has ended: the last lines may still be
    /// on their way through the pipe, which another process may hold open.
    #[must_use]
    pub fn last_words(&self) -> String {
        let mut said = self.stderr();
        let mut since = Instant::now();
        while !self.silent.load(Ordering::Acquire) && since.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.stderr();
            if now != said {
                (said, since) = (now, Instant::now());
            }
        }
        self.stderr()
    }

    /// Whether it has ended, and how.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.try_wait().expect("the child can be asked").map(code)
    }

    /// Sends a signal by name: `TERM`, `KILL`, `STOP`, `CONT`, `HUP`.
    ///
    /// # Panics
    /// When there is no `kill`.
    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {} 2>/dev/null", self.pid);
        Command::new("/bin/sh")
            .arg("-c")
            .arg(command)
            .status()
            .expect("/bin/sh starts");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it is still there after `within`.
    pub fn wait(&mut self, within: Duration) -> i32 {
        eventually_blocking(within, "the process ends", || self.ended())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

/// Runs a program to its end, with `environment` as for [`Process::spawn`].
///
/// # Panics
/// When it cannot be started, or is still there after `within`.
#[must_use]
pub fn run(
    program: &OsStr,
    arguments: &[OsString],
    environment: &[(String, OsString)],
    within: Duration,
) -> Exit {
    let mut command = Command::new(program);
    command.args(arguments);
    isolate(&mut command, environment);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let stdout = gather(child.stdout.take().expect("stdout is piped"));
    let stderr = gather(child.stderr.take().expect("stderr is piped"));
    let what = format!("{} {arguments:?} ends", program.display());
    let status = eventually_blocking(within, &what, || {
        child.try_wait().expect("the child can be asked")
    });
    Exit {
        code: code(status),
        stdout: stdout.join().expect("stdout was read"),
        stderr: stderr.join().expect("stderr was read"),
    }
}

fn gather(mut source: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn isolate(command: &mut Command, environment: &[(String, OsString)]) {
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// A port that nothing listens on at this moment. It lies below those that the
/// system gives away by itself, so that neither a connection nor another test
/// has it before its user comes, and again after a restart.
///
/// # Panics
/// When loopback has none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    let range = FIRST_PORT..first_port_of_the_system();
    let length = u32::from(range.end - range.start);
    // Runs beside this one begin elsewhere.
    let next = NEXT.get_or_init(|| AtomicU32::new(std::process::id().wrapping_mul(7_919)));
    for _ in 0..length {
        let offset = next.fetch_add(1, Ordering::Relaxed) % length;
        let port = range.start + u16::try_from(offset).expect("an offset within the ports");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("loopback has no free port in {range:?}");
}

const FIRST_PORT: u16 = 12_000;

/// Where the ports begin that connections and listeners get who ask for any.
fn first_port_of_the_system() -> u16 {
    let told = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let told = told.unwrap_or_default();
    let first = told
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok());
    first
        .filter(|first| *first > FIRST_PORT + 1_000)
        .unwrap_or(32_768)
}
