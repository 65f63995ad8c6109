//! Upstreams: where the calls of a version go.

use gatewright_model::api::{Target, Timeouts, Upstream};
use gatewright_model::id::{TenantId, VersionId};
use sea_query::{OnConflict, Order, Query};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{is, record};
use crate::tx::{insert_into, repository};

repository! {
    /// Upstreams of versions.
    Upstreams via upstreams
}

/// A target and where it stands.
struct PlacedTarget {
    version_id: VersionId,
    position: u32,
    tenant_id: TenantId,
    url: url::Url,
    weight: u32,
}

record! { PlacedTarget in "upstream_target" owned by Some("tenant_id") => {
    version_id, position, tenant_id, url, weight,
} }

const UPSTREAM: &str = "upstream";
const UPSTREAM_COLUMNS: &[&str] = &[
    "version_id",
    "tenant_id",
    "algorithm",
    "connect_ms",
    "response_ms",
    "idle_ms",
];

impl Upstreams<'_> {
    /// Where the calls of a version go; `None` before anybody said so.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, version: VersionId) -> Result<Option<Upstream>, StoreError> {
        let mut select = Query::select();
        select
            .columns(UPSTREAM_COLUMNS.iter().copied())
            .from(UPSTREAM)
            .and_where(is("version_id", &version))
            .and_where_option(self.0.wall::<PlacedTarget>());
        let Some(row) = self.0.conn.fetch_optional(&select).await? else {
            return Ok(None);
        };
        let mut select = self.0.select::<PlacedTarget>();
        select
            .and_where(is("version_id", &version))
            .order_by("position", Order::Asc);
        let targets: Vec<PlacedTarget> = self.0.all(&select).await?;
        let targets = targets.into_iter().map(|target| Target {
            url: target.url,
            weight: target.weight,
        });
        Ok(Some(Upstream {
            targets: targets.collect(),
            algorithm: row.take(UPSTREAM, "algorithm")?,
            timeouts: Timeouts {
                connect_ms: row.take(UPSTREAM, "connect_ms")?,
                response_ms: row.take(UPSTREAM, "response_ms")?,
                idle_ms: row.take(UPSTREAM, "idle_ms")?,
            },
        }))
    }

    /// Says where the calls of a version go, in place of what was said before.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when there is no such version in the tenant.
    pub async fn put(self, version: VersionId, upstream: &Upstream) -> Result<(), StoreError> {
        let Some(tenant_id) = self.0.versions().tenant_of(version).await? else {
            return Err(StoreError::Refused("there is no such version".to_owned()));
        };
        self.0.delete::<PlacedTarget>(is("version_id", &version)).await?;
        let row = vec![
            version.value(),
            tenant_id.value(),
            upstream.algorithm.value(),
            upstream.timeouts.connect_ms.value(),
            upstream.timeouts.response_ms.value(),
            upstream.timeouts.idle_ms.value(),
        ];
        let mut insert = insert_into(UPSTREAM, UPSTREAM_COLUMNS, std::iter::once(row));
        let changed = ["algorithm", "connect_ms", "response_ms", "idle_ms"];
        insert.on_conflict(
            OnConflict::column("version_id")
                .update_columns(changed)
                .to_owned(),
        );
        self.0.conn.execute(&insert).await?;
        let targets: Vec<_> = (0_u32..)
            .zip(&upstream.targets)
            .map(|(position, target)| PlacedTarget {
                version_id: version,
                position,
                tenant_id,
                url: target.url.clone(),
                weight: target.weight,
            })
            .collect();
        self.0.insert_all(&targets).await
    }
}
