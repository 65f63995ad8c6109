//! Call records: a list, and one call explained.

use std::net::IpAddr;

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::calls::CallFilter;
use gatewright_model::id::{
    ApiId, ApplicationId, CallId, CredentialId, NodeId, PlanId, SubscriptionId, VersionId,
};
use gatewright_model::reference::Ref;
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::CallSource;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::CallsRead;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::Listing;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::answer::{Found, Listed};
use crate::filters::filter;
use crate::operation::{Api, about};
use crate::output::output;
use crate::schema::{Schemas, Shape, text};

pub(crate) fn add(api: Api) -> Api {
    api.tag("calls")
        .get("/calls", about("list_calls", "Lists calls, newest first."), list)
        .get(
            "/calls/{call}",
            about("get_call", "One call; its id is the X-Request-Id of its answer."),
            get,
        )
}

impl Shape for IpAddr {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        text(None)
    }
}

filter! {
    /// Which calls are listed.
    CallQuery {
        /// Of which API, by id or slug.
        api: Ref<ApiId>,
        /// By which application, by id or slug.
        application: Ref<ApplicationId>,
        /// With which key.
        credential: CredentialId,
        /// With which status.
        status: u16,
        /// From where: a client, the try-it console, or sample data.
        source: CallSource,
        /// From when on.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
    }
}

output! {
    /// A call that passed through the gateway.
    CallBody as "Call" {
        /// Its id, which is also the request id.
        id: CallId,
        /// When its head had been read.
        at: Timestamp,
        /// The API.
        api_id: Option<ApiId>,
        /// The version.
        version_id: Option<VersionId>,
        /// The key of the operation.
        operation: Option<String>,
        /// The plan.
        plan_id: Option<PlanId>,
        /// The subscription.
        subscription_id: Option<SubscriptionId>,
        /// The application.
        application_id: Option<ApplicationId>,
        /// The key.
        credential_id: Option<CredentialId>,
        /// Where it came from.
        source: CallSource,
        /// Which node served it.
        node_id: NodeId,
        /// The configuration under which it was served.
        snapshot_seq: i64,
        /// The method.
        method: String,
        /// The path without the query.
        path: String,
        /// The status that the client got; 499 when it left before the answer.
        status: u16,
        /// The code of the gateway's refusal; null when the call passed.
        refusal: Option<String>,
        /// The address of the client.
        client: Option<IpAddr>,
        /// The User-Agent.
        user_agent: Option<String>,
        /// The upstream that answered or was tried last.
        target: Option<String>,
        /// Bytes of the request body.
        bytes_in: u64,
        /// Bytes of the answer's body.
        bytes_out: u64,
        /// From the first byte of the head to the last byte of the answer, in microseconds.
        duration_us: u64,
        /// The part of it that was spent on the upstream, in microseconds.
        upstream_us: u64,
        /// The W3C trace id.
        trace_id: String,
        /// Whether the body was delivered whole.
        complete: bool,
    }
}

/// Renders a call record. A macro because the record's type belongs to the
/// store, which this crate does not know.
macro_rules! rendered {
    ($call:expr) => {{
        let call = $call;
        CallBody {
            id: call.id,
            at: call.at,
            api_id: call.api_id,
            version_id: call.version_id,
            operation: call.operation,
            plan_id: call.plan_id,
            subscription_id: call.subscription_id,
            application_id: call.application_id,
            credential_id: call.credential_id,
            source: call.source,
            node_id: call.node_id,
            snapshot_seq: call.snapshot_seq,
            method: call.method,
            path: call.path,
            status: call.status,
            refusal: call.refusal,
            client: call.client,
            user_agent: call.user_agent,
            target: call.target,
            bytes_in: call.bytes_in,
            bytes_out: call.bytes_out,
            duration_us: call.duration_us,
            upstream_us: call.upstream_us,
            trace_id: call.trace_id,
            complete: call.complete,
        }
    }};
}

async fn list(
    caller: Authorized<CallsRead>,
    State(control): State<Control>,
    Listing { filter, page }: Listing<CallQuery>,
) -> Result<Listed<CallBody>, Problem> {
    let CallQuery {
        api,
        application,
        credential,
        status,
        source,
        from,
        to,
    } = filter;
    let filter = CallFilter {
        api,
        application,
        credential,
        status,
        source,
        from,
        to,
    };
    let calls = control.calls().list(&caller, &filter, page).await?;
    Ok(Listed::page(calls, |call| rendered!(call)))
}

async fn get(
    caller: Authorized<CallsRead>,
    State(control): State<Control>,
    At(call): At<CallId>,
) -> Result<Found<CallBody>, Problem> {
    Ok(Found::plain(rendered!(control.calls().get(&caller, call).await?)))
}
