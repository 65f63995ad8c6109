//! The teams whose members find an API beside its owner.

use std::collections::HashMap;

use gatewright_model::api::{Api, Visibility};
use gatewright_model::id::{ApiId, TeamId, TenantId};
use sea_query::{Expr, ExprTrait, Order, Query};

use crate::error::StoreError;
use crate::row::{is, is_in, record};
use crate::tx::Tx;

/// APIs whose teams one statement reads.
const APIS_AT_ONCE: usize = 500;

/// A team that an API names.
pub(crate) struct AudienceRow {
    api_id: ApiId,
    team_id: TeamId,
    tenant_id: TenantId,
}

record! { AudienceRow in "api_audience" owned by Some("tenant_id") => { api_id, team_id, tenant_id } }

/// Writes the teams that an API names now.
pub(crate) async fn write(tx: &mut Tx, api: &Api) -> Result<(), StoreError> {
    tx.delete::<AudienceRow>(is("api_id", &api.id)).await?;
    let rows = api.visible_to.iter().map(|team| AudienceRow {
        api_id: api.id,
        team_id: *team,
        tenant_id: api.tenant_id,
    });
    tx.insert_all(&rows.collect::<Vec<_>>()).await
}

/// Adds the teams to APIs as their own rows hold them. Only those that name
/// teams cost a statement.
pub(crate) async fn complete(tx: &mut Tx, mut apis: Vec<Api>) -> Result<Vec<Api>, StoreError> {
    let naming = apis.iter().filter(|api| api.visibility == Visibility::Teams);
    let ids: Vec<ApiId> = naming.map(|api| api.id).collect();
    let mut named: HashMap<ApiId, Vec<TeamId>> = HashMap::new();
    for chunk in ids.chunks(APIS_AT_ONCE) {
        let mut select = tx.select::<AudienceRow>();
        select
            .and_where(is_in("api_id", chunk))
            .order_by("team_id", Order::Asc);
        for row in tx.all::<AudienceRow>(&select).await? {
            named.entry(row.api_id).or_default().push(row.team_id);
        }
    }
    for api in &mut apis {
        api.visible_to = named.remove(&api.id).unwrap_or_default();
    }
    Ok(apis)
}

/// An API that one of the teams finds because it is named.
pub(crate) fn names_one_of(tx: &Tx, teams: &[TeamId]) -> Expr {
    let mut naming = Query::select();
    naming
        .column("api_id")
        .from("api_audience")
        .and_where(is_in("team_id", teams))
        .and_where_option(tx.wall::<AudienceRow>());
    is("visibility", &Visibility::Teams).and(Expr::col("id").in_subquery(naming))
}
