//! The load generator `wrk`, with a script that sends prepared requests in turn.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::child::{Place, command};
use crate::workload::Asked;

/// What stands before the figures in the output.
const FIGURES: &str = "figures";

/// `requests.txt` is read, because a table of 20,000 requests in the source
/// exceeds what one function of LuaJIT may hold. A second thread begins in the
/// middle, so that two do not ask the same at the same time.
const SCRIPT: &str = r#"
local threads = 0
function setup(thread)
  thread:set("thread_number", threads)
  threads = threads + 1
end

local requests, place = {}, 0
function init(arguments)
  for line in io.lines("REQUESTS") do
    local path, key = line:match("^(%S+) ?(%S*)$")
    local headers = {
      ["Host"] = wrk.headers["Host"],
      ["User-Agent"] = "gatewright-bench",
      ["Accept"] = "application/json",
      ["Accept-Language"] = "en",
      ["Cache-Control"] = "no-cache",
    }
    if key ~= "" then headers["X-API-Key"] = key else headers["X-Client"] = "bench" end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
  place = math.floor(#requests / 2) * thread_number
end

function request()
  place = place % #requests + 1
  return requests[place]
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("figures %d %d %d %d %d %d\n", summary.requests, summary.duration,
    e.status, e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"#;

/// A script that is ready to run.
#[derive(Debug)]
pub(crate) struct Load {
    script: PathBuf,
}

/// How a load is put on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pressure {
    /// Kept connections, each with one request at a time.
    pub(crate) connections: u32,
    /// Threads of the load generator.
    pub(crate) threads: u32,
    /// For how long, in whole seconds.
    pub(crate) seconds: u32,
    /// Where the load generator runs.
    pub(crate) place: Place,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answered {
    /// Answers, whatever their status.
    pub(crate) requests: u64,
    /// How long it took.
    pub(crate) time: Duration,
    /// Answers with a status of 400 and above, and requests without an answer.
    pub(crate) failed: u64,
    /// Half of the answers came within this time.
    pub(crate) p50: Duration,
    /// 99 of 100 answers came within this time.
    pub(crate) p99: Duration,
}

impl Answered {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.time.as_secs_f64()
    }
}

impl Load {
    /// Writes the script and its requests.
    pub(crate) fn prepare(dir: &Path, requests: &[Asked]) -> std::io::Result<Self> {
        let list = dir.join("requests.txt");
        let line = |asked: &Asked| {
            let key = asked.key.as_ref().map_or("", |key| key.expose());
            format!("{} {key}\n", asked.path)
        };
        fs::write(&list, requests.iter().map(line).collect::<String>())?;
        let script = dir.join("requests.lua");
        fs::write(&script, SCRIPT.replace("REQUESTS", &list.display().to_string()))?;
        Ok(Self { script })
    }

    /// Puts the load on a server and waits until it is over.
    pub(crate) fn put_on(&self, address: SocketAddr, pressure: &Pressure) -> anyhow::Result<Answered> {
        let mut command = command(OsStr::new("wrk"), pressure.place);
        command
            .args(["--threads", &pressure.threads.to_string()])
            .args(["--connections", &pressure.connections.to_string()])
            .args(["--duration", &format!("{}s", pressure.seconds)])
            .arg("--script")
            .arg(&self.script)
            .arg(format!("http://{address}/"));
        let output = command.output().context("wrk does not start")?;
        let text = String::from_utf8_lossy(&output.stdout);
        match figures(&text) {
            Some(answered) if output.status.success() => Ok(answered),
            _ => bail!("wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

fn figures(output: &str) -> Option<Answered> {
    let line = output.lines().find_map(|line| line.strip_prefix(FIGURES))?;
    let numbers: Vec<u64> = line
        .split_whitespace()
        .map_while(|number| number.parse().ok())
        .collect();
    let [requests, micros, status, unanswered, p50, p99] = *numbers else {
        return None;
    };
    Some(Answered {
        requests,
        time: Duration::from_micros(micros),
        failed: status + unanswered,
        p50: Duration::from_micros(p50),
        p99: Duration::from_micros(p99),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_among_the_other_lines() {
        let answered = figures("Running 1s test\nfigures 1000 2000000 3 4 150 900\nbye\n").unwrap();
        assert_eq!(answered.requests, 1_000);
        assert_eq!(answered.time, Duration::from_secs(2));
        assert_eq!(answered.failed, 7);
        assert_eq!(answered.p99, Duration::from_micros(900));
        assert_eq!(figures("unable to connect"), None);
    }
}
