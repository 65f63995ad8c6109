//! The one rule of what a reader sees: who finds an API, times where a version
//! is in its life (governance, section 4.2). The catalogue, the documents and
//! the search all ask here.

use gatewright_model::api::{Api, ApiVersion, VersionState, Visibility};
use gatewright_model::id::{ApiId, TeamId};
use gatewright_model::permission::{Permission, Rights};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_store::Tx;

use crate::error::{Error, Result, Successor};
use crate::reader::Reader;
use crate::versions;

/// How a version looks to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It is shown.
    Shown,
    /// It ended: what replaces it is named instead.
    Ended,
    /// It does not exist for this reader.
    Hidden,
}

/// Whether somebody finds an API: a visitor without rights, or who signed in
/// with these. Who owns it always does. Lists of the store ask the same in SQL
/// (`ApiFilter::seen_by`).
pub(crate) fn finds(rights: Option<&Rights>, api: &Api) -> bool {
    let reads = |team: &TeamId| rights.is_some_and(|rights| rights.in_team(Permission::ApisRead, *team));
    match api.visibility {
        Visibility::Public => true,
        Visibility::Tenant => rights.is_some(),
        Visibility::Teams => reads(&api.team_id) || api.visible_to.iter().any(reads),
        Visibility::Private => reads(&api.team_id),
    }
}

impl Reader {
    /// Whether the reader finds the API.
    pub(crate) fn finds(&self, api: &Api) -> bool {
        finds(self.caller.as_ref().map(|caller| &caller.rights), api)
    }

    /// Whether the reader may see what the owning team has not published.
    pub(crate) fn is_insider(&self, team: TeamId) -> bool {
        self.caller
            .as_ref()
            .is_some_and(|caller| caller.rights.in_team(Permission::ApisRead, team))
    }
}

/// How a version in this state looks from outside and from inside of the owning team.
pub(crate) const fn sight(state: VersionState, insider: bool) -> Sight {
    match state {
        VersionState::Preview | VersionState::Published | VersionState::Deprecated => Sight::Shown,
        VersionState::Draft | VersionState::InReview | VersionState::Blocked if insider => Sight::Shown,
        VersionState::Retired => Sight::Ended,
        VersionState::Draft | VersionState::InReview | VersionState::Blocked | VersionState::Archived => {
            Sight::Hidden
        }
    }
}

/// Whether the portal is open to the reader at all.
pub(crate) async fn check_portal(tx: &mut Tx, reader: &Reader) -> Result<()> {
    if reader.caller.is_some() {
        return Ok(());
    }
    let tenant = tx.tenants().find(reader.tenant_id).await?;
    if tenant.is_some_and(|tenant| tenant.settings.public_portal) {
        Ok(())
    } else {
        Err(Error::SignInNeeded)
    }
}

/// An API that the reader finds.
///
/// # Errors
/// [`Error::NotFound`], [`Error::SignInNeeded`].
pub(crate) async fn visible_api(tx: &mut Tx, reader: &Reader, api: &Ref<ApiId>) -> Result<Api> {
    check_portal(tx, reader).await?;
    let found = match api {
        Ref::Id(id) => tx.apis().find(*id).await?,
        Ref::Slug(slug) => tx.apis().find_by_slug(slug).await?,
    };
    found.filter(|api| reader.finds(api)).ok_or(Error::missing("api"))
}

/// A version that the reader sees, with its API.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Retired`] with what replaces it, [`Error::SignInNeeded`].
pub(crate) async fn visible_version(
    tx: &mut Tx,
    reader: &Reader,
    api: &Ref<ApiId>,
    version: &VersionRef,
) -> Result<(Api, ApiVersion)> {
    let api = visible_api(tx, reader, api).await?;
    let version = versions::find(tx, &api, version).await?;
    match sight(version.state, reader.is_insider(api.team_id)) {
        Sight::Shown => Ok((api, version)),
        Sight::Hidden => Err(Error::missing("version")),
        Sight::Ended => Err(retired(tx, reader, &api, &version).await?),
    }
}

