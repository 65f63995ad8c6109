//! The roles that need the store: the use cases with the management API, the
//! portal and the worker over them. They open when the store has been reached.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use gatewright_config::{Config, Role};
use gatewright_control::Control;
use gatewright_control::control::{Parts, PublicUrls};
use gatewright_control::fetch::Fetcher;
use gatewright_control::passwords::Password;
use gatewright_management::ManagementSettings;
use gatewright_model::address::AddressPolicy;
use gatewright_web::{SampleService, WebSettings};
use gatewright_worker::{Keep, Worker};

use crate::commands::session;
use crate::failure::Failure;
use crate::sample::Sample;
use crate::schema::{self, Upgrade};
use crate::serve::addresses::Addresses;
use crate::serve::foundation::Foundation;
use crate::serve::mail;
use crate::serve::surface::Surface;
use crate::wiring::counters;

/// The use cases and their surfaces, open or not yet.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    addresses: Addresses,
    own_listeners: Vec<SocketAddr>,
    gateway: Option<SocketAddr>,
    sample: Option<Sample>,
    management: Surface,
    portal: Surface,
    use_cases: OnceLock<Control>,
}

impl ControlPlane {
    /// Nothing is open yet. `gateway` is where the gateway of this process
    /// listens; without one no gateway is sure to reach the sample service.
    pub(crate) fn new(
        addresses: Addresses,
        own_listeners: Vec<SocketAddr>,
        gateway: Option<SocketAddr>,
        sample: Sample,
    ) -> Self {
        Self {
            addresses,
            own_listeners,
            sample: gateway.is_some().then_some(sample),
            gateway,
            management: Surface::default(),
            portal: Surface::new(gatewright_web::before_the_store()),
            use_cases: OnceLock::new(),
        }
    }

    /// What the listener of the management API serves.
    pub(crate) fn management(&self) -> Router {
        self.management.router()
    }

    /// What the listener of the portal serves.
    pub(crate) fn portal(&self) -> Router {
        self.portal.router()
    }

    /// The use cases, once the store has been reached.
    pub(crate) fn use_cases(&self) -> Option<&Control> {
        self.use_cases.get()
    }

    /// Opens the store, checks schema and key, makes the first administrator
    /// where one is named, and opens the roles.
    ///
    /// # Errors
    /// 69 when the store is out of reach; 64 when it may not be used as it is.
    pub(crate) async fn reach(&self, base: &Foundation) -> Result<(), Failure> {
        let store = schema::open(&base.config.store.database, Arc::clone(&base.entropy)).await?;
        let upgrade = if base.config.migrate {
            Upgrade::Always
        } else {
            Upgrade::Embedded
        };
        schema::settle(&store, base.clock.as_ref(), upgrade).await?;
        let control = Control::new(Parts {
            store: store.clone(),
            notices: base.notices.clone(),
            clock: Arc::clone(&base.clock),
            entropy: Arc::clone(&base.entropy),
            master_key: base.master_key.clone(),
            fetcher: Fetcher::new(AddressPolicy {
                private: false,
                allow: base.config.network.fetch_allow.clone(),
            }),
            urls: PublicUrls {
                gateway: self.addresses.gateway.as_str().to_owned(),
                portal: self.addresses.portal.as_str().to_owned(),
            },
            own_listeners: self.own_listeners.clone(),
            local_gateway: base
                .config
                .roles
                .has(Role::Gateway)
                .then(|| base.known.subscribe()),
        })
        .asking(counters::authority(base)?);
        let control = if base.config.mail.is_some() {
            control.sending_mail()
        } else {
            control
        };
        session::prepare(&control).await?;
        make_first_admin(&control, &base.config).await?;
        base.store.fill(store);
        self.open(control, base)
    }

    fn open(&self, control: Control, base: &Foundation) -> Result<(), Failure> {
        let roles = base.config.roles;
        if roles.has(Role::Management) {
            let router = gatewright_management::router(control.clone(), ManagementSettings::default());
            self.management.open(router);
        }
        if roles.has(Role::Portal) {
            let settings = WebSettings {
                local_gateway: self.gateway,
                sample: self
                    .sample
                    .clone()
                    .map(|sample| Arc::new(sample) as Arc<dyn SampleService>),
                management_url: self.addresses.management.as_str().to_owned(),
                ..WebSettings::default()
            };
            self.portal
                .open(gatewright_web::router(control.clone(), settings));
        }
        if roles.has(Role::Worker) {
            let retention = base.config.running.retention;
            let keep = Keep {
                calls: retention.calls,
                usage: retention.usage,
            };
            let worker = Worker::new(control.clone(), keep, Arc::clone(&base.entropy));
            base.tasks.spawn(worker.run(base.draining.clone()));
            mail::deliver(&control, base)?;
        }
        if self.use_cases.set(control).is_err() {
            tracing::debug!("the use cases are open already");
        }
        Ok(())
    }
}

/// Makes the administrator that the environment names, when there is none.
/// Two processes that start at once may both try: one of them finds the other's.
async fn make_first_admin(control: &Control, config: &Config) -> Result<(), Failure> {
    let Some(first) = &config.first_admin else {
        return Ok(());
    };
    if control.has_admin().await? {
        return Ok(());
    }
    let password = Password::parse(first.password.expose()).map_err(|invalid| {
        Failure::usage(format!(
            "GATEWRIGHT_ADMIN_PASSWORD {invalid}; fix: choose another password"
        ))
    })?;
    match control.create_admin(first.email.clone(), password).await {
        Ok(user) => tracing::info!({ "user.id" } = %user.id, "made the first administrator"),
        Err(error) => {
            if !control.has_admin().await? {
                return Err(error.into());
            }
        }
    }
    Ok(())
}
