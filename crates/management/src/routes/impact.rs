//! Who is affected when a version ends.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::impact::{Affected, Impact};
use gatewright_model::id::ApplicationId;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApisWrite, Either, TenantRead};
use gatewright_webkit::problem::Problem;

use super::versions::AtVersion;
use crate::answer::Found;
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("versions").get(
        "/apis/{api}/versions/{version}/deprecation-impact",
        about(
            "get_deprecation_impact",
            "Who is affected by the end of a version: who called it in the last 30 days, and who may.",
        ),
        impact,
    )
}

output! {
    /// Who is affected by the end of a version.
    ImpactBody as "DeprecationImpact" {
        /// From when on calls were counted.
        since: Timestamp,
        /// The applications, those that call most first.
        applications: Vec<AffectedBody>,
        /// Calls without a key in that time; nobody can be told about them.
        anonymous_calls: u64,
    }
}

output! {
    /// An application that is affected.
    AffectedBody as "AffectedApplication" {
        /// Its id.
        id: ApplicationId,
        /// As people read it; its id once it is gone.
        name: String,
        /// How many calls it made.
        calls: u64,
        /// The hour of its last call; null without one.
        last_call: Option<Timestamp>,
        /// Whether a subscription of it is active.
        subscribed: bool,
    }
}

impl From<Impact> for ImpactBody {
    fn from(impact: Impact) -> Self {
        Self {
            since: impact.since,
            applications: impact.applications.into_iter().map(AffectedBody::from).collect(),
            anonymous_calls: impact.anonymous_calls,
        }
    }
}

impl From<Affected> for AffectedBody {
    fn from(affected: Affected) -> Self {
        Self {
            id: affected.id,
            name: affected.name,
            calls: affected.calls,
            last_call: affected.last_call,
            subscribed: affected.subscribed,
        }
    }
}

async fn impact(
    caller: Authorized<Either<TenantRead, ApisWrite>>,
    State(control): State<Control>,
    At((api, version)): AtVersion,
) -> Result<Found<ImpactBody>, Problem> {
    let impact = control.versions().impact(&caller, &api, &version).await?;
    Ok(Found::plain(impact.into()))
}
