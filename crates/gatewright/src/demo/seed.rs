//! Puts the shop into a tenant. Each step looks first and does only what is
//! missing, so that it can be done again after a crash or a restart, and does
//! not touch what users changed.

use std::time::Duration;

use gatewright_control::apis::ApiPatch;
use gatewright_control::applications::NewApplication;
use gatewright_control::credentials::NewCredential;
use gatewright_control::import::{ImportRequest, ImportSource};
use gatewright_control::lifecycle::Transition;
use gatewright_control::limits::{NewLimit, RawLimit};
use gatewright_control::plans::{NewPlan, PlanVersions};
use gatewright_control::samples::Made;
use gatewright_control::subscriptions::{NewSubscription, SubscriptionFilter};
use gatewright_control::versions::NewVersion;
use gatewright_control::{Caller, Control, Error, IfMatch};
use gatewright_demo::seed::{
    APIS, APPLICATIONS, Behind, Life, SeedApi, SeedApplication, SeedApproval, SeedLimit, SeedLimitKind,
    SeedPlan, SeedVersion,
};
use gatewright_demo::upstreams::Addresses;
use gatewright_model::api::{Balancing, Target, Timeouts, Upstream, VersionState, Visibility};
use gatewright_model::consumer::{
    Application, ApplicationState, ApplicationVerb, CredentialKind, Environment,
};
use gatewright_model::id::ApiId;
use gatewright_model::invalid::Invalid;
use gatewright_model::page::PageRequest;
use gatewright_model::plan::{ApprovalMode, Plan, PlanState, PlanVerb, Security};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::{ContextPath, Name, Remark, Slug, VersionLabel};
use url::Url;

use crate::demo::{ports, sample_usage};
use crate::failure::Failure;

const DAY: Duration = Duration::from_secs(86_400);

/// Whoever furnishes the shop, and with what.
#[derive(Debug)]
pub(super) struct Seeder<'a> {
    control: &'a Control,
    caller: &'a Caller,
    services: Addresses,
}

impl<'a> Seeder<'a> {
    /// A seeder whose services listen there.
    pub(super) fn new(control: &'a Control, caller: &'a Caller, services: Addresses) -> Self {
        Self {
            control,
            caller,
            services,
        }
    }

