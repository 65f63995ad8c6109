//! Where the walk happens: a tenant with an API, two teams and a stranger, a
//! clock that is moved, and chance that repeats itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_model::address::AddressPolicy;
use gatewright_model::api::Visibility;
use gatewright_model::id::{ApiId, TeamId};
use gatewright_model::keys::MasterKey;
use gatewright_model::permission::{Rights, Role};
use gatewright_model::reference::Ref;
use gatewright_model::snapshot::PartRef;
use gatewright_model::tenancy::TeamKind;
use gatewright_model::text::{ContextPath, Email, Name, Slug};
use gatewright_model::time::{Clock, SystemEntropy, Timestamp};
use gatewright_store::{Database, Store, StoreSettings};

use crate::caller::Caller;
use crate::control::{Control, Parts, PublicUrls};
use crate::fetch::Fetcher;
use crate::import::{ImportRequest, ImportSource};
use crate::snapshot;
use crate::teams::NewTeam;
use crate::users::NewUser;

/// When the walk begins.
const BEGIN: i64 = 1_800_000_000_000;
/// Two documents, so that an import changes something.
pub(super) const DOCUMENTS: [&str; 2] = [
    r#"{"openapi":"3.0.3","info":{"title":"Shop","version":"1"},"paths":{"/pets":{"get":{"operationId":"pets","responses":{"200":{"description":"ok"}}}}}}"#,
    r#"{"openapi":"3.0.3","info":{"title":"Shop","version":"2"},"paths":{"/toys/{id}":{"get":{"operationId":"toy","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"200":{"description":"ok"}}}}}}"#,
];

/// A clock that stands still until it is moved.
#[derive(Debug)]
struct MovedClock(AtomicI64);

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Chance by SplitMix64: the same seed gives the same numbers everywhere.
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// One of the items; none of none.
    pub(super) fn one<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).cloned()
    }
}

/// Who takes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Owner,
    Publisher,
    Approver,
    Developer,
    Stranger,
}

pub(super) struct World {
    pub(super) control: Control,
    /// Gatewright itself, which looks on.
    pub(super) admin: Caller,
    pub(super) api: Ref<ApiId>,
    pub(super) consumers: TeamId,
    pub(super) chance: Chance,
    clock: Arc<MovedClock>,
    people: Vec<(Who, Caller)>,
}

impl World {
    pub(super) async fn new(database: Database, seed: u64) -> Self {
        let clock = Arc::new(MovedClock(AtomicI64::new(BEGIN)));
        let control = control(database, clock.clone()).await;
        let admin = control.command_line_caller(None).await.unwrap();
        let shop = team(&control, &admin, "shop").await;
        let consumers = team(&control, &admin, "consumers").await;
        let others = team(&control, &admin, "others").await;
        let mut people = Vec::new();
        for (who, roles) in [
            (Who::Owner, vec![(None, Role::Owner)]),
            (Who::Publisher, vec![(Some(shop), Role::Publisher)]),
            (Who::Approver, vec![(Some(shop), Role::Approver)]),
            (Who::Developer, vec![(Some(consumers), Role::Developer)]),
            (
                Who::Stranger,
                vec![(Some(others), Role::Publisher), (Some(others), Role::Developer)],
            ),
        ] {
            people.push((who, person(&control, &admin, who, roles).await));
        }
        let request = ImportRequest {
            source: ImportSource::Text(DOCUMENTS[0].to_owned().into()),
            name: None,
            slug: Some(Slug::parse("shop").unwrap()),
            context_path: Some(ContextPath::parse("/shop").unwrap()),
            upstream_url: Some("http://127.0.0.1:9/".parse().unwrap()),
            team: Some(Ref::Id(shop)),
            visibility: Visibility::Tenant,
            visible_to: Vec::new(),
            dry_run: false,
        };
        let imported = control.import_api(&admin, request).await.unwrap();
        Self {
            control,
            admin,
            api: Ref::Id(imported.api.api.id),
            consumers,
            chance: Chance(seed),
            clock,
            people,
        }
    }

    /// Who comes next. Those who may much come more often.
    pub(super) fn somebody(&mut self) -> Who {
        let often = [
            Who::Owner,
            Who::Owner,
            Who::Owner,
            Who::Publisher,
            Who::Publisher,
            Who::Developer,
            Who::Developer,
            Who::Approver,
            Who::Stranger,
        ];
        self.chance.one(&often).unwrap()
    }

    pub(super) fn caller(&self, who: Who) -> &Caller {
        let found = self.people.iter().find(|(known, _)| *known == who);
        &found.unwrap().1
    }

    pub(super) fn wait(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }

    /// The parts as they come out when everything is compiled anew, and the
    /// number of the change that this is.
    pub(super) async fn compile(&self) -> (Vec<PartRef>, i64) {
        let mut tx = self.control.begin(&self.admin).await.unwrap();
        let Ref::Id(id) = &self.api else { unreachable!() };
        let api = tx.apis().find(*id).await.unwrap().unwrap();
        let tenant = tx.tenants().find(self.admin.tenant_id).await.unwrap().unwrap();
        snapshot::refresh_tenant(&mut tx, &tenant).unwrap();
        for version in tx.versions().of_api(api.id).await.unwrap() {
            snapshot::refresh_version(&self.control, &mut tx, &self.admin, &api, &version)
                .await
                .unwrap();
        }
        self.control.commit(tx, self.control.now()).await.unwrap();
        let mut tx = self.control.read_system().await.unwrap();
        let parts = tx.snapshots().manifest(None).await.unwrap().parts;
        (parts, tx.head().await.unwrap())
    }
}

async fn control(database: Database, clock: Arc<MovedClock>) -> Control {
    let entropy = Arc::new(SystemEntropy);
    let settings = StoreSettings {
        database,
        entropy: entropy.clone(),
    };
    let store = Store::open(settings).await.unwrap();
    store.migrate(clock.now()).await.unwrap();
    let control = Control::new(Parts {
        store,
        notices: Notices::in_process(Loudness::Muted),
        clock,
        entropy: entropy.clone(),
        master_key: MasterKey::generate(entropy.as_ref()),
        fetcher: Fetcher::new(AddressPolicy::default()),
        urls: PublicUrls::new(
            &"http://gw.test".parse().unwrap(),
            &"http://portal.test".parse().unwrap(),
        ),
        own_listeners: Vec::new(),
        local_gateway: None,
    });
    control.prepare().await.unwrap().unwrap();
    control
}

async fn team(control: &Control, admin: &Caller, slug: &str) -> TeamId {
    let new = NewTeam {
        slug: Slug::parse(slug).unwrap(),
        name: Name::parse(slug).unwrap(),
        kind: TeamKind::Both,
        contact: None,
    };
    control.teams().create(admin, new).await.unwrap().id
}

async fn person(control: &Control, admin: &Caller, who: Who, roles: Vec<(Option<TeamId>, Role)>) -> Caller {
    let name = format!("{who:?}");
    let new = NewUser {
        email: Email::parse(&format!("{name}@example.com")).unwrap(),
        name: Name::parse(&name).unwrap(),
        password: None,
    };
    let user = control.users().create(admin, new).await.unwrap();
    Caller {
        user_id: Some(user.id),
        platform_admin: false,
        rights: Rights::of_roles(roles),
        ..admin.clone()
    }
}
