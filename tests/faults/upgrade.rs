//! A new process takes over from a running one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use gatewright_testkit::server::{MASTER_KEY, Server, Setup};
use gatewright_testkit::wait::eventually;
use serde_json::json;

use super::load::{PATIENCE, size, soak};
use crate::world::{World, decided, limit, settles_at};

/// A kept connection is given up after so many calls, so that new ones come all the time.
const CALLS_OF_A_CONNECTION: usize = 40;
/// What a caller with pauses waits: it is idle when the processes change.
const THINKS: Duration = Duration::from_millis(25);

/// One kind of caller.
#[derive(Debug, Clone, Copy)]
enum Caller {
    /// One call after the other over a kept connection.
    Busy,
    /// The same with pauses.
    Thoughtful,
    /// A connection for each call.
    Fresh,
}

/// Callers that go on until they are told to end.
struct Crowd {
    answered: Arc<AtomicUsize>,
    failed: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn new() -> Self {
        Self {
            answered: Arc::default(),
            failed: Arc::default(),
            stop: Arc::default(),
            threads: Vec::new(),
        }
    }

    /// One more caller of an address; every answer has to be 200.
    fn add(&mut self, caller: Caller, authority: &str, path: &str, field: &str) {
        let connection = if matches!(caller, Caller::Fresh) {
            "close"
        } else {
            "keep-alive"
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\n{field}\r\nConnection: {connection}\r\n\r\n"
        );
        let authority = authority.to_owned();
        let (answered, failed) = (Arc::clone(&self.answered), Arc::clone(&self.failed));
        let stop = Arc::clone(&self.stop);
        self.threads.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if let Err(why) = connection_of(caller, &authority, &request, &answered, &stop) {
                    failed
                        .lock()
                        .unwrap()
                        .push(format!("{caller:?} {authority}: {why}"));
                }
            }
        }));
    }

    /// Waits until so many calls were answered, however slow this machine is.
    async fn reaches(&self, calls: usize) {
        let mut seen = 0;
        while seen < calls {
            seen = eventually(PATIENCE, "the callers go on", || async {
                let now = self.answered.load(Ordering::Relaxed);
                (now > seen).then_some(now)
            })
            .await;
        }
    }

    /// Ends it: how many calls were answered, and what became of the others.
    fn end(mut self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        let failed = std::mem::take(&mut *self.failed.lock().unwrap());
        (self.answered.load(Ordering::Relaxed), failed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Uses one connection until it is worn out, or the other side says that it ends.
fn connection_of(
    caller: Caller,
    authority: &str,
    request: &str,
    answered: &AtomicUsize,
    stop: &AtomicBool,
) -> Result<(), String> {
    let stream = TcpStream::connect(authority).map_err(|error| format!("connect: {error}"))?;
    let limits = stream
        .set_nodelay(true)
        .and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
    limits.map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(stream);
    for call in 0..CALLS_OF_A_CONNECTION {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let sent = reader.get_mut().write_all(request.as_bytes());
        let answer = sent.and_then(|()| answer(&mut reader));
        let answer = answer.map_err(|error| format!("call {call} of a connection: {error}"))?;
        if !answer.starts_with("http/1.1 200 ") {
            return Err(answer);
        }
        answered.fetch_add(1, Ordering::Relaxed);
        if answer.contains("\r\nconnection: close\r\n") {
            break;
        }
        if matches!(caller, Caller::Thoughtful) {
            std::thread::sleep(THINKS);
        }
    }
    Ok(())
}

/// The head of an answer, in lower case, once its body was read.
fn answer(reader: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::Error::other(format!("the end after {head:?}")));
        }
    }
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| std::io::Error::other(format!("no length: {head}")))?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(head)
}

/// Starts a process that takes over, and gives it and the one before.
fn replace(server: Server) -> (Server, Server) {
    let setup = server.setup().clone();
    let mut next = setup.clone().arg("--take-over").start();
    next.set_setup(setup);
    (next, server)
}

fn ended_well(old: Vec<Server>) {
    for server in old {
        let exit = server.wait();
        assert_eq!(exit.code, 0, "{}", exit.stderr);
        assert!(!exit.stderr.contains("cut off"), "{}", exit.stderr);
    }
}

/// Callers of each gateway, of every kind.
async fn callers_of(servers: &[Server], path: &str, key: &str) -> Crowd {
    let mut crowd = Crowd::new();
    let field = format!("x-api-key: {key}");
    let kinds = [
        Caller::Busy,
        Caller::Thoughtful,
        Caller::Thoughtful,
        Caller::Fresh,
    ];
    for server in servers {
        let gateway = server.gateway();
        settles_at(&gateway.with("x-api-key", key), path, 200).await;
        for kind in kinds {
            crowd.add(kind, gateway.authority(), path, &field);
        }
    }
    crowd
}