/// The answer about a version that ended.
pub(crate) async fn retired(tx: &mut Tx, reader: &Reader, api: &Api, version: &ApiVersion) -> Result<Error> {
    Ok(Error::Retired {
        name: format!("{} {}", api.name, version.label),
        successor: successor(tx, reader, version).await?,
    })
}

/// What replaces a version, as far as the reader sees it.
pub(crate) async fn successor(
    tx: &mut Tx,
    reader: &Reader,
    version: &ApiVersion,
) -> Result<Option<Successor>> {
    let named = version.deprecation.as_ref().and_then(|end| end.successor);
    let Some(id) = named else {
        return Ok(None);
    };
    let Some(next) = tx.versions().find(id).await? else {
        return Ok(None);
    };
    let Some(api) = tx.apis().find(next.api_id).await? else {
        return Ok(None);
    };
    let shown = reader.finds(&api) && sight(next.state, reader.is_insider(api.team_id)) == Sight::Shown;
    Ok(shown.then_some(Successor {
        api: api.slug,
        version: next.label,
    }))
}

#[cfg(test)]
mod tests {
    use gatewright_model::api::ApiKind;
    use gatewright_model::audit::AuditSource;
    use gatewright_model::id::{EntityId, TenantId};
    use gatewright_model::permission::Role;
    use gatewright_model::state::Word;
    use gatewright_model::text::{ContextPath, Name, Slug};
    use gatewright_model::time::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::caller::Caller;

    fn team(n: u128) -> TeamId {
        TeamId::from_uuid(Uuid::from_u128(n))
    }

    fn tenant() -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(3))
    }

    fn developer_of(team: TeamId) -> Reader {
        let mut caller = Caller::system(tenant(), Slug::parse("default").unwrap(), AuditSource::Ui);
        caller.rights = Rights::of_roles([(Some(team), Role::Developer)]);
        Reader::signed_in(caller)
    }

    /// An API of team 1 that names team 3 where it names teams.
    fn api(visibility: Visibility) -> Api {
        let names = visibility == Visibility::Teams;
        Api {
            id: ApiId::from_uuid(Uuid::from_u128(9)),
            tenant_id: tenant(),
            team_id: team(1),
            slug: Slug::parse("shop").unwrap(),
            name: Name::parse("Shop").unwrap(),
            description: String::new(),
            kind: ApiKind::Rest,
            visibility,
            visible_to: if names { vec![team(3)] } else { Vec::new() },
            context_path: ContextPath::parse("/shop").unwrap(),
            featured: false,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            row_version: 1,
        }
    }

    #[test]
    fn each_visibility_has_its_readers() {
        use Visibility as V;
        let found = |reader: Reader| -> Vec<_> {
            let all = V::ALL.iter().copied();
            all.filter(|visibility| reader.finds(&api(*visibility))).collect()
        };
        assert_eq!(found(Reader::visitor(tenant())), [V::Public]);
        assert_eq!(found(developer_of(team(2))), [V::Public, V::Tenant]);
        assert_eq!(found(developer_of(team(3))), [V::Public, V::Tenant, V::Teams]);
        assert_eq!(found(developer_of(team(1))), V::ALL);
        assert!(
            !developer_of(team(3)).is_insider(team(1)),
            "who is named sees no drafts"
        );
    }

    #[test]
    fn what_is_not_published_is_for_the_owning_team() {
        use VersionState as S;
        let shown = |insider| -> Vec<_> {
            let states = S::ALL.iter().copied();
            states
                .filter(|state| sight(*state, insider) == Sight::Shown)
                .collect()
        };
        assert_eq!(shown(false), [S::Preview, S::Published, S::Deprecated]);
        assert_eq!(
            shown(true),
            [
                S::Draft,
                S::InReview,
                S::Preview,
                S::Published,
                S::Blocked,
                S::Deprecated
            ]
        );
        for insider in [false, true] {
            assert_eq!(sight(S::Retired, insider), Sight::Ended);
            assert_eq!(sight(S::Archived, insider), Sight::Hidden);
        }
    }
}
