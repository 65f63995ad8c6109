//! Creating, finding and changing APIs.

use std::collections::{BTreeSet, HashMap};

use gatewright_model::api::{Api, ApiKind, VersionState, Visibility};
use gatewright_model::id::{ApiId, TeamId};
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::{DEFAULT_TEAM, Team};
use gatewright_model::text::{ContextPath, Name, Slug, VersionLabel};
use gatewright_store::{ApiFilter as StoredFilter, Tx};
use serde_json::json;

use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::catalog::sight;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::snapshot;
use crate::views::{ApiView, VersionSummary};

pub use gatewright_store::ApiOrder;

/// More teams than this are everybody.
const MOST_TEAMS: usize = 100;

/// Use cases of APIs.
#[derive(Debug, Clone, Copy)]
pub struct Apis<'c>(pub(crate) &'c Control);

/// What makes an API.
#[derive(Debug, Clone)]
pub struct NewApi {
    /// As people read it.
    pub name: Name,
    /// Unique in the tenant.
    pub slug: Slug,
    /// Where it stands at the gateway; unique in the tenant.
    pub context_path: ContextPath,
    /// What it speaks.
    pub kind: ApiKind,
    /// Who finds it.
    pub visibility: Visibility,
    /// The teams whose members find it beside the owner, where its visibility is `teams`.
    pub visible_to: Vec<Ref<TeamId>>,
    /// The owning team; the tenant's default team when absent.
    pub team: Option<Ref<TeamId>>,
    /// Markdown.
    pub description: String,
}

/// What can be changed of an API.
#[derive(Debug, Clone, Default)]
pub struct ApiPatch {
    /// As people read it.
    pub name: Option<Name>,
    /// Markdown.
    pub description: Option<String>,
    /// Who finds it.
    pub visibility: Option<Visibility>,
    /// All teams whose members find it beside the owner, where its visibility is
    /// `teams`; those that were named stay when absent.
    pub visible_to: Option<Vec<Ref<TeamId>>>,
    /// Where it stands at the gateway.
    pub context_path: Option<ContextPath>,
    /// The owning team.
    pub team: Option<Ref<TeamId>>,
    /// Whether the portal shows it first.
    pub featured: Option<bool>,
}

/// Which APIs a list shows.
#[derive(Debug, Clone, Default)]
pub struct ApiFilter {
    /// Part of the name or of the slug.
    pub q: Option<String>,
    /// Who finds them.
    pub visibility: Option<Visibility>,
    /// The owning team.
    pub team: Option<Ref<TeamId>>,
    /// With a version in this state.
    pub state: Option<VersionState>,
    /// In which order.
    pub order: ApiOrder,
}

impl Control {
    /// Use cases of APIs.
    #[must_use]
    pub const fn apis(&self) -> Apis<'_> {
        Apis(self)
    }
}

