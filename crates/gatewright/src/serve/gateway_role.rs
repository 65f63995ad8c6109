//! The data plane of this process, with what it gets from the rest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gatewright_config::Role;
use gatewright_control::error::with_causes;
use gatewright_coordination::limiter::{Limiter, LimiterSettings, Sources};
use gatewright_gateway::metrics::Metrics;
use gatewright_gateway::record::{BatchIds, Recorder};
use gatewright_gateway::runtime::{CallerKeys, Runtime};
use gatewright_gateway::server::{Doors, Drained, Gateway, Parts, Settings, StartError};
use gatewright_gateway::source::NodeStatus;
use gatewright_gateway::sync::{Booted, ConfigSync, DiskUse, Ends};
use gatewright_model::id::{EntityId, NodeId, uuid_v7};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::serve::Ending;
use crate::serve::foundation::Foundation;
use crate::serve::handover::{Inherited, Purpose, Socket};
use crate::serve::listeners::{in_use, no_copies, refused};
use crate::status::GatewayView;
use crate::wiring::config_source::StoreSource;
use crate::wiring::counters;
use crate::wiring::node_rows::NodeRows;
use crate::wiring::record_sink::StoreSink;

const FLAG: &str = "--gateway-listen";
/// Where the gateway keeps its configuration, below the data directory.
const DISK: &str = "gateway";

/// How long one call to Redis as the authority of limits may take.
const REDIS_CALL: Duration = Duration::from_millis(100);
/// How long a call may wait for a decision of Redis.
const REDIS_DECISION: Duration = Duration::from_millis(250);
/// How long one call to the store as the authority of limits may take.
const STORE_CALL: Duration = Duration::from_millis(800);
/// How long a call may wait for a decision of the store.
const STORE_DECISION: Duration = Duration::from_secs(1);

/// The running data plane.
#[derive(Debug)]
pub(crate) struct GatewayRole {
    gateway: Gateway,
    view: GatewayView,
    rows: Arc<NodeRows>,
    disk: DiskUse,
    configured: SocketAddr,
}

impl GatewayRole {
    /// Binds and starts the gateway, and puts into service what is on disk;
    /// `None` when this process does not run it.
    ///
    /// # Errors
    /// 73 when the address is in use; 64 when the address or the directory
    /// cannot be used.
    pub(crate) async fn start(
        base: &Foundation,
        own: &[SocketAddr],
        inherited: &mut Inherited,
    ) -> Result<Option<(Self, ConfigSync)>, Failure> {
        if !base.config.roles.has(Role::Gateway) {
            return Ok(None);
        }
        let limiter = Arc::new(limiter(base).await?);
        let keys = CallerKeys {
            credentials: base.master_key.secret_hasher(),
            console: base.master_key.console_signer(),
        };
        let runtime = Arc::new(Runtime::new(keys, Arc::clone(&limiter), Arc::clone(&base.clock)));
        let view = GatewayView {
            metrics: Arc::new(Metrics::new(base.config.running.workers.get())),
            recorder: recorder(base),
            runtime,
            limiter,
        };
        let configured = base.config.listen.gateway;
        let doors = match inherited.socket(Purpose::Gateway, configured) {
            Some(socket) => Doors::HandedOver(vec![socket]),
            None => Doors::Bind,
        };
        let gateway = start(base, &view, own, doors)?;
        let rows = Arc::new(NodeRows::new(
            base.store.clone(),
            Arc::clone(&base.clock),
            Arc::clone(&view.limiter),
            base.sharing(),
            base.config.roles,
            base.draining.clone(),
            base.known.clone(),
        ));
        let sync = boot(base, &view, &rows).await?;
        let role = Self {
            disk: sync.disk_use(),
            gateway,
            view,
            rows,
            configured,
        };
        Ok(Some((role, sync)))
    }

    /// Serves on a socket that was handed over; on others it does already.
    pub(crate) fn open(&self) {
        self.gateway.open();
    }

    /// Another descriptor of its socket, for another process.
    ///
    /// # Errors
    /// When there are no more descriptors to be had.
    pub(crate) fn copies(&self) -> Result<Vec<Socket>, Failure> {
        let copies = self.gateway.sockets().map_err(|error| no_copies(&error))?;
        let sockets = copies.into_iter().map(|listener| Socket {
            purpose: Purpose::Gateway,
            configured: self.configured,
            listener,
        });
        Ok(sockets.collect())
    }

    /// Leaves the directory and the node's row to a process that takes over. It
    /// goes on following every change.
    pub(crate) async fn step_back(&self) {
        self.rows.leave_to_another(true);
        self.disk.let_go().await;
    }

    /// Takes both back: the other process did not take over.
    pub(crate) async fn step_forward(&self) {
        self.disk.use_again().await;
        self.rows.leave_to_another(false);
    }

    /// What there is to tell about it.
    pub(crate) const fn view(&self) -> &GatewayView {
        &self.view
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.gateway.addresses().first().copied()
    }

    /// Whether it has a configuration to serve with.
    pub(crate) fn has_configuration(&self) -> bool {
        self.view.runtime.snapshot_seq().is_some()
    }

    /// The change up to which it knows everything.
    pub(crate) fn applied(&self) -> i64 {
        self.view.runtime.subjects().applied()
    }

