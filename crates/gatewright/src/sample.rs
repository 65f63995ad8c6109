//! The service behind the sample API: it starts when somebody imports the
//! sample, and with each start of the process for as long as that API is there.

use std::future::Future;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use gatewright_control::{Caller, Control, Error, IfMatch};
use gatewright_demo::sample::{BASE_PATH, DOCUMENT, NAME, SLUG, Sample as Service};
use gatewright_model::api::Upstream;
use gatewright_model::id::ApiId;
use gatewright_model::page::PageRequest;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_web::{SampleApi, SampleService};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use crate::failure::Failure;

const FILE: &str = "sample.json";

/// What is remembered between two starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    port: u16,
    api: ApiId,
}

/// The service, running or not. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Sample(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    running: Mutex<Option<Service>>,
    /// The socket that the process before has left.
    inherited: Mutex<Option<TcpListener>>,
}

impl Sample {
    /// Nothing runs yet. When it runs it takes the socket that was inherited, if one was.
    pub(crate) fn new(data_dir: &Path, inherited: Option<TcpListener>) -> Self {
        Self(Arc::new(Inner {
            file: data_dir.join(FILE),
            running: Mutex::new(None),
            inherited: Mutex::new(inherited),
        }))
    }

    /// Starts the service again when its API is still there. It takes its port
    /// of the last time; where that is taken, its API is told the new one.
    ///
    /// # Errors
    /// When loopback has no free port, or the store fails.
    pub(crate) async fn resume(&self, control: &Control) -> Result<(), Failure> {
        let Some(record) = self.record() else {
            return Ok(());
        };
        let caller = control.command_line_caller(None).await?;
        match control.apis().get(&caller, &Ref::Id(record.api)).await {
            Ok(_) => {}
            Err(Error::NotFound { .. }) => {
                self.forget();
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        let address = self.run(record.port).await.map_err(Failure::finding)?;
        if address.port() != record.port {
            redirect(control, &caller, record, address.port()).await?;
            self.remember(record.api, address.port());
        }
        tracing::info!(%address, "the service behind the sample API runs");
        Ok(())
    }

    /// Another descriptor of its socket, where it runs, and nothing when there are no more to be had.
    pub(crate) async fn socket(&self) -> Option<TcpListener> {
        let running = self.0.running.lock().await;
        let socket = running.as_ref()?.socket();
        socket
            .inspect_err(
                |error| tracing::warn!(%error, "the socket of the sample service is not handed over"),
            )
            .ok()
    }

    /// Ends the service.
    pub(crate) async fn close(&self) {
        if let Some(service) = self.0.running.lock().await.take() {
            service.stop().await;
        }
    }

    async fn run(&self, port: u16) -> Result<SocketAddr, String> {
        let mut running = self.0.running.lock().await;
        if let Some(service) = running.as_ref() {
            return Ok(service.address());
        }
        let inherited = self.0.inherited.lock().await.take();
        let service = match inherited {
            Some(socket) => Service::start_on(socket),
            None => Service::start(port).await,
        };
        let service = service.map_err(|error| error.to_string())?;
        let address = service.address();
        *running = Some(service);
        Ok(address)
    }

    fn record(&self) -> Option<Record> {
        let text = match std::fs::read_to_string(&self.0.file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, "the record of the sample API cannot be read");
                return None;
            }
        };
        serde_json::from_str(&text)
            .inspect_err(|error| tracing::warn!(%error, "the record of the sample API is damaged"))
            .ok()
    }

    fn remember(&self, api: ApiId, port: u16) {
        let text = serde_json::json!(Record { port, api }).to_string();
        if let Err(error) = std::fs::write(&self.0.file, text) {
            tracing::warn!(%error, "the sample API is not remembered: its service ends with this process");
        }
    }

    fn forget(&self) {
        if let Err(error) = std::fs::remove_file(&self.0.file) {
            tracing::debug!(%error, "the record of the sample API stays");
        }
    }
}