impl Apis<'_> {
    /// Lists the APIs that the caller may find.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without `apis:read` anywhere.
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &ApiFilter,
        page: PageRequest,
    ) -> Result<Page<ApiView>> {
        caller.require_anywhere(Permission::ApisRead)?;
        let mut tx = self.0.read(caller).await?;
        let team = match &filter.team {
            Some(team) => Some(find_team(&mut tx, team).await?.id),
            None => None,
        };
        let stored = StoredFilter {
            q: filter.q.clone(),
            visibility: filter.visibility,
            team,
            seen_by: caller.rights.teams_with(Permission::ApisRead),
            state: filter.state,
            order: filter.order,
        };
        let apis = tx.apis().list(&stored, page).await?;
        let ids: Vec<_> = apis.items.iter().map(|api| api.id).collect();
        let mut summaries = tx.versions().summaries(&ids).await?;
        let teams = tx.teams().slugs().await?;
        Ok(apis.map(|api| {
            let versions = summaries.remove(&api.id).unwrap_or_default();
            let team = teams.get(&api.team_id).cloned();
            let visible_to = slugs_of(&api, &teams);
            view(api, (team, visible_to), versions)
        }))
    }

    /// One API with its versions.
    ///
    /// # Errors
    /// [`Error::NotFound`] also when it is hidden from the caller.
    pub async fn get(&self, caller: &Caller, api: &Ref<ApiId>) -> Result<ApiView> {
        caller.require_anywhere(Permission::ApisRead)?;
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        load_view(&mut tx, api).await
    }

    /// Creates an API without versions.
    ///
    /// # Errors
    /// [`Error::Duplicate`] when slug or context path is taken.
    pub async fn create(&self, caller: &Caller, new: NewApi) -> Result<ApiView> {
        self.0.settled(|| self.create_once(caller, new.clone())).await
    }

    async fn create_once(&self, caller: &Caller, new: NewApi) -> Result<ApiView> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let api = insert(self.0, &mut tx, caller, new).await?;
        let view = load_view(&mut tx, api).await?;
        self.0.commit(tx, now).await?;
        Ok(view)
    }

    /// Changes an API. A new context path moves every version at the gateway.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::Duplicate`], [`Error::Forbidden`].
    pub async fn update(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        patch: ApiPatch,
        if_match: IfMatch,
    ) -> Result<ApiView> {
        let once = || self.update_once(caller, api, patch.clone(), if_match);
        self.0.settled(once).await
    }

    async fn update_once(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        patch: ApiPatch,
        if_match: IfMatch,
    ) -> Result<ApiView> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let mut changed = owned(&mut tx, caller, api, Permission::ApisWrite).await?;
        if_match.check(changed.row_version)?;
        let before = told(&changed);
        if let Some(team) = &patch.team {
            let team = named_team(&mut tx, team).await?;
            caller.require_in(Permission::ApisWrite, team.id)?;
            changed.team_id = team.id;
        }
        if let Some(path) = patch.context_path {
            free_context(&mut tx, &path, Some(changed.id)).await?;
            changed.context_path = path;
        }
        changed.name = patch.name.unwrap_or(changed.name);
        changed.description = patch.description.unwrap_or(changed.description);
        changed.visibility = patch.visibility.unwrap_or(changed.visibility);
        changed.featured = patch.featured.unwrap_or(changed.featured);
        changed.visible_to = match patch.visible_to {
            Some(named) => audience(&mut tx, changed.visibility, &named).await?,
            None if changed.visibility == Visibility::Teams => changed.visible_to,
            None => Vec::new(),
        };
        changed.updated_at = now;
        let changed = tx.apis().update(&changed).await?;
        let after = told(&changed);
        tx.audit(entry(
            caller,
            now,
            "api.update",
            "api",
            changed.id,
            json!({ "before": before, "after": after }),
        ));
        snapshot::refresh_all(self.0, &mut tx, caller, &changed).await?;
        let view = load_view(&mut tx, changed).await?;
        self.0.commit(tx, now).await?;
        Ok(view)
    }

    /// Deletes an API that never served: all its versions are drafts.
    ///
    /// # Errors
    /// [`Error::Guard`] `api_in_use` otherwise; [`Error::Stale`].
    pub async fn delete(&self, caller: &Caller, api: &Ref<ApiId>, if_match: IfMatch) -> Result<()> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let api = owned(&mut tx, caller, api, Permission::ApisWrite).await?;
        if_match.check(api.row_version)?;
        let used = tx
            .versions()
            .of_api(api.id)
            .await?
            .iter()
            .any(|version| version.published_at.is_some() || version.state.is_routed());
        if used || tx.subscriptions().any_of_api(api.id).await? {
            let rule =
                "an API that was ever published keeps its history; retire and archive its versions instead";
            return Err(Error::guard("api_in_use", rule));
        }
        tx.apis().delete(api.id).await?;
        tx.audit(entry(
            caller,
            now,
            "api.delete",
            "api",
            api.id,
            json!({ "slug": api.slug }),
        ));
        self.0.commit(tx, now).await
    }
}

