//! Plans: under which terms an API may be used.

use std::time::Duration;

use axum::extract::State;
use gatewright_control::plans::{CLOSE_GRACE, NewPlan, PlanPatch, PlanVersions};
use gatewright_control::{Control, IfMatch};
use gatewright_model::id::{ApiId, PlanId};
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_model::limit::Limit;
use gatewright_model::plan::{ApprovalMode, Coverage, Plan, PlanState, PlanVerb, Security};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::{Name, Slug};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApisRead, PlansWrite};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};

use super::limits::LimitInput;
use crate::answer::{Created, Deleted, Found, Listed};
use crate::input::{Field, Json, input};
use crate::operation::{Api, about};
use crate::output::output;
use crate::schema::{Schemas, Shape};

pub(crate) fn add(api: Api) -> Api {
    let publish =
        about("publish_plan", "Opens a plan.").conflicts(&["illegal_transition", "keyless_plan_exists"]);
    let undeprecate = about("undeprecate_plan", "Opens a plan again.")
        .conflicts(&["illegal_transition", "keyless_plan_exists"]);
    api.tag("plans")
        .get(
            "/apis/{api}/plans",
            about("list_plans", "Lists the plans of an API."),
            list,
        )
        .post(
            "/apis/{api}/plans",
            about("create_plan", "Creates a draft of a plan.").conflicts(&["slug_taken"]),
            create,
        )
        .get(
            "/apis/{api}/plans/{plan}",
            about("get_api_plan", "One plan of an API, by its slug or id."),
            get_of_api,
        )
        .get("/plans/{plan}", about("get_plan", "One plan."), get)
        .patch(
            "/plans/{plan}",
            about(
                "update_plan",
                "Changes a plan; new limits make a new plan version.",
            )
            .conflicts(&["plan_closed"]),
            update,
        )
        .delete(
            "/plans/{plan}",
            about("delete_plan", "Deletes the draft of a plan.").conflicts(&["plan_in_use"]),
            delete,
        )
        .post("/plans/{plan}/publish", publish, publish_plan)
        .post(
            "/plans/{plan}/deprecate",
            about("deprecate_plan", "Closes a plan to new subscriptions.").conflicts(&["illegal_transition"]),
            deprecate_plan,
        )
        .post("/plans/{plan}/undeprecate", undeprecate, undeprecate_plan)
        .post(
            "/plans/{plan}/close",
            about("close_plan", "Ends a plan. What is active under it works on for a grace, the rest of its subscriptions ends at once.").conflicts(&["illegal_transition"]),
            close_plan,
        )
}

/// `"all"`, or a list of versions.
#[derive(Debug)]
pub(crate) struct PlanVersionsInput(PlanVersions);

fn all_or(item: RefOr<Schema>) -> RefOr<Schema> {
    let all = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["all"]));
    OneOfBuilder::new()
        .item(all)
        .item(utoipa::openapi::schema::Array::new(item))
        .into()
}

impl Shape for PlanVersionsInput {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        all_or(VersionRef::schema(schemas))
    }
}

impl Field for PlanVersionsInput {
    fn read(raw: &RawValue) -> Result<Self, FieldErrors> {
        if raw.get().starts_with('[') {
            return <Vec<VersionRef>>::read(raw).map(|versions| Self(PlanVersions::Only(versions)));
        }
        if raw.get() == "\"all\"" {
            return Ok(Self(PlanVersions::All));
        }
        let rule = "must be \"all\" or a list of labels or ids of versions";
        Err(FieldErrors::one("", Invalid::new("wrong_type", rule)))
    }
}

impl Shape for Coverage {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        all_or(gatewright_model::id::VersionId::schema(schemas))
    }
}

input! {
    /// A new plan.
    PlanCreate {
        /// As people read it.
        name: Name,
        /// Unique in the API.
        slug: Slug,
        /// Markdown.
        description: String = String::new(),
        /// Which versions it covers.
        versions: PlanVersionsInput = PlanVersionsInput(PlanVersions::All),
        /// How callers prove who they are.
        security: Security = Security::ApiKey,
        /// Who decides about subscriptions.
        approval: ApprovalMode = ApprovalMode::Auto,
        /// In the order in which they are checked; at most 16.
        limits: Vec<LimitInput> = Vec::new(),
    }
}

input! {
    /// What of a plan is to be changed.
    PlanUpdate {
        /// As people read it.
        name: Option<Name>,
        /// Markdown.
        description: Option<String>,
        /// Who decides about subscriptions.
        approval: Option<ApprovalMode>,
        /// Which versions it covers.
        versions: Option<PlanVersionsInput>,
        /// All limits of the next plan version; a limit of the same name keeps its counters.
        limits: Option<Vec<LimitInput>>,
    }
}

input! {
    /// When the subscriptions of a plan end that is closed.
    PlanClose {
        /// How long active ones still work, in seconds; 30 days when absent, at most 365.
        grace_seconds: Option<u32>,
    }
}