impl SampleService for Sample {
    fn start(&self) -> Pin<Box<dyn Future<Output = Result<SampleApi, String>> + Send + '_>> {
        Box::pin(async {
            let address = self.run(self.record().map_or(0, |record| record.port)).await?;
            let url =
                Url::parse(&format!("http://{address}{BASE_PATH}")).map_err(|error| error.to_string())?;
            Ok(SampleApi {
                name: NAME,
                slug: SLUG,
                document: DOCUMENT,
                url,
            })
        })
    }

    fn keep(&self, api: ApiId) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let port = self
                .0
                .running
                .lock()
                .await
                .as_ref()
                .map(|service| service.address().port());
            if let Some(port) = port {
                self.remember(api, port);
            }
        })
    }
}

/// Leads the versions that went to the old port to the new one.
async fn redirect(control: &Control, caller: &Caller, record: Record, port: u16) -> Result<(), Failure> {
    let api = Ref::Id(record.api);
    let versions = control.versions();
    let known = versions.list(caller, &api, PageRequest::default()).await?;
    for view in known.items {
        let Some(moved) = view
            .upstream
            .and_then(|upstream| moved(upstream, record.port, port))
        else {
            continue;
        };
        let version = VersionRef::Id(view.version.id);
        let set = versions.set_upstream(caller, &api, &version, moved, IfMatch::ANY);
        match set.await {
            // A version that has ended takes no upstream, and needs none.
            Ok(_) | Err(Error::Guard { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn moved(mut upstream: Upstream, from: u16, to: u16) -> Option<Upstream> {
    let mut changed = false;
    for target in &mut upstream.targets {
        let ours = target.url.host_str() == Some("127.0.0.1") && target.url.port() == Some(from);
        changed |= ours && target.url.set_port(Some(to)).is_ok();
    }
    changed.then_some(upstream)
}

#[cfg(test)]
mod tests {
    use gatewright_model::api::{Balancing, Target, Timeouts};
    use gatewright_model::id::EntityId;

    use super::*;

    #[tokio::test]
    async fn the_service_starts_once_and_its_port_is_remembered() {
        let home = tempfile::tempdir().unwrap();
        let sample = Sample::new(home.path(), None);
        let first = sample.start().await.unwrap();
        assert_eq!(sample.start().await.unwrap().url, first.url);
        assert_eq!(sample.record(), None);
        let api = ApiId::from_uuid(uuid::Uuid::from_u128(7));
        sample.keep(api).await;
        let port = first.url.port().unwrap();
        assert_eq!(sample.record(), Some(Record { port, api }));
        let socket = sample.socket().await;
        assert!(socket.is_some());
        let next = Sample::new(home.path(), socket);
        assert_eq!(next.start().await.unwrap().url, first.url, "both serve it");
        next.close().await;
        sample.close().await;
        let again = Sample::new(home.path(), None);
        assert_eq!(again.start().await.unwrap().url, first.url);
        again.close().await;
        std::fs::write(home.path().join(FILE), "{").unwrap();
        assert_eq!(again.record(), None, "damage is survived");
    }

    #[test]
    fn only_the_own_target_moves() {
        let upstream = |urls: &[&str]| Upstream {
            targets: urls
                .iter()
                .map(|url| Target {
                    url: url.parse().unwrap(),
                    weight: 1,
                })
                .collect(),
            algorithm: Balancing::RoundRobin,
            timeouts: Timeouts::default(),
        };
        let both = upstream(&["http://127.0.0.1:5/v2", "http://10.0.0.1:5/"]);
        let expected = upstream(&["http://127.0.0.1:6/v2", "http://10.0.0.1:5/"]);
        assert_eq!(moved(both, 5, 6), Some(expected));
        assert_eq!(moved(upstream(&["http://127.0.0.1:7/"]), 5, 6), None);
    }
}
