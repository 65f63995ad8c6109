//! Where the calls of a version go.

use axum::extract::State;
use gatewright_control::{Control, Error};
use gatewright_model::api::{Balancing, Target, Timeouts, Upstream};
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApisRead, ApisWrite};
use gatewright_webkit::problem::Problem;
use url::Url;

use super::versions::AtVersion;
use crate::answer::Found;
use crate::input::{Json, input};
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("versions")
        .get("/apis/{api}/versions/{version}/upstream", about("get_upstream", "Where the calls of a version go."), get)
        .put(
            "/apis/{api}/versions/{version}/upstream",
            about("set_upstream", "Sets where the calls of a version go; a routed version uses it at once. Its tag is the version's.")
                .conflicts(&["version_frozen"]),
            set,
        )
}

input! {
    /// Where the calls of a version go.
    UpstreamSet {
        /// At least one.
        targets: Vec<TargetSet>,
        /// How one is chosen.
        algorithm: Balancing = Balancing::RoundRobin,
        /// How long the gateway waits.
        timeouts: Option<TimeoutsSet>,
    }
}

input! {
    /// One server.
    TargetSet {
        /// http or https, host, port and base path.
        url: Url,
        /// Its share of the calls, 0 to 1,000.
        weight: u32 = 1,
    }
}

input! {
    /// How long the gateway waits for an upstream.
    TimeoutsSet {
        /// To connect, in milliseconds.
        connect_ms: u32 = Timeouts::default().connect_ms,
        /// From the end of the request to the head of the answer, in milliseconds.
        response_ms: u32 = Timeouts::default().response_ms,
        /// Between two pieces of a body, in milliseconds.
        idle_ms: u32 = Timeouts::default().idle_ms,
    }
}

output! {
    /// Where the calls of a version go.
    UpstreamBody as "Upstream" {
        /// At least one.
        targets: Vec<TargetBody>,
        /// How one is chosen.
        algorithm: Balancing,
        /// How long the gateway waits.
        timeouts: TimeoutsBody,
    }
}

output! {
    /// One server.
    TargetBody as "Target" {
        /// Its address.
        url: Url,
        /// Its share of the calls.
        weight: u32,
    }
}

output! {
    /// How long the gateway waits for an upstream.
    TimeoutsBody as "Timeouts" {
        /// To connect, in milliseconds.
        connect_ms: u32,
        /// From the end of the request to the head of the answer, in milliseconds.
        response_ms: u32,
        /// Between two pieces of a body, in milliseconds.
        idle_ms: u32,
    }
}

impl From<Upstream> for UpstreamBody {
    fn from(upstream: Upstream) -> Self {
        let Timeouts {
            connect_ms,
            response_ms,
            idle_ms,
        } = upstream.timeouts;
        let body = |target: Target| TargetBody {
            url: target.url,
            weight: target.weight,
        };
        Self {
            targets: upstream.targets.into_iter().map(body).collect(),
            algorithm: upstream.algorithm,
            timeouts: TimeoutsBody {
                connect_ms,
                response_ms,
                idle_ms,
            },
        }
    }
}

impl From<UpstreamSet> for Upstream {
    fn from(set: UpstreamSet) -> Self {
        let timeouts = set.timeouts.map(|set| Timeouts {
            connect_ms: set.connect_ms,
            response_ms: set.response_ms,
            idle_ms: set.idle_ms,
        });
        let target = |set: TargetSet| Target {
            url: set.url,
            weight: set.weight,
        };
        Self {
            targets: set.targets.into_iter().map(target).collect(),
            algorithm: set.algorithm,
            timeouts: timeouts.unwrap_or_default(),
        }
    }
}

async fn get(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At((api, version)): AtVersion,
) -> Result<Found<UpstreamBody>, Problem> {
    let view = control.versions().get(&caller, &api, &version).await?;
    let upstream = view.upstream.ok_or(Error::NotFound { kind: "upstream" })?;
    Ok(Found::tagged(upstream.into(), view.version.row_version))
}

async fn set(
    caller: Authorized<ApisWrite>,
    State(control): State<Control>,
    At((api, version)): AtVersion,
    Expected(if_match): Expected,
    Json(body): Json<UpstreamSet>,
) -> Result<Found<UpstreamBody>, Problem> {
    let (upstream, version) = control
        .versions()
        .set_upstream(&caller, &api, &version, body.into(), if_match)
        .await?;
    Ok(Found::tagged(upstream.into(), version.row_version))
}
