//! Everything that takes part in a measurement, started and seen to work.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::ValueEnum;
use tempfile::TempDir;

use crate::child::{Place, Running, command};
use crate::environment::free_address;
use crate::nginx;
use crate::under_test::READY;
use crate::usage::Cores;
use crate::workload::{Asked, Scenario, Workload};
use crate::wrk::Load;

/// How long a program has until it serves: a build without optimisation hashes
/// 100,000 keys in this time.
const START: Duration = Duration::from_secs(120);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// Who runs where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The proxy alone on one core with one worker, everything else on another
    Pinned,
    /// Two workers, and everybody shares all cores
    Unpinned,
}

/// The cores of the pinned mode.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct PinnedCores {
    /// The core of the proxy in pinned mode
    #[arg(long, default_value_t = 0)]
    pub(crate) proxy_core: u16,
    /// The core of upstream and load generator in pinned mode
    #[arg(long, default_value_t = 1)]
    pub(crate) load_core: u16,
}

/// A mode on this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Where the proxy runs.
    pub(crate) proxy: Place,
    /// Where upstream and load generator run.
    pub(crate) load: Place,
    /// Workers of every server.
    pub(crate) workers: u32,
    /// Threads of the load generator.
    pub(crate) load_threads: u32,
    /// Whose time is charged to the proxy when everything that runs there is counted.
    pub(crate) charged: Cores,
}

impl Layout {
    /// The layout of a mode.
    pub(crate) const fn of(mode: Mode, cores: PinnedCores) -> Self {
        match mode {
            Mode::Pinned => Self {
                proxy: Place::Core(cores.proxy_core),
                load: Place::Core(cores.load_core),
                workers: 1,
                load_threads: 1,
                charged: Cores::One(cores.proxy_core),
            },
            Mode::Unpinned => Self {
                proxy: Place::Anywhere,
                load: Place::Anywhere,
                workers: 2,
                load_threads: 2,
                charged: Cores::All,
            },
        }
    }
}

/// What a stage is set for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// What is asked of whom.
    pub(crate) workload: Workload,
    /// Bytes of every answer.
    pub(crate) body: usize,
    /// Who runs where.
    pub(crate) layout: Layout,
}

/// A proxy that is measured.
#[derive(Debug)]
pub(crate) struct Contestant {
    /// How tables name it.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    running: Running,
}

impl Contestant {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Ends it and returns what it said last.
    pub(crate) fn finish(self) -> anyhow::Result<String> {
        self.running.finish()
    }
}

/// An upstream and the proxies before it.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The first is nginx, the others are builds of ours.
    pub(crate) contestants: Vec<Contestant>,
    /// The upstream itself, for what there is without a proxy.
    pub(crate) upstream: SocketAddr,
    /// What is asked.
    pub(crate) load: Load,
    upstream_process: Running,
    /// Goes last: the others have files in it.
    _home: TempDir,
}

impl Stage {
    /// Starts everything and asks everybody once.
    pub(crate) fn set(setting: &Setting, binaries: &[PathBuf]) -> anyhow::Result<Self> {
        let home = tempfile::tempdir().context("no directory for the benchmark")?;
        let layout = setting.layout;
        let workers = layout.workers as usize;
        let upstream = free_address()?;
        let upstream_process =
            nginx::start_upstream(home.path(), upstream, workers, setting.body, layout.load)?;
        let requests = setting.workload.requests();
        let mut stage = Self {
            contestants: vec![start_nginx(setting, home.path(), upstream)?],
            upstream,
            load: Load::prepare(home.path(), &requests)?,
            upstream_process,
            _home: home,
        };
        for binary in binaries {
            let gateway = start_ours(setting, upstream, binary, Vec::new())?;
            stage.contestants.push(gateway);
        }
        stage.prove(setting, &requests)?;
        Ok(stage)
    }

