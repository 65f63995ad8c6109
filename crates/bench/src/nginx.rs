//! nginx, as the upstream of everybody and as the gateway that we compare with.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use gatewright_model::id::ApplicationId;

use crate::child::{Place, Running, command};
use crate::workload::{BURST, LABEL, Named, RATE, Workload};

/// Bodies up to this size are part of the configuration; larger ones are files.
const SMALL: usize = 1_024;

/// Starts the upstream: every path gets the same JSON of `body` bytes.
pub(crate) fn start_upstream(
    dir: &Path,
    address: SocketAddr,
    workers: usize,
    body: usize,
    place: Place,
) -> anyhow::Result<Running> {
    let home = home(dir, "upstream")?;
    let document = document(body);
    let location = if body <= SMALL {
        format!("location / {{ default_type application/json; return 200 '{document}'; }}")
    } else {
        fs::write(home.join("body.json"), document)?;
        format!(
            "root {};\n    open_file_cache max=16;\n    open_file_cache_valid 1h;\n    \
             location / {{ default_type application/json; try_files /body.json =404; }}",
            home.display()
        )
    };
    let http = format!(
        "  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  server {{\n    listen {address} backlog=4096;\n    \
         {location}\n  }}\n"
    );
    start("upstream", &home, workers, &http, place)
}

/// Starts the gateway that nginx can be: keys, a keyed rate, header edits, an access log.
pub(crate) fn start_gateway(
    dir: &Path,
    address: SocketAddr,
    workers: usize,
    upstream: SocketAddr,
    workload: Workload,
    place: Place,
) -> anyhow::Result<Running> {
    let home = home(dir, "gateway")?;
    fs::write(home.join("keys.map"), keys(workload.keys)?)?;
    fs::write(home.join("locations"), locations(workload.apis)?)?;
    let http = format!(
        "{KEYED}  limit_req_zone $consumer zone=plan:64m rate={RATE}r/s;\n  limit_req_status 429;\n\
         {}  server {{\n    listen {address} backlog=4096;\n    \
         if ($consumer = \"\") {{ return 401; }}\n    limit_req zone=plan burst={BURST} nodelay;\n\
         {EDITS}    include locations;\n  }}\n",
        pool(upstream)
    );
    start("nginx as gateway", &home, workers, &http, place)
}

/// Starts a plain `proxy_pass`.
pub(crate) fn start_hand_over(
    dir: &Path,
    address: SocketAddr,
    workers: usize,
    upstream: SocketAddr,
    place: Place,
) -> anyhow::Result<Running> {
    let home = home(dir, "hand-over")?;
    let http = format!(
        "  access_log off;\n{}  server {{\n    listen {address} backlog=4096;\n    proxy_http_version 1.1;\n    \
         proxy_set_header Connection \"\";\n    location / {{ proxy_pass http://upstream; }}\n  }}\n",
        pool(upstream)
    );
    start("nginx as proxy", &home, workers, &http, place)
}

/// The map is read from a file, since a hundred thousand lines are no configuration.
const KEYED: &str = r#"  map_hash_max_size 262144;
  map_hash_bucket_size 128;
  map $http_x_api_key $consumer { default ""; include keys.map; }
  log_format calls '$request_id $msec $consumer $request_method $uri $status $body_bytes_sent $request_time $upstream_response_time';
  access_log /dev/null calls buffer=64k flush=1s;
"#;

/// What our gateway says to the upstream and to the client (`product.md`, section 5).
const EDITS: &str = r#"    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-API-Key "";
    proxy_set_header X-Consumer-Id app_$consumer;
    proxy_set_header X-Consumer-Name "app $consumer";
    proxy_set_header X-Subscription-Id sub_$consumer;
    proxy_set_header X-Plan standard;
    proxy_set_header X-Request-Id $request_id;
    proxy_set_header traceparent 00-$request_id-00f067aa0ba902b7-01;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host;
    add_header X-Request-Id $request_id;
    add_header RateLimit-Policy '"rate";q=10000;w=1';
    add_header RateLimit '"rate";r=999;t=1';
"#;

fn pool(upstream: SocketAddr) -> String {
    format!(
        "  upstream upstream {{\n    server {upstream};\n    keepalive 512;\n    keepalive_requests 1000000000;\n    \
         keepalive_timeout 1h;\n  }}\n"
    )
}

fn keys(count: u32) -> Result<String, std::fmt::Error> {
    let mut map = String::new();
    for number in 0..count {
        let id = Workload::id::<ApplicationId>(Named::Consumer, number).to_string();
        let suffix = id.strip_prefix("app_").unwrap_or(&id);
        writeln!(map, "{} {suffix};", Workload::key(number).expose())?;
    }
    Ok(map)
}

fn locations(count: u32) -> Result<String, std::fmt::Error> {
    let mut locations = String::new();
    for number in 0..count {
        let context = Workload::context(number);
        writeln!(
            locations,
            "location {context}/{LABEL}/ {{ proxy_pass http://upstream/; }}"
        )?;
    }
    Ok(locations)
}

/// A JSON object of exactly so many bytes.
fn document(bytes: usize) -> String {
    let (start, end) = ("{\"data\":\"", "\"}");
    let filling = bytes.saturating_sub(start.len() + end.len());
    format!("{start}{}{end}", "x".repeat(filling))
}

fn home(dir: &Path, name: &str) -> std::io::Result<PathBuf> {
    let home = dir.join(name);
    fs::create_dir_all(home.join("temporary"))?;
    Ok(home)
}

fn start(name: &str, home: &Path, workers: usize, http: &str, place: Place) -> anyhow::Result<Running> {
    let configuration = home.join("nginx.conf");
    let user = if is_root()? { "user root;\n" } else { "" };
    let at = home.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {at}/temporary/{kind};\n"))
        .concat();
    let text = format!(
        "{user}daemon off;\nworker_processes {workers};\nworker_rlimit_nofile 16384;\npid {at}/pid;\n\
         error_log stderr error;\nevents {{ worker_connections 8192; }}\nhttp {{\n{temporary}  \
         keepalive_requests 1000000000;\n  keepalive_timeout 1h;\n{http}}}\n"
    );
    fs::write(&configuration, text)?;
    let mut command = command(OsStr::new("nginx"), place);
    command.arg("-p").arg(home).arg("-c").arg(&configuration);
    Running::start(name, command)
}

/// Workers of a root master become `nobody`, who may not read the files of ours.
fn is_root() -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_its_size() {
        for bytes in [200, 16_384] {
            let document = document(bytes);
            assert_eq!(document.len(), bytes);
            assert!(serde_json::from_str::<serde_json::Value>(&document).is_ok());
        }
    }

    #[test]
    fn every_key_and_every_api_has_its_line() {
        let keys = keys(3).unwrap();
        assert_eq!(keys.lines().count(), 3);
        assert!(keys.starts_with(Workload::key(0).expose()));
        let locations = locations(2).unwrap();
        assert!(locations.contains("location /api-0001/v1/ {"), "{locations}");
    }
}
