//! A server from its first socket to its last record.
//!
//! Everything that can be refused is refused in this order: the configuration
//! (before this module is called), the data directory, the sockets, the store
//! and its schema, the master key. Then the roles open, and one line on stdout
//! says so.
//!
//! Start reading in [`run`], then [`Server::come_up`] (the order of the start)
//! and [`Server::drain`] (the order of the end). How one process takes over from
//! another is in [`handover`].

pub(crate) mod addresses;
pub(crate) mod control_plane;
pub(crate) mod foundation;
mod gateway_role;
pub(crate) mod handover;
mod listeners;
mod mail;
mod ready;
mod reload;
mod replacement;
mod signals;
mod supervisor;
mod surface;

use std::time::Duration;

use gatewright_config::{Config, ConfigErrors, DataDirLock, Exit, Role};
use gatewright_control::Control;
use gatewright_gateway::sync::ConfigSync;
use gatewright_webkit::serve::{ServeBounds, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::demo::Shop;
use crate::failure::Failure;
use crate::sample::Sample;
use crate::serve::addresses::Addresses;
use crate::serve::control_plane::ControlPlane;
use crate::serve::foundation::Foundation;
use crate::serve::gateway_role::GatewayRole;
use crate::serve::handover::{Inherited, Link, Purpose, Socket, claim};
use crate::serve::listeners::{Bound, Listeners};
use crate::serve::ready::Ready;
use crate::serve::reload::Reloading;
use crate::serve::signals::{Asked, Signals};
use crate::status::{Status, StoreWatch};

/// How long a store that is away is left alone.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked whether something has happened that the start waits for.
const LOOK: Duration = Duration::from_millis(50);
/// How often it is looked whether somebody made the first administrator.
const LOOK_FOR_ADMIN: Duration = Duration::from_secs(1);
/// What the last steps of the end may take beside the drain.
const LAST_STEPS: Duration = Duration::from_secs(8);

const NO_ADMIN: &str = "there is no administrator yet; the server serves, and is ready once there is one";
const NO_ADMIN_FIX: &str = "run `gatewright admin create --email you@example.com` with the same settings";

/// Reads the configuration.
pub(crate) type Load<'a> = dyn Fn() -> Result<Config, ConfigErrors> + 'a;

/// What the server starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// What its users made.
    Own,
    /// The sample shop besides.
    Demo,
}

/// How the server comes to its sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// It binds them.
    Anew,
    /// From the process that has them, when there is one.
    TakeOver,
}

/// Why a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was asked to, or cannot go on.
    Stop,
    /// Another process serves in its place.
    TakenOver,
}

/// What a server stands on when it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Everything.
    Whole,
    /// The configuration on disk: the store is away.
    FromDisk,
}

/// Serves until it is asked to end, or until another process has taken over.
/// `load` reads the configuration once more.
///
/// # Errors
/// Whatever keeps it from starting, with the code to end with.
pub(crate) async fn run(
    config: Config,
    content: Content,
    start: Start,
    load: &Load<'_>,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let mut reloading = Reloading::new(&config, load);
    let mut inherited = match start {
        Start::Anew => Inherited::default(),
        Start::TakeOver => claim(&config.store.data_dir).await?,
    };
    let lock = inherited.lock(&config.store.data_dir)?;
    let (mut server, sync) = Server::open(config, content, lock, inherited).await?;
    let outcome = until_end(&mut server, sync, content, &mut signals, &mut reloading).await;
    server.drain(*outcome.as_ref().unwrap_or(&Ending::Stop)).await;
    outcome.map(|_| Exit::Success)
}

async fn until_end(
    server: &mut Server,
    sync: Option<ConfigSync>,
    content: Content,
    signals: &mut Signals,
    reloading: &mut Reloading<'_>,
) -> Result<Ending, Failure> {
    let mut life = Box::pin(server.live(sync));
    loop {
        let asked = tokio::select! {
            outcome = &mut life => return outcome,
            asked = signals.next() => asked,
        };
        match asked {
            Asked::End => {
                tracing::info!("asked to end: draining");
                return Ok(Ending::Stop);
            }
            Asked::Reload => reloading.reload(),
            Asked::Replace => replacement::begin(content),
        }
    }
}

/// The parts of a running server.
#[derive(Debug)]
struct Server {
    base: Foundation,
    gateway: Option<GatewayRole>,
    control: ControlPlane,
    status: Status,
    watch: StoreWatch,
    ready: Ready,
    shop: Option<Shop>,
    sample: Sample,
    /// Ends what serves health and reports, after everything else.
    last: CancellationToken,
    /// Ends the status listener, at the latest with the rest.
    status_end: CancellationToken,
    lock: DataDirLock,
    /// What a process that takes over is given, beside what the gateway has.
    sockets: Vec<Socket>,
    /// What is not served yet.
    waiting: Option<Listeners>,
    /// To the process that this one takes over from, until it has.
    link: Option<Link>,
}