    /// Makes what is missing.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let mut made = self.control.samples().made().await?;
        for seed in APIS {
            self.api(seed, &mut made).await?;
        }
        for seed in APPLICATIONS {
            self.application(seed, &mut made).await?;
        }
        if !made.usage {
            sample_usage::write(self.control, self.caller).await?;
            made.usage = true;
            self.control.samples().remember(&made).await?;
        }
        Ok(())
    }

    async fn api(&self, seed: &SeedApi, made: &mut Made) -> Result<(), Failure> {
        let api = Ref::Slug(constant(Slug::parse(seed.slug))?);
        let id = match self.control.apis().get(self.caller, &api).await {
            Ok(known) if made.apis.contains(&known.api.id) => known.api.id,
            Ok(_) => {
                tracing::warn!(
                    slug = seed.slug,
                    "the demo leaves an API of this name alone: it is not its own"
                );
                return Ok(());
            }
            Err(Error::NotFound { .. }) => self.import(seed, made).await?,
            Err(error) => return Err(error.into()),
        };
        let api = Ref::Id(id);
        for version in seed.versions {
            self.version(&api, version).await?;
        }
        for plan in seed.plans {
            self.plan(&api, plan).await?;
        }
        self.bring_to_life(&api, seed).await
    }

    async fn import(&self, seed: &SeedApi, made: &mut Made) -> Result<ApiId, Failure> {
        let Some(first) = seed.versions.first() else {
            return Err(Failure::finding("an API of the demo has no version"));
        };
        let request = ImportRequest {
            source: ImportSource::Text(first.document.to_owned().into()),
            name: Some(constant(Name::parse(seed.name))?),
            slug: Some(constant(Slug::parse(seed.slug))?),
            context_path: Some(constant(ContextPath::parse(seed.context_path))?),
            upstream_url: Some(self.address(first)?),
            team: None,
            visibility: Visibility::Public,
            visible_to: Vec::new(),
            dry_run: false,
        };
        let imported = self.control.import_api(self.caller, request).await?;
        let id = imported.api.api.id;
        made.apis.push(id);
        self.control.samples().remember(made).await?;
        let patch = ApiPatch {
            description: Some(seed.description.to_owned()),
            ..ApiPatch::default()
        };
        let apis = self.control.apis();
        apis.update(self.caller, &Ref::Id(id), patch, IfMatch::ANY)
            .await?;
        Ok(id)
    }

    /// The version with its document, and its upstream where the service listens now.
    async fn version(&self, api: &Ref<ApiId>, seed: &SeedVersion) -> Result<(), Failure> {
        let label = constant(VersionLabel::parse(seed.label))?;
        let version = VersionRef::Label(label.clone());
        let versions = self.control.versions();
        match versions.get(self.caller, api, &version).await {
            Ok(known) if known.version.state == VersionState::Retired => return Ok(()),
            Ok(_) => {}
            Err(Error::NotFound { .. }) => {
                let new = NewVersion {
                    label,
                    document: Some(ImportSource::Text(seed.document.to_owned().into())),
                    copy_from: None,
                };
                versions.create(self.caller, api, new).await?;
            }
            Err(error) => return Err(error.into()),
        }
        let url = self.address(seed)?;
        let current = match versions.upstream(self.caller, api, &version).await {
            Ok(upstream) => upstream.targets.iter().any(|target| target.url == url),
            Err(Error::NotFound { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if !current {
            let upstream = Upstream {
                targets: vec![Target { url, weight: 1 }],
                algorithm: Balancing::RoundRobin,
                timeouts: Timeouts::default(),
            };
            versions
                .set_upstream(self.caller, api, &version, upstream, IfMatch::ANY)
                .await?;
        }
        Ok(())
    }

    fn address(&self, seed: &SeedVersion) -> Result<Url, Failure> {
        let service = match seed.behind {
            Behind::Catalog => self.services.catalog,
            Behind::Orders => self.services.orders,
        };
        ports::url(service, seed.base_path)
    }

    async fn plan(&self, api: &Ref<ApiId>, seed: &SeedPlan) -> Result<(), Failure> {
        let plans = self.control.plans();
        let plan = match self.find_plan(api, seed.slug).await? {
            Some(plan) => plan,
            None => {
                let limits = seed.limits.iter().map(limit).collect::<Result<Vec<_>, _>>()?;
                let new = NewPlan {
                    name: constant(Name::parse(seed.name))?,
                    slug: constant(Slug::parse(seed.slug))?,
                    description: String::new(),
                    versions: PlanVersions::All,
                    security: Security::ApiKey,
                    approval: match seed.approval {
                        SeedApproval::Automatic => ApprovalMode::Auto,
                        SeedApproval::Manual => ApprovalMode::Manual,
                    },
                    limits,
                };
                plans.create(self.caller, api, new).await?
            }
        };
        if plan.state == PlanState::Draft {
            plans
                .transition(self.caller, plan.id, PlanVerb::Publish, IfMatch::ANY)
                .await?;
        }
        Ok(())
    }

    async fn find_plan(&self, api: &Ref<ApiId>, slug: &str) -> Result<Option<Plan>, Failure> {
        let plans = self
            .control
            .plans()
            .list(self.caller, api, PageRequest::default())
            .await?;
        Ok(plans.items.into_iter().find(|plan| plan.slug.as_str() == slug))
    }

    /// Publishes what is still a draft, and deprecates what of that is at its end.
    async fn bring_to_life(&self, api: &Ref<ApiId>, seed: &SeedApi) -> Result<(), Failure> {
        let versions = self.control.versions();
        let mut fresh = Vec::new();
        for seed in seed.versions {
            let version = VersionRef::Label(constant(VersionLabel::parse(seed.label))?);
            let known = versions.get(self.caller, api, &version).await?;
            if known.version.state == VersionState::Draft {
                let publish = Transition::Publish;
                versions
                    .transition(self.caller, api, &version, publish, IfMatch::ANY)
                    .await?;
                fresh.push((version, seed.life));
            }
        }
        for (version, life) in fresh {
            if let Life::Deprecated {
                successor,
                sunset_in_days,
                message,
            } = life
            {
                let deprecate = Transition::Deprecate {
                    sunset_at: self.control.now().plus(DAY * u32::from(sunset_in_days)),
                    successor: Some(VersionRef::Label(constant(VersionLabel::parse(successor))?)),
                    message: Some(constant(Remark::parse(message))?),
                };
                versions
                    .transition(self.caller, api, &version, deprecate, IfMatch::ANY)
                    .await?;
            }
        }
        Ok(())
    }

    async fn application(&self, seed: &SeedApplication, made: &mut Made) -> Result<(), Failure> {
        let slug = constant(Slug::parse(seed.slug))?;
        let applications = self.control.applications();
        let application = match applications.get(self.caller, &Ref::Slug(slug.clone())).await {
            Ok(known) if made.applications.contains(&known.id) => known,
            Ok(known) if known.state == ApplicationState::Archived => {
                // The demo was taken out and comes back within the time in which that is possible.
                let (id, verb) = (Ref::Id(known.id), ApplicationVerb::Activate);
                applications
                    .transition(self.caller, &id, verb, None, IfMatch::ANY)
                    .await?
            }
            Ok(_) => {
                tracing::warn!(
                    slug = seed.slug,
                    "the demo leaves an application of this name alone: it is not its own"
                );
                return Ok(());
            }
            Err(Error::NotFound { .. }) => {
                let new = NewApplication {
                    name: constant(Name::parse(seed.name))?,
                    slug: Some(slug),
                    team: None,
                    environment: Environment::Test,
                };
                applications.create(self.caller, new).await?
            }
            Err(error) => return Err(error.into()),
        };
        if !made.applications.contains(&application.id) {
            made.applications.push(application.id);
            self.control.samples().remember(made).await?;
        }
        if application.state == ApplicationState::Archived {
            return Ok(());
        }
        for (api, plan) in seed.subscriptions {
            self.subscription(&application, api, plan).await?;
        }
        self.key(&application).await
    }

    /// The key that the sample usage came with. Nobody learns its secret: whoever
    /// wants to call makes one of their own.
    async fn key(&self, application: &Application) -> Result<(), Failure> {
        let of = Ref::Id(application.id);
        let credentials = self.control.credentials();
        let known = credentials.list(self.caller, &of, PageRequest::default()).await?;
        if !known.items.is_empty() {
            return Ok(());
        }
        let new = NewCredential {
            kind: CredentialKind::ApiKey,
            name: Some(constant(Name::parse("Sample key"))?),
            not_before: None,
            expires_at: None,
        };
        credentials.issue(self.caller, &of, new).await?;
        Ok(())
    }

    /// Asks once: what users decided about it stays decided.
    async fn subscription(&self, application: &Application, api: &str, plan: &str) -> Result<(), Failure> {
        let api = Ref::Slug(constant(Slug::parse(api))?);
        let Some(plan) = self.find_plan(&api, plan).await? else {
            return Ok(());
        };
        let filter = SubscriptionFilter {
            application: Some(Ref::Id(application.id)),
            plan: Some(plan.id),
            ..SubscriptionFilter::default()
        };
        let subscriptions = self.control.subscriptions();
        let known = subscriptions
            .list(self.caller, &filter, PageRequest::default())
            .await?;
        if !known.items.is_empty() {
            return Ok(());
        }
        let new = NewSubscription {
            plan_id: plan.id,
            reason: Some(constant(Remark::parse(
                "Part of the demo: approve or reject me.",
            ))?),
        };
        subscriptions
            .request(self.caller, &Ref::Id(application.id), new)
            .await?;
        Ok(())
    }
}

fn limit(seed: &SeedLimit) -> Result<NewLimit, Failure> {
    let raw = RawLimit {
        name: Some(seed.name.to_owned()),
        kind: match seed.kind {
            SeedLimitKind::Rate => "rate",
            SeedLimitKind::Quota => "quota",
        }
        .to_owned(),
        amount: seed.amount,
        window: seed.window.to_owned(),
        ..RawLimit::default()
    };
    NewLimit::parse(&raw).map_err(|errors| gatewright_control::Error::from(errors).into())
}

/// A text of the demo that has to be well-formed.
fn constant<T>(parsed: Result<T, Invalid>) -> Result<T, Failure> {
    parsed.map_err(|invalid| Failure::finding(format!("a text of the demo {invalid}")))
}