    /// Catches up with the store once, and from then on all the time.
    pub(crate) async fn keep_current(
        &self,
        mut sync: ConfigSync,
        base: &Foundation,
        stop: &CancellationToken,
    ) {
        let from = match sync.start().await {
            Booted::FromSource => "the store",
            Booted::FromDisk => "disk",
            Booted::Empty => "nowhere yet",
        };
        let serving = self.view.runtime.snapshot_seq();
        tracing::info!(snapshot.id = serving, from, "the gateway has its configuration");
        base.tasks.spawn(sync.run(stop.clone()));
    }

    /// Lets calls under way finish, writes the last records, gives leased
    /// permits back and says goodbye, if no other process speaks for the node.
    pub(crate) async fn drain(
        self,
        base: &Foundation,
        ending: Ending,
        limit: Duration,
        last_steps: Duration,
    ) {
        let drained = match ending {
            Ending::Stop => self.gateway.drain(limit).await,
            Ending::TakenOver => self.gateway.retire(limit).await,
        };
        tell_cut_off(drained);
        let last = NodeStatus {
            node_id: base.node_id,
            snapshot_seq: self.view.runtime.snapshot_seq().unwrap_or(0),
            delta_seq: self.view.runtime.subjects().applied(),
            at: base.clock.now(),
            problem: None,
        };
        let goodbye = async {
            self.view.recorder.drain().await;
            self.view.limiter.drain().await;
            self.rows.leave(&last).await;
        };
        if tokio::time::timeout(last_steps, goodbye).await.is_err() {
            tracing::warn!("the last records or permits could not be handed over in time");
        }
    }
}

fn tell_cut_off(drained: Drained) {
    if drained.cut_off > 0 {
        tracing::warn!(
            connections.cut_off = drained.cut_off,
            "the time to drain was over"
        );
    }
}

async fn boot(base: &Foundation, view: &GatewayView, rows: &Arc<NodeRows>) -> Result<ConfigSync, Failure> {
    let ends = Ends {
        source: Arc::new(StoreSource::new(base.store.clone(), &base.notices)),
        report: Arc::clone(rows) as _,
    };
    let home = base.config.store.data_dir.join(DISK);
    let opened = ConfigSync::open(base.node_id, Arc::clone(&view.runtime), ends, Some(home)).await;
    opened.map_err(|error| {
        Failure::usage(format!(
            "{}; fix: let this user read and write the data directory",
            with_causes(&error)
        ))
    })
}

async fn limiter(base: &Foundation) -> Result<Limiter, Failure> {
    let authority = counters::authority(base)?;
    let sources = Sources {
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    };
    // While one process takes over from another the node has two: what each has
    // leased is not the other's.
    let mut random = [0; 10];
    base.entropy.fill(&mut random);
    let holder = NodeId::from_uuid(uuid_v7(base.clock.now(), random));
    let mut settings = LimiterSettings::new(holder, base.sharing().at_start());
    // Slow is not away: a busy machine or a disk that syncs takes more than the
    // usual few milliseconds now and then, and a quota is worth that wait.
    (settings.call_budget, settings.wait) = if base.config.store.redis.is_some() {
        (REDIS_CALL, REDIS_DECISION)
    } else {
        (STORE_CALL, STORE_DECISION)
    };
    // The first calls wait for permits, not for a connection too. One that is
    // away does not keep this process from starting: each limit acts as it says.
    match timeout(settings.call_budget, authority.warm_up()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the authority of the limits is not there yet"),
        Err(_) => tracing::debug!("the authority of the limits is slow"),
    }
    Ok(Limiter::start(
        settings,
        authority,
        base.notices.clone(),
        sources,
        &Handle::current(),
    ))
}

fn recorder(base: &Foundation) -> Recorder {
    let sink = StoreSink::new(base.store.clone(), Arc::clone(&base.clock));
    let ids = BatchIds {
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    };
    Recorder::start(Arc::new(sink), ids, &Handle::current())
}

/// As configured. The bound on one address is for clients, not for what stands in for many.
fn settings(base: &Foundation) -> Settings {
    let clients = &base.config.clients;
    let mut settings = Settings::new(vec![base.config.listen.gateway], base.node_id);
    settings.max_body = clients.max_body;
    settings.max_connections = usize::try_from(clients.max_connections).unwrap_or(usize::MAX);
    settings.max_connections_per_address = clients.max_connections_per_address;
    settings.max_buffered = usize::try_from(clients.max_buffered).unwrap_or(usize::MAX);
    settings.uncapped.extend(&clients.trusted_proxies);
    settings.trusted_proxies.clone_from(&clients.trusted_proxies);
    settings
}

fn start(
    base: &Foundation,
    view: &GatewayView,
    own: &[SocketAddr],
    doors: Doors,
) -> Result<Gateway, Failure> {
    let settings = settings(base);
    for address in own {
        settings.own_listeners.add(*address);
    }
    let workers = base.config.running.workers.get();
    let parts = Parts {
        runtime: Arc::clone(&view.runtime),
        records: (0..workers).map(|_| view.recorder.queue()).collect(),
        metrics: Arc::clone(&view.metrics),
        entropy: Arc::clone(&base.entropy),
        doors,
    };
    Gateway::start(settings, parts).map_err(|error| match error {
        StartError::AddressInUse { address } => in_use(address, FLAG),
        StartError::Bind { address, source } => refused(address, FLAG, &source),
        other => Failure::finding(with_causes(&other)),
    })
}