output! {
    /// A plan.
    PlanBody as "Plan" {
        /// Its id.
        id: PlanId,
        /// Its API.
        api_id: ApiId,
        /// Unique in the API.
        slug: Slug,
        /// As people read it.
        name: Name,
        /// Markdown; empty when nobody wrote one.
        description: String,
        /// Where it is in its life.
        state: PlanState,
        /// How callers prove who they are.
        security: Security,
        /// Who decides about subscriptions.
        approval: ApprovalMode,
        /// Which versions it covers.
        versions: Coverage,
        /// The number of the current terms.
        plan_version: u32,
        /// The current terms, in the order in which they are checked.
        limits: Vec<Limit>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

impl From<Plan> for PlanBody {
    fn from(plan: Plan) -> Self {
        Self {
            id: plan.id,
            api_id: plan.api_id,
            slug: plan.slug,
            name: plan.name,
            description: plan.description,
            state: plan.state,
            security: plan.security,
            approval: plan.approval,
            versions: plan.versions,
            plan_version: plan.current.number,
            limits: plan.current.limits,
            created_at: plan.created_at,
            updated_at: plan.updated_at,
        }
    }
}

fn found(plan: Plan) -> Found<PlanBody> {
    let row_version = plan.row_version;
    Found::tagged(plan.into(), row_version)
}

async fn list(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At(api): At<Ref<ApiId>>,
    listing: Listing<NoFilter>,
) -> Result<Listed<PlanBody>, Problem> {
    Ok(Listed::page(
        control.plans().list(&caller, &api, listing.page).await?,
        PlanBody::from,
    ))
}

async fn create(
    caller: Authorized<PlansWrite>,
    State(control): State<Control>,
    At(api): At<Ref<ApiId>>,
    Json(body): Json<PlanCreate>,
) -> Result<Created<PlanBody>, Problem> {
    let new = NewPlan {
        name: body.name,
        slug: body.slug,
        description: body.description,
        versions: body.versions.0,
        security: body.security,
        approval: body.approval,
        limits: body.limits.into_iter().map(|limit| limit.0).collect(),
    };
    let plan = control.plans().create(&caller, &api, new).await?;
    Ok(Created::at("plans", plan.id, found(plan)))
}

async fn get(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At(plan): At<PlanId>,
) -> Result<Found<PlanBody>, Problem> {
    Ok(found(control.plans().get(&caller, plan).await?))
}

async fn get_of_api(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At((api, plan)): At<(Ref<ApiId>, Ref<PlanId>)>,
) -> Result<Found<PlanBody>, Problem> {
    Ok(found(control.plans().of_api(&caller, &api, &plan).await?))
}

async fn update(
    caller: Authorized<PlansWrite>,
    State(control): State<Control>,
    At(plan): At<PlanId>,
    Expected(if_match): Expected,
    Json(body): Json<PlanUpdate>,
) -> Result<Found<PlanBody>, Problem> {
    let patch = PlanPatch {
        name: body.name,
        description: body.description,
        approval: body.approval,
        versions: body.versions.map(|versions| versions.0),
        limits: body
            .limits
            .map(|limits| limits.into_iter().map(|limit| limit.0).collect()),
    };
    Ok(found(
        control.plans().update(&caller, plan, patch, if_match).await?,
    ))
}

async fn delete(
    caller: Authorized<PlansWrite>,
    State(control): State<Control>,
    At(plan): At<PlanId>,
    Expected(if_match): Expected,
) -> Result<Deleted, Problem> {
    control.plans().delete(&caller, plan, if_match).await?;
    Ok(Deleted)
}

async fn step(
    control: &Control,
    caller: &gatewright_control::Caller,
    plan: PlanId,
    verb: PlanVerb,
    if_match: IfMatch,
) -> Result<Found<PlanBody>, Problem> {
    Ok(found(
        control.plans().transition(caller, plan, verb, if_match).await?,
    ))
}

macro_rules! verbs {
    ($($name:ident => $verb:ident;)+) => {$(
        async fn $name(
            caller: Authorized<PlansWrite>,
            State(control): State<Control>,
            At(plan): At<PlanId>,
            Expected(if_match): Expected,
        ) -> Result<Found<PlanBody>, Problem> {
            step(&control, &caller, plan, PlanVerb::$verb, if_match).await
        }
    )+};
}

verbs! {
    publish_plan => Publish;
    deprecate_plan => Deprecate;
    undeprecate_plan => Undeprecate;
}

async fn close_plan(
    caller: Authorized<PlansWrite>,
    State(control): State<Control>,
    At(plan): At<PlanId>,
    Expected(if_match): Expected,
    Json(body): Json<PlanClose>,
) -> Result<Found<PlanBody>, Problem> {
    let grace = body
        .grace_seconds
        .map_or(CLOSE_GRACE, |seconds| Duration::from_secs(seconds.into()));
    Ok(found(
        control.plans().close(&caller, plan, grace, if_match).await?,
    ))
}