pub(crate) async fn insert(control: &Control, tx: &mut Tx, caller: &Caller, new: NewApi) -> Result<Api> {
    let now = control.now();
    let team = team_for(tx, new.team.as_ref()).await?;
    caller.require_in(Permission::ApisWrite, team.id)?;
    if let Some(existing) = tx.apis().find_by_slug(&new.slug).await? {
        return Err(Error::duplicate("slug_taken", "slug", existing.id));
    }
    free_context(tx, &new.context_path, None).await?;
    let visible_to = audience(tx, new.visibility, &new.visible_to).await?;
    let api = Api {
        id: control.new_id(now),
        tenant_id: caller.tenant_id,
        team_id: team.id,
        slug: new.slug,
        name: new.name,
        description: new.description,
        kind: new.kind,
        visibility: new.visibility,
        visible_to,
        context_path: new.context_path,
        featured: false,
        created_at: now,
        updated_at: now,
        row_version: 1,
    };
    tx.apis().insert(&api).await?;
    let details = json!({
        "slug": api.slug,
        "context_path": api.context_path,
        "kind": api.kind,
        "visibility": api.visibility,
        "visible_to": api.visible_to,
        "featured": api.featured,
    });
    tx.audit(entry(caller, now, "api.create", "api", api.id, details));
    Ok(api)
}

/// The team that is named, or the tenant's default team.
pub(crate) async fn team_for(tx: &mut Tx, team: Option<&Ref<TeamId>>) -> Result<Team> {
    match team {
        Some(team) => named_team(tx, team).await,
        None => {
            let slug = Slug::parse(DEFAULT_TEAM).map_err(|invalid| Error::field("/team", invalid))?;
            tx.teams()
                .find_by_slug(&slug)
                .await?
                .ok_or(Error::missing("team"))
        }
    }
}

/// The team that the field `team` names.
async fn named_team(tx: &mut Tx, team: &Ref<TeamId>) -> Result<Team> {
    match find_team(tx, team).await {
        Err(Error::NotFound { .. }) => Err(unknown_team()),
        other => other,
    }
}

/// The teams that the field `visible_to` names, each once.
async fn audience(tx: &mut Tx, visibility: Visibility, named: &[Ref<TeamId>]) -> Result<Vec<TeamId>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    if visibility != Visibility::Teams {
        let rule = "must be empty unless visibility is \"teams\": only then are teams named";
        return Err(Error::field("/visible_to", Invalid::new("not_by_teams", rule)));
    }
    if named.len() > MOST_TEAMS {
        let rule = "must name at most 100 teams; visibility \"tenant\" is for everybody who is signed in";
        return Err(Error::field("/visible_to", Invalid::new("too_many_items", rule)));
    }
    let known = tx.teams().slugs().await?;
    let (mut teams, mut errors) = (BTreeSet::new(), FieldErrors::default());
    for (index, team) in named.iter().enumerate() {
        let found = match team {
            Ref::Id(id) => known.contains_key(id).then_some(*id),
            Ref::Slug(slug) => known.iter().find(|(_, own)| *own == slug).map(|(id, _)| *id),
        };
        match found {
            Some(team) => {
                teams.insert(team);
            }
            None => {
                let rule = "must be the id or the slug of a team of this tenant";
                errors.add(
                    &format!("/visible_to/{index}"),
                    Invalid::new("unknown_team", rule),
                );
            }
        }
    }
    errors
        .finish(Some(teams.into_iter().collect()))
        .map_err(Error::Invalid)
}

/// What the audit trail keeps of an API.
fn told(api: &Api) -> serde_json::Value {
    json!({
        "name": api.name,
        "context_path": api.context_path,
        "visibility": api.visibility,
        "visible_to": api.visible_to,
        "featured": api.featured,
    })
}

/// The field `team` names nothing.
pub(crate) fn unknown_team() -> Error {
    let rule = "must be the id or the slug of a team of this tenant";
    Error::field("/team", Invalid::new("unknown_team", rule))
}

pub(crate) async fn find_team(tx: &mut Tx, team: &Ref<TeamId>) -> Result<Team> {
    let found = match team {
        Ref::Id(id) => tx.teams().find(*id).await?,
        Ref::Slug(slug) => tx.teams().find_by_slug(slug).await?,
    };
    found.ok_or(Error::missing("team"))
}

