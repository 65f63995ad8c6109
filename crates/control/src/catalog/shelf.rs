//! What stands in the catalogue of a tenant, arranged for searching and kept in
//! memory: no index of either database finds a part of a word, so the texts are
//! searched here. A shelf is used while the store says that nothing on it
//! changed, which costs one row, or three sums when something else changed.
//!
//! Shelves hold everything on show, whoever may find it: readers are told apart
//! when a shelf is looked through.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use gatewright_model::api::{Api, VersionState};
use gatewright_model::id::{ApiId, RevisionId, TeamId, TenantId};
use gatewright_model::plan::{ApprovalMode, Security};
use gatewright_model::time::Timestamp;
use gatewright_store::{CatalogMark, ShownOperation, ShownPlan, ShownVersion, Tx};
use tokio::sync::Semaphore;

use crate::catalog::{AccessWay, Figures};
use crate::error::{Error, Result};

/// How many tenants' shelves are kept. What is not kept is made again when it is wanted.
const MOST_SHELVES: usize = 64;
/// How many bytes of text the kept shelves hold together.
const MOST_BYTES: usize = 128 * 1024 * 1024;
/// How much of a description is searched, in bytes.
const SEARCHED_DESCRIPTION: usize = 4_000;
/// How many APIs' figures are kept.
pub(super) const MOST_FIGURES: usize = 10_000;

type Operations = Arc<Vec<ShownOperation>>;

/// A version on show with its operations.
#[derive(Debug)]
pub(super) struct ShelfVersion {
    pub(super) version: ShownVersion,
    pub(super) operations: Operations,
}

/// An API on show.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) api: Api,
    /// In lower case.
    pub(super) name: String,
    /// Everything that is searched, in lower case.
    pub(super) text: String,
    /// The version to use.
    pub(super) first: ShelfVersion,
    /// The other ones on show, the more useful ones first.
    pub(super) others: Vec<ShelfVersion>,
    /// Each once, in order.
    pub(super) tags: Vec<String>,
    /// How callers get in, each way once.
    pub(super) ways: Vec<AccessWay>,
}

impl Item {
    /// Where the API is in its life: the state of the version to use.
    pub(super) const fn lifecycle(&self) -> VersionState {
        self.first.version.state
    }

    /// All versions on show.
    pub(super) fn versions(&self) -> impl Iterator<Item = &ShelfVersion> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// When its newest version became callable.
    pub(super) fn published_at(&self) -> Timestamp {
        let times = self.versions().filter_map(|shown| shown.version.published_at);
        times.max().unwrap_or(self.api.created_at)
    }

    /// Whether it was made of these; what it says is then the same.
    fn is_of(&self, api: &Api, versions: &[ShelfVersion], ways: &[AccessWay]) -> bool {
        self.api == *api
            && self.ways == *ways
            && self.others.len() + 1 == versions.len()
            && self
                .versions()
                .zip(versions)
                .all(|(own, other)| own.version == other.version)
    }

    fn bytes(&self) -> usize {
        let operations: usize = self.versions().map(|shown| shown.operations.len()).sum();
        self.text.len() + self.api.description.len() + operations * 200 + 500
    }
}

/// The goods of a tenant in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Goods {
    pub(super) items: Vec<Arc<Item>>,
    bytes: usize,
}

impl Goods {
    /// The teams that own what is on show, each once.
    pub(super) fn teams(&self) -> Vec<TeamId> {
        let teams: BTreeSet<TeamId> = self.items.iter().map(|item| item.api.team_id).collect();
        teams.into_iter().collect()
    }

    fn operations(&self) -> HashMap<RevisionId, Operations> {
        let versions = self.items.iter().flat_map(|item| item.versions());
        versions
            .filter_map(|shown| Some((shown.version.revision_id?, Arc::clone(&shown.operations))))
            .collect()
    }
}

#[derive(Debug, Clone)]
struct Shelf {
    /// The newest change of the store that this shelf is known to include.
    head: i64,
    mark: CatalogMark,
    goods: Arc<Goods>,
    /// Counts the uses of all shelves; the one with the lowest was wanted the longest ago.
    used: u64,
}

#[derive(Debug, Default)]
struct Kept {
    shelves: HashMap<TenantId, Shelf>,
    uses: u64,
}

