//! Gateway nodes and the history of configurations.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::nodes::NodeView;
use gatewright_model::id::{ApiId, EntityId, NodeId, TenantId, UserId, VersionId};
use gatewright_model::page::Page;
use gatewright_model::snapshot::{PartKind, PartRef};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::{At, SnapshotSeq};
use gatewright_webkit::permit::{NodesRead, PlatformManage};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};

use crate::answer::{Found, Listed};
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("nodes")
        .get(
            "/nodes",
            about(
                "list_nodes",
                "Lists the gateway nodes and whether they serve what was published.",
            ),
            list,
        )
        .get("/nodes/{node}", about("get_node", "One gateway node."), get)
        .get(
            "/snapshots",
            about("list_snapshots", "Lists configurations, newest first."),
            snapshots,
        )
        .get(
            "/snapshots/{seq}",
            about("get_snapshot", "What one configuration is made of."),
            snapshot,
        )
}

output! {
    /// A process that runs the gateway. What only a platform admin sees is null for others.
    NodeBody as "Node" {
        /// Its id.
        id: NodeId,
        /// Its host name; for platform admins.
        name: Option<String>,
        /// The version of the program; for platform admins.
        version: Option<String>,
        /// What the process runs.
        roles: Vec<String>,
        /// starting, serving, draining or stopped.
        state: String,
        /// The snapshot it serves.
        applied_seq: i64,
        /// The change up to which it knows applications, subscriptions and credentials; for platform admins.
        applied_delta_seq: Option<i64>,
        /// Whether it serves everything that was published and decided, and has no problem.
        in_sync: bool,
        /// What is wrong with its newest configuration, the versions it leaves out of it, or its disk; for platform admins.
        problem: Option<String>,
        /// When the process started; for platform admins.
        started_at: Option<Timestamp>,
        /// When it last reported.
        last_seen_at: Timestamp,
    }
}

output! {
    /// A configuration in the list.
    SnapshotBody as "Snapshot" {
        /// Its number.
        seq: i64,
        /// When it came into force.
        created_at: Timestamp,
        /// What made it: version.publish.
        cause: String,
        /// Who did that.
        user_id: Option<UserId>,
        /// How many parts changed.
        changed: u32,
    }
}

output! {
    /// What a configuration is made of.
    ManifestBody as "Manifest" {
        /// Its number.
        seq: i64,
        /// When it came into force.
        created_at: Timestamp,
        /// Its parts, by kind and key.
        parts: Vec<PartBody>,
    }
}

output! {
    /// A part of a configuration.
    PartBody as "Part" {
        /// tenant, api or version.
        kind: String,
        /// The id of the tenant, the API or the version.
        key: String,
        /// The hash of its content, hexadecimal.
        hash: String,
    }
}

impl From<NodeView> for NodeBody {
    fn from(node: NodeView) -> Self {
        let (mut name, mut version, mut problem) = (None, None, None);
        let (mut applied_delta_seq, mut started_at) = (None, None);
        if let Some(inside) = node.inside {
            name = Some(inside.name);
            version = Some(inside.version);
            applied_delta_seq = Some(inside.applied_delta_seq);
            problem = inside.problem;
            started_at = Some(inside.started_at);
        }
        Self {
            id: node.id,
            name,
            version,
            roles: node.roles,
            state: node.state.to_string(),
            applied_seq: node.applied_seq,
            applied_delta_seq,
            in_sync: node.in_sync,
            problem,
            started_at,
            last_seen_at: node.last_seen_at,
        }
    }
}

impl From<PartRef> for PartBody {
    fn from(part: PartRef) -> Self {
        let key = match part.kind {
            PartKind::Tenant => TenantId::from_uuid(part.key).to_string(),
            PartKind::Api => ApiId::from_uuid(part.key).to_string(),
            PartKind::Version => VersionId::from_uuid(part.key).to_string(),
        };
        Self {
            kind: part.kind.to_string(),
            key,
            hash: part.hash.to_string(),
        }
    }
}

async fn list(
    caller: Authorized<NodesRead>,
    State(control): State<Control>,
    listing: Listing<NoFilter>,
) -> Result<Listed<NodeBody>, Problem> {
    let nodes = control.nodes().list(&caller).await?.nodes;
    let page = Page::of_whole(nodes, listing.page, |node| node.id.uuid());
    Ok(Listed::page(page, NodeBody::from))
}

async fn get(
    caller: Authorized<NodesRead>,
    State(control): State<Control>,
    At(node): At<NodeId>,
) -> Result<Found<NodeBody>, Problem> {
    Ok(Found::plain(control.nodes().get(&caller, node).await?.into()))
}

async fn snapshots(
    caller: Authorized<PlatformManage>,
    State(control): State<Control>,
    listing: Listing<NoFilter>,
) -> Result<Listed<SnapshotBody>, Problem> {
    let snapshots = control.nodes().snapshots(&caller, listing.page).await?;
    Ok(Listed::page(snapshots, |snapshot| SnapshotBody {
        seq: snapshot.seq,
        created_at: snapshot.created_at,
        cause: snapshot.cause,
        user_id: snapshot.user_id,
        changed: snapshot.changed,
    }))
}

async fn snapshot(
    caller: Authorized<PlatformManage>,
    State(control): State<Control>,
    At(SnapshotSeq(seq)): At<SnapshotSeq>,
) -> Result<Found<ManifestBody>, Problem> {
    let manifest = control.nodes().snapshot(&caller, seq).await?;
    let parts = manifest.parts.into_iter().map(PartBody::from);
    Ok(Found::plain(ManifestBody {
        seq: manifest.seq,
        created_at: manifest.created_at,
        parts: parts.collect(),
    }))
}