/// Those who open connections to the management API and the status listener.
fn others_of(server: &Server) -> Crowd {
    let mut crowd = Crowd::new();
    let (management, status) = (server.management(), server.status());
    for (client, path) in [(management, "/api/v1/openapi.json"), (status, "/readyz")] {
        crowd.add(Caller::Fresh, client.authority(), path, "Accept: */*");
    }
    crowd
}

/// Replaces each process; those before join the old ones.
fn replace_all(servers: Vec<Server>, old: &mut Vec<Server>) -> Vec<Server> {
    let mut next = Vec::new();
    for server in servers {
        let (new, before) = replace(server);
        assert_eq!(new.ready()["gateway"], before.ready()["gateway"]);
        assert_ne!(new.pid(), before.pid());
        next.push(new);
        old.push(before);
    }
    next
}

/// Nobody was failed; gives how many were answered.
fn nobody_failed(crowd: Crowd) -> usize {
    let (answered, failed) = crowd.end();
    let example = failed.first();
    assert!(
        failed.is_empty(),
        "{} of {answered} failed, for example {example:?}",
        failed.len()
    );
    answered
}

async fn r06_no_call_fails_while_processes_are_replaced(mut world: World) {
    let mut quota = limit("quota", "monthly", 100_000_000, "1mo");
    if !soak() {
        // Beside other tests an authority may answer late; that is not what this is about.
        quota["on_store_failure"] = json!("local");
    }
    let published = world.publish("lasting", json!({"limits": [quota]})).await;
    let consumer = world.consumer(&published).await;
    let mut servers: Vec<Server> = std::iter::once(world.server).chain(world.node).collect();
    let crowd = callers_of(&servers, "/lasting/v1/pets", &consumer.secret).await;
    let others = others_of(&servers[0]);
    let (calls, rounds) = (size(50_000, 500_000), size(3, 10));
    let (mut old, mut slowest) = (Vec::new(), Duration::ZERO);
    for round in 1..=rounds {
        crowd.reaches(calls * round / (rounds + 1)).await;
        let began = Instant::now();
        servers = replace_all(servers, &mut old);
        slowest = slowest.max(began.elapsed());
    }
    crowd.reaches(calls).await;
    let (answered, beside) = (nobody_failed(crowd), nobody_failed(others));
    println!(
        "FIGURE: R6 0 of {answered} calls and of {beside} new connections to management and status failed over {rounds} upgrades of {} process(es), each within {slowest:?}",
        servers.len()
    );
    ended_well(old);
    // Nothing was lost on the way: what is changed now arrives at the new ones.
    world.server = servers.remove(0);
    world.node = servers.pop();
    world.admin = world.server.management().bearer(&world.server.setup().token());
    world.publish("afterwards", json!({"security": "keyless"})).await;
    for gateway in world.gateways() {
        settles_at(&gateway, "/afterwards/v1/pets", 200).await;
    }
}

both_stores!(r06_no_call_fails_while_processes_are_replaced);