/// The shelves of all tenants.
#[derive(Debug)]
pub(crate) struct Shelves {
    kept: Mutex<Kept>,
    /// One at a time is arranged: who comes at the same moment uses what the first one made.
    arranging: Semaphore,
    pub(super) figures: Mutex<HashMap<ApiId, (Timestamp, Option<Figures>)>>,
}

impl Default for Shelves {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            arranging: Semaphore::new(1),
            figures: Mutex::default(),
        }
    }
}

impl Shelves {
    /// What the transaction's tenant has on show, as this transaction sees it or newer.
    pub(super) async fn goods(&self, tx: &mut Tx, tenant: TenantId) -> Result<Arc<Goods>> {
        let head = tx.head().await?;
        if let Some(shelf) = self.find(tenant).filter(|shelf| shelf.head >= head) {
            return Ok(shelf.goods);
        }
        let _permit = self.arranging.acquire().await.map_err(|_| Error::Unavailable)?;
        let known = self.find(tenant);
        if let Some(shelf) = known.as_ref().filter(|shelf| shelf.head >= head) {
            return Ok(Arc::clone(&shelf.goods));
        }
        let mark = tx.catalog().mark().await?;
        let goods = match known {
            Some(shelf) if shelf.mark == mark => shelf.goods,
            other => {
                let known = other.map(|shelf| shelf.goods).unwrap_or_default();
                Arc::new(arrange(tx, known).await?)
            }
        };
        self.keep(tenant, head, mark, Arc::clone(&goods));
        Ok(goods)
    }

    fn find(&self, tenant: TenantId) -> Option<Shelf> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let uses = kept.uses;
        let shelf = kept.shelves.get_mut(&tenant)?;
        shelf.used = uses;
        Some(shelf.clone())
    }

    fn keep(&self, tenant: TenantId, head: i64, mark: CatalogMark, goods: Arc<Goods>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let used = kept.uses;
        let shelf = Shelf {
            head,
            mark,
            goods,
            used,
        };
        kept.shelves.insert(tenant, shelf);
        while kept.shelves.len() > 1 && kept.is_full() {
            let oldest = kept.shelves.iter().min_by_key(|(_, shelf)| shelf.used);
            let Some(oldest) = oldest.map(|(tenant, _)| *tenant) else {
                break;
            };
            kept.shelves.remove(&oldest);
        }
    }
}

impl Kept {
    fn is_full(&self) -> bool {
        let bytes: usize = self.shelves.values().map(|shelf| shelf.goods.bytes).sum();
        self.shelves.len() > MOST_SHELVES || bytes > MOST_BYTES
    }
}

/// Reads everything on show. Operations of revisions that are known already are
/// not read again, because revisions never change; and of what did not change
/// nothing is made again.
async fn arrange(tx: &mut Tx, known: Arc<Goods>) -> Result<Goods> {
    let apis = tx.catalog().apis().await?;
    let versions = tx.catalog().versions().await?;
    let plans = tx.catalog().plans().await?;
    let mut operations = known.operations();
    let unknown: Vec<RevisionId> = versions
        .iter()
        .filter_map(|version| version.revision_id)
        .filter(|revision| !operations.contains_key(revision))
        .collect();
    let read = tx.catalog().operations(&unknown).await?;
    operations.extend(
        read.into_iter()
            .map(|(revision, list)| (revision, Arc::new(list))),
    );
    // Some hundred milliseconds for ten thousand APIs: not on a thread that others wait for.
    tokio::task::spawn_blocking(move || put_up(apis, versions, plans, &operations, &known))
        .await
        .map_err(|error| Error::Internal(format!("the catalogue could not be arranged: {error}")))
}