/// A path is taken when an API stands there, and when one of the two lies where
/// a version of the other is called: an API at `/shop/v1` would take the calls of
/// version `v1` of `/shop` (governance, section 4.3).
async fn free_context(tx: &mut Tx, path: &ContextPath, own: Option<ApiId>) -> Result<()> {
    for (other, there) in tx.apis().beside(path).await? {
        if Some(other) == own {
            continue;
        }
        let within = (Some(other), path.label_below(&there));
        let around = (own, there.label_below(path));
        let mut taken = there == *path;
        for (api, label) in [within, around] {
            if let (Some(api), Some(label)) = (api, label) {
                taken |= tx.versions().find_by_label(api, &label).await?.is_some();
            }
        }
        if taken {
            return Err(Error::duplicate("context_path_taken", "context_path", other));
        }
    }
    Ok(())
}

/// Whether a version with this label would be called where another API stands.
pub(crate) async fn free_label(tx: &mut Tx, api: &Api, label: &VersionLabel) -> Result<()> {
    for (other, there) in tx.apis().beside(&api.context_path).await? {
        if other != api.id && there.label_below(&api.context_path).as_ref() == Some(label) {
            return Err(Error::duplicate("context_path_taken", "label", other));
        }
    }
    Ok(())
}

async fn find(tx: &mut Tx, api: &Ref<ApiId>) -> Result<Api> {
    let found = match api {
        Ref::Id(id) => tx.apis().find(*id).await?,
        Ref::Slug(slug) => tx.apis().find_by_slug(slug).await?,
    };
    found.ok_or(Error::missing("api"))
}

/// An API that the caller may know of: one that the caller finds, by the right to read APIs.
pub(crate) async fn visible(tx: &mut Tx, caller: &Caller, api: &Ref<ApiId>) -> Result<Api> {
    let api = find(tx, api).await?;
    if caller.rights.anywhere(Permission::ApisRead) && sight::finds(Some(&caller.rights), &api) {
        Ok(api)
    } else {
        Err(Error::missing("api"))
    }
}

/// An API that the caller may act on, kept from others' changes until the end
/// of the transaction: what gateways get is made of all of its rows.
pub(crate) async fn owned(
    tx: &mut Tx,
    caller: &Caller,
    api: &Ref<ApiId>,
    permission: Permission,
) -> Result<Api> {
    let api = visible(tx, caller, api).await?;
    caller.require_in(permission, api.team_id)?;
    tx.apis().lock(api.id).await?.ok_or(Error::missing("api"))
}

pub(crate) async fn load_view(tx: &mut Tx, api: Api) -> Result<ApiView> {
    let versions = tx
        .versions()
        .summaries(&[api.id])
        .await?
        .remove(&api.id)
        .unwrap_or_default();
    let team = tx.teams().find(api.team_id).await?.map(|team| team.slug);
    let visible_to = match api.visible_to.as_slice() {
        [] => Vec::new(),
        _ => slugs_of(&api, &tx.teams().slugs().await?),
    };
    Ok(view(api, (team, visible_to), versions))
}

/// The slugs of the teams that an API names, in order.
fn slugs_of(api: &Api, teams: &HashMap<TeamId, Slug>) -> Vec<Slug> {
    let named = api.visible_to.iter().filter_map(|team| teams.get(team).cloned());
    let mut slugs: Vec<Slug> = named.collect();
    slugs.sort_unstable();
    slugs
}

fn view(
    api: Api,
    (team, visible_to): (Option<Slug>, Vec<Slug>),
    versions: Vec<gatewright_store::VersionSummary>,
) -> ApiView {
    let versions = versions
        .into_iter()
        .map(|version| VersionSummary {
            id: version.id,
            label: version.label,
            state: version.state,
        })
        .collect();
    // The foreign key keeps a team under every API; the API's own slug stands in for a row that is just being moved.
    let team = team.unwrap_or_else(|| api.slug.clone());
    ApiView {
        api,
        team,
        visible_to,
        versions,
    }
}