async fn r06_a_quota_holds_while_a_process_is_replaced(world: World) {
    let quota = limit("quota", "monthly", 600, "1mo");
    let published = world.publish("counted", json!({"limits": [quota]})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.server.gateway().with("x-api-key", &consumer.secret);
    let calls = |count: usize| {
        let gateway = gateway.clone();
        async move {
            let mut passed = 0;
            for _ in 0..count {
                passed += usize::from(decided(&gateway, "/counted/v1/pets").await.status == 200);
            }
            passed
        }
    };
    let before = calls(200).await;
    assert_eq!(before, 200);
    let setup = world.server.setup().clone();
    let starting = setup.clone().arg("--take-over").spawn();
    let during = calls(200).await;
    let mut next = starting.settle().expect("the next process is ready");
    next.set_setup(setup);
    let mut passed = before + during;
    // The old one gives back what it held when it has drained.
    let exit = world.server.wait();
    assert_eq!(exit.code, 0, "{}", exit.stderr);
    passed += calls(300).await;
    println!("FIGURE: R6 {passed} of 600 permits were usable over an upgrade");
    // What it cannot give back within a second it says.
    let least = if exit.stderr.contains("are written off") {
        0
    } else {
        594
    };
    assert!((least..=600).contains(&passed), "{passed}");
}

both_stores!(r06_a_quota_holds_while_a_process_is_replaced);

#[tokio::test]
async fn r06_a_process_that_does_not_get_ready_takes_nothing_over() {
    let world = World::embedded();
    world.publish("steady", json!({"security": "keyless"})).await;
    let gateway = world.gateway();
    settles_at(&gateway, "/steady/v1/pets", 200).await;
    let setup = world.server.setup().clone();
    let mut crowd = Crowd::new();
    for caller in [Caller::Busy, Caller::Thoughtful, Caller::Fresh] {
        crowd.add(caller, gateway.authority(), "/steady/v1/pets", "Accept: */*");
    }
    // Killed at any step of its start, which ends at a store that does not answer.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("postgres://{}/none", silent.local_addr().unwrap());
    let late = setup
        .clone()
        .arg("--take-over")
        .env("GATEWRIGHT_DATABASE_URL", nowhere);
    let late = late.env("GATEWRIGHT_MASTER_KEY", MASTER_KEY);
    let kills = size(6, 60);
    for _ in 0..kills {
        let chance = SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_micros() % 1_200_000;
        let starting = late.spawn();
        tokio::time::sleep(Duration::from_micros(chance.into())).await;
        starting.kill();
        lock_names(setup.data_dir(), |holder| holder == world.server.pid()).await;
    }
    println!("FIGURE: R6 {kills} processes killed while they took over");
    // An address that is taken ends it with the code of any start.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let exit = setup
        .clone()
        .arg("--take-over")
        .arg("--status-listen")
        .arg(taken.local_addr().unwrap().to_string())
        .try_start();
    assert_eq!(exit.err().map(|exit| exit.code), Some(73));
    nobody_failed(crowd);
    // The directory is in use again: what comes now survives a crash.
    world.publish("kept", json!({"security": "keyless"})).await;
    settles_at(&gateway, "/kept/v1/pets", 200).await;
    let second = setup.clone().try_start();
    assert_eq!(
        second.err().map(|exit| exit.code),
        Some(73),
        "there is one server at a time"
    );
    world.server.kill();
    let again = setup.start();
    settles_at(&again.gateway(), "/kept/v1/pets", 200).await;
    settles_at(&again.gateway(), "/steady/v1/pets", 200).await;
}

/// Ends a process that no other is the parent of.
struct Orphan(u32);

impl Drop for Orphan {
    fn drop(&mut self) {
        signal("KILL", self.0);
    }
}

fn signal(name: &str, pid: u32) {
    let words = [format!("-{name}"), pid.to_string()];
    std::process::Command::new("kill").args(words).status().unwrap();
}

/// Waits until the one is named who is expected to hold a data directory; nobody
/// is while the name is written.
async fn lock_names(data_dir: &Path, expected: impl Fn(u32) -> bool) -> u32 {
    eventually(PATIENCE, "the lock names its holder", || async {
        let text = std::fs::read_to_string(data_dir.join("serve.lock")).ok()?;
        text.trim().parse().ok().filter(|holder| expected(*holder))
    })
    .await
}

#[tokio::test]
async fn r06_a_signal_starts_the_process_that_takes_over() {
    let home = tempfile::tempdir().unwrap();
    let manager = std::os::unix::net::UnixDatagram::bind(home.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut message = [0; 100];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let setup = Setup::embedded().env("NOTIFY_SOCKET", home.path().join("notify"));
    let world = World::from_server(setup.start());
    assert_eq!(told(), format!("MAINPID={}\nREADY=1\n", world.server.pid()));
    world.publish("signalled", json!({"security": "keyless"})).await;
    let gateway = world.gateway();
    settles_at(&gateway, "/signalled/v1/pets", 200).await;
    let mut crowd = Crowd::new();
    for caller in [Caller::Busy, Caller::Thoughtful, Caller::Fresh] {
        crowd.add(caller, gateway.authority(), "/signalled/v1/pets", "Accept: */*");
    }
    let (first, setup) = (world.server.pid(), world.server.setup().clone());
    world.server.signal("USR2");
    let next = lock_names(setup.data_dir(), |holder| holder != first).await;
    let orphan = Orphan(next);
    assert_eq!(told(), format!("MAINPID={next}\nREADY=1\n"));
    ended_well(vec![world.server]);
    gateway.get("/signalled/v1/pets").await.expect(200);
    nobody_failed(crowd);
    signal("TERM", orphan.0);
    eventually(PATIENCE, "the directory is free", || async {
        TcpStream::connect(gateway.authority()).is_err().then_some(())
    })
    .await;
}