fn put_up(
    apis: Vec<Api>,
    versions: Vec<ShownVersion>,
    plans: Vec<ShownPlan>,
    operations: &HashMap<RevisionId, Operations>,
    known: &Goods,
) -> Goods {
    let mut versions_of: HashMap<ApiId, Vec<ShelfVersion>> = HashMap::new();
    for version in versions {
        let read = version.revision_id.and_then(|id| operations.get(&id));
        versions_of.entry(version.api_id).or_default().push(ShelfVersion {
            operations: read.cloned().unwrap_or_default(),
            version,
        });
    }
    let mut plans_of: HashMap<ApiId, Vec<ShownPlan>> = HashMap::new();
    for plan in plans {
        plans_of.entry(plan.api_id).or_default().push(plan);
    }
    let known: HashMap<ApiId, &Arc<Item>> = known.items.iter().map(|item| (item.api.id, item)).collect();
    let mut items: Vec<Arc<Item>> = apis
        .into_iter()
        .filter_map(|api| {
            let mut versions = versions_of.remove(&api.id)?;
            versions.sort_by_key(|shown| order(&shown.version));
            let plans = plans_of.get(&api.id).map_or(&[][..], Vec::as_slice);
            let ways = ways(&versions, plans);
            match known.get(&api.id) {
                Some(item) if item.is_of(&api, &versions, &ways) => Some(Arc::clone(item)),
                _ => item(api, versions, ways).map(Arc::new),
            }
        })
        .collect();
    items.sort_by(|a, b| a.name.cmp(&b.name).then(a.api.id.cmp(&b.api.id)));
    let bytes = items.iter().map(|item| item.bytes()).sum();
    Goods { items, bytes }
}

fn item(api: Api, versions: Vec<ShelfVersion>, ways: Vec<AccessWay>) -> Option<Item> {
    let tags: BTreeSet<&String> = versions
        .iter()
        .flat_map(|shown| shown.operations.iter())
        .flat_map(|operation| &operation.tags)
        .collect();
    let tags: Vec<String> = tags.into_iter().cloned().collect();
    let text = searched(&api, &tags, &versions);
    let mut versions = versions.into_iter();
    Some(Item {
        name: api.name.as_str().to_lowercase(),
        first: versions.next()?,
        others: versions.collect(),
        text,
        tags,
        ways,
        api,
    })
}

/// What is published comes before previews, these before what ends; newest first.
pub(super) fn order(version: &ShownVersion) -> (u8, i64, uuid::Uuid) {
    let newest = version.published_at.map_or(i64::MAX, |at| -at.as_millis());
    let id = gatewright_model::id::EntityId::uuid(version.id);
    (rank(version.state), newest, id)
}

/// Which of several versions is the one to use: the lowest.
pub(crate) const fn rank(state: VersionState) -> u8 {
    match state {
        VersionState::Published => 0,
        VersionState::Preview => 1,
        VersionState::Blocked => 2,
        VersionState::Deprecated => 3,
        VersionState::InReview => 4,
        VersionState::Draft => 5,
        VersionState::Retired => 6,
        VersionState::Archived => 7,
    }
}

fn ways(versions: &[ShelfVersion], plans: &[ShownPlan]) -> Vec<AccessWay> {
    let mut ways = Vec::new();
    for plan in plans {
        let opens =
            |shown: &ShelfVersion| shown.version.state.is_open() && plan.versions.includes(shown.version.id);
        let way = AccessWay::of(plan.security, plan.approval);
        if versions.iter().any(opens) && !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways.sort_unstable();
    ways
}

impl AccessWay {
    /// How a plan lets callers in.
    #[must_use]
    pub const fn of(security: Security, approval: ApprovalMode) -> Self {
        match (security, approval) {
            (Security::Keyless, _) => Self::Keyless,
            (_, ApprovalMode::Auto) => Self::Auto,
            (_, ApprovalMode::Manual) => Self::Manual,
        }
    }
}

fn searched(api: &Api, tags: &[String], versions: &[ShelfVersion]) -> String {
    let mut end = api.description.len().min(SEARCHED_DESCRIPTION);
    while !api.description.is_char_boundary(end) {
        end -= 1;
    }
    let description = api.description.get(..end).unwrap_or_default();
    let mut text = format!("{}\n{}\n{}\n{description}", api.name, api.slug, tags.join("\n"));
    let mut seen = BTreeSet::new();
    for operation in versions.iter().flat_map(|shown| shown.operations.iter()) {
        if seen.insert((&operation.method, &operation.template)) {
            // Writing to a text does not fail.
            let _ = write!(
                text,
                "\n{} {} {} {}",
                operation.method, operation.template, operation.slug, operation.summary
            );
        }
    }
    text.to_lowercase()
}