    /// Fails when somebody has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.upstream_process.check()?;
        self.contestants
            .iter_mut()
            .try_for_each(|contestant| contestant.running.check())
    }

    /// A proxy that lets everybody through, or answers by itself, would win.
    fn prove(&mut self, setting: &Setting, requests: &[Asked]) -> anyhow::Result<()> {
        let Some(asked) = requests.first() else {
            bail!("there is nothing to ask");
        };
        let stranger = Asked {
            path: asked.path.clone(),
            key: asked.key.as_ref().map(|_| Workload::key(u32::MAX)),
        };
        for contestant in &mut self.contestants {
            let name = &contestant.name;
            let (status, length) = ask_until_ready(contestant.address, asked, &mut contestant.running)?;
            if status != 200 || length != setting.body {
                bail!(
                    "{name} answers {status} with {length} bytes instead of 200 with {}",
                    setting.body
                );
            }
            if setting.workload.scenario.is_keyed() {
                let (status, _) = ask(contestant.address, &stranger)?;
                if status != 401 {
                    bail!("{name} answers {status} to an unknown key instead of 401");
                }
            }
        }
        Ok(())
    }
}

fn start_nginx(setting: &Setting, home: &Path, upstream: SocketAddr) -> anyhow::Result<Contestant> {
    let address = free_address()?;
    let (workers, place) = (setting.layout.workers as usize, setting.layout.proxy);
    let running = match setting.workload.scenario {
        Scenario::Gateway | Scenario::RateOnly => {
            nginx::start_gateway(home, address, workers, upstream, setting.workload, place)?
        }
        Scenario::HandOver => nginx::start_hand_over(home, address, workers, upstream, place)?,
    };
    Ok(Contestant {
        name: "nginx".to_owned(),
        address,
        running,
    })
}

/// Starts a build of ours, behind a program that watches it when `under` names one.
pub(crate) fn start_ours(
    setting: &Setting,
    upstream: SocketAddr,
    binary: &Path,
    under: Vec<OsString>,
) -> anyhow::Result<Contestant> {
    let workload = setting.workload;
    let mut line = under.into_iter().chain([binary.as_os_str().to_owned()]);
    let program = line.next().unwrap_or_default();
    let mut command = command(&program, setting.layout.proxy);
    command
        .args(line)
        .arg("gateway-under-test")
        .args(["--scenario", workload.scenario.word()])
        .args(["--upstream", &format!("http://{upstream}")])
        .args(["--workers", &setting.layout.workers.to_string()])
        .args(["--apis", &workload.apis.to_string()])
        .args(["--keys", &workload.keys.to_string()]);
    let name = name_of(binary);
    let running = Running::start(&name, command)?;
    let line = running.line(START)?;
    let address = line
        .strip_prefix(READY)
        .with_context(|| format!("{name} says `{line}` instead of its address"))?;
    Ok(Contestant {
        address: address.parse()?,
        name,
        running,
    })
}

/// The folder of a binary is the profile that it was built with.
fn name_of(binary: &Path) -> String {
    let folder = binary.parent().and_then(Path::file_name);
    let profile = folder.map_or_else(|| binary.to_string_lossy(), |folder| folder.to_string_lossy());
    format!("gatewright ({profile})")
}

fn ask_until_ready(
    address: SocketAddr,
    asked: &Asked,
    running: &mut Running,
) -> anyhow::Result<(u16, usize)> {
    let end = Instant::now() + START;
    loop {
        match ask(address, asked) {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() >= end => return Err(error),
            Err(_) => running.check()?,
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks once on a connection of its own; returns the status and the bytes of the body.
fn ask(address: SocketAddr, asked: &Asked) -> anyhow::Result<(u16, usize)> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let key = asked
        .key
        .as_ref()
        .map_or_else(String::new, |key| format!("X-API-Key: {}\r\n", key.expose()));
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{key}\r\n",
        asked.path
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok((status.context("no status")?, body.len()))
}