impl Server {
    /// Binds every socket and starts what needs no store.
    /// Sockets that another process serves wait until this one can.
    async fn open(
        config: Config,
        content: Content,
        lock: DataDirLock,
        mut inherited: Inherited,
    ) -> Result<(Self, Option<ConfigSync>), Failure> {
        let base = Foundation::lay(config)?;
        let listeners = Listeners::bind(&base.config, &mut inherited)?;
        let started = GatewayRole::start(&base, &listeners.addresses(), &mut inherited).await?;
        let (gateway, sync) = match started {
            Some((gateway, sync)) => (Some(gateway), Some(sync)),
            None => (None, None),
        };
        let shop = match content {
            Content::Own => None,
            Content::Demo => Some(Shop::open(&base.config).await?),
        };
        let sample = Sample::new(&base.config.store.data_dir, inherited.any_socket(Purpose::Sample));
        let addresses = public_addresses(&base.config, gateway.as_ref(), &listeners)?;
        let mut own_listeners = listeners.addresses();
        own_listeners.extend(gateway.as_ref().and_then(GatewayRole::address));
        let watch = StoreWatch::new(base.store.clone());
        let status = Status::new(
            gateway.as_ref().map(|gateway| gateway.view().clone()),
            watch.clone(),
        );
        let address = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.address);
        let ready = Ready::new(
            gateway.as_ref().and_then(GatewayRole::address),
            address(&listeners.management),
            address(&listeners.portal),
            listeners.status.address,
        );
        let last = CancellationToken::new();
        let mut server = Self {
            control: ControlPlane::new(
                addresses,
                own_listeners,
                gateway.as_ref().and_then(GatewayRole::address),
                sample.clone(),
            ),
            status_end: last.child_token(),
            last,
            lock,
            sockets: listeners.copies()?,
            waiting: Some(listeners),
            link: inherited.into_link(),
            base,
            gateway,
            status,
            watch,
            ready,
            shop,
            sample,
        };
        if server.link.is_none() {
            server.listen()?;
        }
        Ok((server, sync))
    }

    /// Serves on the sockets; until the store has been reached the answer is 503.
    fn listen(&mut self) -> Result<(), Failure> {
        let Some(listeners) = self.waiting.take() else {
            return Ok(());
        };
        let stop = &self.base.draining;
        self.serve_on(Some(listeners.status), self.status.router(), &self.status_end)?;
        self.serve_on(listeners.management, self.control.management(), stop)?;
        self.serve_on(listeners.portal, self.control.portal(), stop)?;
        self.base.tasks.spawn(self.watch.clone().run(self.last.clone()));
        Ok(())
    }

    fn serve_on(
        &self,
        bound: Option<Bound>,
        router: axum::Router,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let Some(bound) = bound else {
            return Ok(());
        };
        let listener = TcpListener::from_std(bound.listener)
            .map_err(|error| Failure::finding(format!("{} cannot be served: {error}", bound.address)))?;
        let bounds = ServeBounds {
            drain: self.base.config.running.drain,
            ..ServeBounds::default()
        };
        let stopped = stop.clone().cancelled_owned();
        self.base.tasks.spawn(serve(listener, router, bounds, stopped));
        Ok(())
    }

    /// Comes up, and is there until another process takes over, or until an end
    /// comes from outside.
    async fn live(&mut self, sync: Option<ConfigSync>) -> Result<Ending, Failure> {
        let standing = self.come_up(sync).await?;
        self.ready.print()?;
        self.relieve().await;
        supervisor::tell_ready();
        let completed = async {
            if standing == Standing::FromDisk {
                self.complete().await;
            }
            std::future::pending().await
        };
        tokio::select! {
            ending = self.hand_over() => Ok(ending),
            ending = completed => Ok(ending),
        }
    }

    /// Takes the place of the process before, where there is one.
    async fn relieve(&mut self) {
        tracing::info!("ready");
        let Some(link) = self.link.take() else {
            return;
        };
        if let Err(error) = self.lock.sign() {
            tracing::warn!(%error, "the lock of the data directory names the process before");
        }
        link.serving().await;
    }

    async fn come_up(&mut self, sync: Option<ConfigSync>) -> Result<Standing, Failure> {
        match self.control.reach(&self.base).await {
            Ok(()) => {
                self.keep_current(sync).await;
                self.furnish().await?;
                self.wait_for_configuration().await;
                self.wait_for_admin().await?;
                self.open_doors()?;
                Ok(Standing::Whole)
            }
            Err(failure) if failure.exit == Exit::Unavailable && self.serves_from_disk() => {
                tracing::warn!(error = %failure, "the store is away: serving the configuration that is on disk");
                // A configuration on disk says that the installation was set up before.
                self.keep_current(sync).await;
                self.open_doors()?;
                Ok(Standing::FromDisk)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Serves on the sockets that were handed over, beside the process that has done so.
    fn open_doors(&mut self) -> Result<(), Failure> {
        self.listen()?;
        if let Some(gateway) = &self.gateway {
            gateway.open();
        }
        Ok(())
    }

    /// Does what had to wait for the store.
    async fn complete(&self) {
        self.wait_for_store().await;
        if let Err(failure) = self.furnish().await {
            tracing::error!(error = %failure, "the sample shop could not be furnished");
        }
    }

    fn serves_from_disk(&self) -> bool {
        self.gateway.as_ref().is_some_and(GatewayRole::has_configuration)
    }

    async fn keep_current(&mut self, sync: Option<ConfigSync>) {
        self.watch.look().await;
        if let (Some(gateway), Some(sync)) = (&mut self.gateway, sync) {
            gateway.keep_current(sync, &self.base, &self.last).await;
        }
    }

    /// Puts the sample shop in, where that was asked for, and starts what is
    /// behind the sample API, where there is one.
    async fn furnish(&self) -> Result<(), Failure> {
        if let (Some(shop), Some(control)) = (&self.shop, self.control.use_cases()) {
            shop.furnish(control).await?;
        }
        if let (Some(_), Some(control)) = (&self.gateway, self.control.use_cases()) {
            // A sample is worth a line in the log, not a server that does not start.
            if let Err(failure) = self.sample.resume(control).await {
                tracing::warn!(error = %failure, "the service behind the sample API does not run");
            }
        }
        Ok(())
    }

    /// Waits until the gateway has what the store has now.
    async fn wait_for_configuration(&self) {
        let Some(gateway) = &self.gateway else {
            return;
        };
        self.watch.look().await;
        while !gateway.has_configuration() || gateway.applied() < self.watch.head() {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn wait_for_admin(&self) -> Result<(), Failure> {
        let Some(control) = self.control.use_cases() else {
            return Ok(());
        };
        let mut told = false;
        loop {
            match control.has_admin().await {
                Ok(true) => return Ok(()),
                Ok(false) if !told => {
                    self.invite_first_admin(control).await?;
                    told = true;
                }
                Ok(false) | Err(gatewright_control::Error::Unavailable) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(LOOK_FOR_ADMIN).await;
        }
    }

    /// Prints the one-time link of the first run, where this process serves the portal.
    async fn invite_first_admin(&self, control: &Control) -> Result<(), Failure> {
        if !self.base.config.roles.has(Role::Portal) {
            tracing::warn!("{NO_ADMIN}: {NO_ADMIN_FIX}");
            return Ok(());
        }
        if let Some(link) = control.setup().new_link().await? {
            // The link is a secret, and the log of the first start is where its one reader looks for it.
            let link = link.expose();
            tracing::warn!("{NO_ADMIN}: open {link} in a browser, or {NO_ADMIN_FIX}");
        }
        Ok(())
    }

    async fn wait_for_store(&self) {
        let mut told = None;
        loop {
            tokio::time::sleep(STORE_PAUSE).await;
            let Err(failure) = self.control.reach(&self.base).await else {
                tracing::info!("the store has been reached: every role serves");
                return;
            };
            if failure.exit != Exit::Unavailable && told.as_deref() != Some(failure.to_string().as_str()) {
                tracing::error!(error = %failure, "the store answers but cannot be used");
                told = Some(failure.to_string());
            }
        }
    }

    /// Ends every part, in the order in which they need each other, within the
    /// time to drain and a few last steps.
    async fn drain(self, ending: Ending) {
        let limit = self.base.config.running.drain;
        drop(self.sockets);
        match ending {
            Ending::Stop => self.status.drain(),
            // Who asks for health asks the process that serves.
            Ending::TakenOver => self.status_end.cancel(),
        }
        self.base.draining.cancel();
        if let Some(gateway) = self.gateway {
            gateway.drain(&self.base, ending, limit, LAST_STEPS).await;
        }
        if let Some(shop) = self.shop {
            shop.close().await;
        }
        self.sample.close().await;
        self.last.cancel();
        self.base.tasks.close();
        within(limit + LAST_STEPS, "parts of the process", self.base.tasks.wait()).await;
        self.base.notices.close().await;
        if let Ok(store) = self.base.store.get() {
            within(LAST_STEPS, "connections to the store", store.close()).await;
        }
        tracing::info!("ended");
    }
}

/// Waits for an end, but not for ever.
async fn within(limit: Duration, what: &'static str, end: impl Future<Output = ()>) {
    if tokio::time::timeout(limit, end).await.is_err() {
        tracing::warn!(what, "something did not end in time");
    }
}

fn public_addresses(
    config: &Config,
    gateway: Option<&GatewayRole>,
    listeners: &Listeners,
) -> Result<Addresses, Failure> {
    let of = |bound: &Option<Bound>, configured| bound.as_ref().map_or(configured, |bound| bound.address);
    Addresses::new(
        &config.urls,
        gateway
            .and_then(GatewayRole::address)
            .unwrap_or(config.listen.gateway),
        of(&listeners.management, config.listen.management),
        of(&listeners.portal, config.listen.portal),
    )
}
