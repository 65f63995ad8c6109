//! The verbs of a version, and what stands between it and its publication.

use axum::extract::State;
use gatewright_control::lifecycle::Transition;
use gatewright_control::{Caller, Control, IfMatch};
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::Remark;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApisRead, VersionsPublish};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::Query;

use super::imports::DryRun;
use super::versions::{AtVersion, VersionBody, found};
use crate::answer::Found;
use crate::input::{Json, input};
use crate::operation::{About, Api, about};
use crate::output::output;

const PUBLISH: &[&str] = &[
    "illegal_transition",
    "review_required",
    "no_document",
    "no_operation",
    "no_upstream",
    "no_plan",
    "own_request",
];

const fn verb(id: &'static str, summary: &'static str) -> About {
    about(id, summary).conflicts(&["illegal_transition"])
}

pub(crate) fn add(api: Api) -> Api {
    let publish = about("publish_version", "Routes a version and opens it.").conflicts(PUBLISH);
    let preview = about("preview_version", "Routes a version as a preview.").conflicts(PUBLISH);
    let submit =
        about("submit_version", "Asks for a review.").conflicts(&["illegal_transition", "no_document"]);
    let unretire = about("unretire_version", "Brings a retired version back.")
        .conflicts(&["illegal_transition", "too_late"]);
    let undeprecate = about("undeprecate_version", "Takes the announcement back.");
    api.tag("versions")
        .get(
            "/apis/{api}/versions/{version}/publish-check",
            about(
                "check_publish",
                "What stands between a version and its publication.",
            ),
            publish_check,
        )
        .post("/apis/{api}/versions/{version}/submit", submit, submit_version)
        .post(
            "/apis/{api}/versions/{version}/withdraw",
            verb("withdraw_version", "Takes the review or the preview back."),
            withdraw,
        )
        .post("/apis/{api}/versions/{version}/preview", preview, preview_version)
        .post("/apis/{api}/versions/{version}/publish", publish, publish_version)
        .post(
            "/apis/{api}/versions/{version}/block",
            verb("block_version", "Answers 503 with a reason."),
            block,
        )
        .post(
            "/apis/{api}/versions/{version}/unblock",
            verb("unblock_version", "Serves again."),
            unblock,
        )
        .post(
            "/apis/{api}/versions/{version}/deprecate",
            verb("deprecate_version", "Announces the end. A dry run answers what the version would be, or the refusal, and writes nothing."),
            deprecate,
        )
        .post(
            "/apis/{api}/versions/{version}/undeprecate",
            undeprecate.conflicts(&["illegal_transition", "sunset_passed"]),
            undeprecate_version,
        )
        .post(
            "/apis/{api}/versions/{version}/retire",
            verb("retire_version", "Ends it: 410 from now on."),
            retire,
        )
        .post(
            "/apis/{api}/versions/{version}/unretire",
            unretire,
            unretire_version,
        )
        .post(
            "/apis/{api}/versions/{version}/archive",
            verb("archive_version", "Keeps only the history."),
            archive,
        )
}

input! {
    /// Why a version is blocked.
    VersionBlock {
        /// Callers read it.
        reason: Remark,
    }
}

input! {
    /// The announced end of a version.
    VersionDeprecate {
        /// When it ends.
        sunset_at: Timestamp,
        /// What replaces it, by id or label.
        successor: Option<VersionRef>,
        /// What subscribers are told.
        message: Option<Remark>,
    }
}

input! {
    /// The new end of a version that was retired.
    VersionUnretire {
        /// When it ends.
        sunset_at: Timestamp,
    }
}

output! {
    /// What stands between a version and its publication.
    PublishCheckBody as "PublishCheck" {
        /// Whether it can be published now.
        ready: bool,
        /// What is missing, in the order in which to mend it.
        missing: Vec<MissingBody>,
    }
}

output! {
    /// One thing that is missing.
    MissingBody as "Missing" {
        /// Stable, for programs.
        code: &'static str,
        /// What is missing and how to add it.
        message: String,
    }
}

impl crate::schema::Shape for &'static str {
    fn schema(
        schemas: &mut crate::schema::Schemas,
    ) -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema(schemas)
    }
}

type Answered = Result<Found<VersionBody>, Problem>;
type Publisher = Authorized<VersionsPublish>;

async fn step(
    control: &Control,
    caller: &Caller,
    (api, version): (Ref<ApiId>, VersionRef),
    transition: Transition,
    if_match: IfMatch,
) -> Answered {
    Ok(found(
        control
            .versions()
            .transition(caller, &api, &version, transition, if_match)
            .await?,
    ))
}

async fn publish_check(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At((api, version)): AtVersion,
) -> Result<Found<PublishCheckBody>, Problem> {
    let check = control.versions().publish_check(&caller, &api, &version).await?;
    let ready = check.ready();
    let missing = check.missing.into_iter().map(|missing| MissingBody {
        code: missing.code,
        message: missing.message,
    });
    Ok(Found::plain(PublishCheckBody {
        ready,
        missing: missing.collect(),
    }))
}

macro_rules! verbs {
    ($($name:ident => $transition:ident;)+) => {$(
        async fn $name(
            caller: Publisher,
            State(control): State<Control>,
            At(at): AtVersion,
            Expected(if_match): Expected,
        ) -> Answered {
            step(&control, &caller, at, Transition::$transition, if_match).await
        }
    )+};
}

verbs! {
    submit_version => Submit;
    withdraw => Withdraw;
    preview_version => Preview;
    publish_version => Publish;
    unblock => Unblock;
    undeprecate_version => Undeprecate;
    retire => Retire;
    archive => Archive;
}

async fn block(
    caller: Publisher,
    State(control): State<Control>,
    At(at): AtVersion,
    Expected(if_match): Expected,
    Json(body): Json<VersionBlock>,
) -> Answered {
    step(
        &control,
        &caller,
        at,
        Transition::Block { reason: body.reason },
        if_match,
    )
    .await
}

async fn deprecate(
    caller: Publisher,
    State(control): State<Control>,
    At(at): AtVersion,
    Query(query): Query<DryRun>,
    Expected(if_match): Expected,
    Json(body): Json<VersionDeprecate>,
) -> Answered {
    let transition = Transition::Deprecate {
        sunset_at: body.sunset_at,
        successor: body.successor,
        message: body.message,
    };
    if query.wanted() {
        let (versions, (api, version)) = (control.versions(), at);
        let rehearsed = versions.rehearse(&caller, &api, &version, transition, if_match);
        return Ok(found(rehearsed.await?));
    }
    step(&control, &caller, at, transition, if_match).await
}

async fn unretire_version(
    caller: Publisher,
    State(control): State<Control>,
    At(at): AtVersion,
    Expected(if_match): Expected,
    Json(body): Json<VersionUnretire>,
) -> Answered {
    step(
        &control,
        &caller,
        at,
        Transition::Unretire {
            sunset_at: body.sunset_at,
        },
        if_match,
    )
    .await
}
