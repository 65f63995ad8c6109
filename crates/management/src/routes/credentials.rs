//! Credentials: what an application proves itself with. A secret is shown in
//! the answer of `issue` and `rotate`, and nowhere else.

use std::time::Duration;

use axum::extract::State;
use gatewright_control::credentials::{CredentialAction, Issued, NewCredential};
use gatewright_control::{Control, IfMatch};
use gatewright_model::consumer::{Credential, CredentialKind, CredentialState};
use gatewright_model::id::{ApplicationId, CredentialId, UserId};
use gatewright_model::reference::Ref;
use gatewright_model::text::{Name, Remark};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApplicationsRead, CredentialsWrite, TenantRead};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};

use super::applications::Reason;
use crate::answer::{Created, Found, Listed};
use crate::input::{Json, input};
use crate::operation::{About, Api, about};
use crate::output::output;

const fn verb(id: &'static str, summary: &'static str) -> About {
    about(id, summary).conflicts(&["illegal_transition"])
}

pub(crate) fn add(api: Api) -> Api {
    let issue = about(
        "issue_credential",
        "Issues a key. Its secret is shown in this answer only.",
    );
    let rotate = about(
        "rotate_credential",
        "Issues a successor; the old key works until the end of the grace.",
    );
    api.tag("credentials")
        .get(
            "/applications/{application}/credentials",
            about(
                "list_credentials",
                "Lists the keys of an application, without secrets.",
            ),
            list,
        )
        .post(
            "/applications/{application}/credentials",
            issue.conflicts(&["application_not_active", "too_many_credentials"]),
            issue_one,
        )
        .post(
            "/credentials/find",
            about(
                "find_credentials",
                "Whose key is this? Finds keys by their first characters; what lies behind those is not looked at.",
            ),
            find,
        )
        .get(
            "/credentials/{credential}",
            about("get_credential", "One key, without its secret."),
            get,
        )
        .post(
            "/credentials/{credential}/rotate",
            rotate.conflicts(&["illegal_transition", "application_not_active"]),
            rotate_one,
        )
        .post(
            "/credentials/{credential}/revoke",
            verb("revoke_credential", "Ends a key for good."),
            revoke,
        )
        .post(
            "/credentials/{credential}/disable",
            verb("disable_credential", "Switches a key off."),
            disable,
        )
        .post(
            "/credentials/{credential}/enable",
            verb("enable_credential", "Switches a key on."),
            enable,
        )
}

input! {
    /// A new key.
    CredentialIssue {
        /// What it is.
        kind: CredentialKind = CredentialKind::ApiKey,
        /// What it is for.
        name: Option<Name>,
        /// When it starts to work.
        not_before: Option<Timestamp>,
        /// When it stops by itself.
        expires_at: Option<Timestamp>,
    }
}

input! {
    /// A key from a log line or a leak. It is in the body, so that it stays out of addresses.
    CredentialFind {
        /// The key, or at least its first 12 characters.
        key: String,
    }
}

input! {
    /// How a key is replaced.
    CredentialRotate {
        /// How long the old key still works, in seconds; at most 30 days.
        grace_seconds: u32 = 0,
    }
}

output! {
    /// A key.
    CredentialBody as "Credential" {
        /// Its id.
        id: CredentialId,
        /// Whose it is.
        application_id: ApplicationId,
        /// What it is.
        kind: CredentialKind,
        /// What it is for.
        name: Option<Name>,
        /// The first characters of the secret.
        prefix: String,
        /// The last characters of the secret.
        last4: String,
        /// The secret; only in the answers of issue and rotate.
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
        /// Where it is in its life.
        state: CredentialState,
        /// When it starts to work.
        not_before: Option<Timestamp>,
        /// When it stops by itself.
        expires_at: Option<Timestamp>,
        /// How long a rotating key still works; in the answer of rotate, how long the old one does.
        grace_until: Option<Timestamp>,
        /// Its successor.
        replaced_by: Option<CredentialId>,
        /// When it was last accepted.
        last_used_at: Option<Timestamp>,
        /// Why it was revoked.
        revoked_reason: Option<Remark>,
        /// Who made it.
        created_by: Option<UserId>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

impl From<Credential> for CredentialBody {
    fn from(credential: Credential) -> Self {
        Self {
            id: credential.id,
            application_id: credential.application_id,
            kind: credential.kind,
            name: credential.name,
            prefix: credential.hint.prefix,
            last4: credential.hint.last4,
            secret: None,
            state: credential.state,
            not_before: credential.not_before,
            expires_at: credential.expires_at,
            grace_until: credential.grace_until,
            replaced_by: credential.replaced_by,
            last_used_at: credential.last_used_at,
            revoked_reason: credential.revoked_reason,
            created_by: credential.created_by,
            created_at: credential.created_at,
            updated_at: credential.updated_at,
        }
    }
}

fn found(credential: Credential) -> Found<CredentialBody> {
    let row_version = credential.row_version;
    Found::tagged(credential.into(), row_version)
}

fn with_secret(issued: Issued) -> (CredentialBody, i64) {
    let row_version = issued.credential.row_version;
    let secret = Some(issued.secret.expose().to_owned());
    (
        CredentialBody {
            secret,
            ..issued.credential.into()
        },
        row_version,
    )
}

async fn list(
    caller: Authorized<ApplicationsRead>,
    State(control): State<Control>,
    At(application): At<Ref<ApplicationId>>,
    listing: Listing<NoFilter>,
) -> Result<Listed<CredentialBody>, Problem> {
    let credentials = control
        .credentials()
        .list(&caller, &application, listing.page)
        .await?;
    Ok(Listed::page(credentials, CredentialBody::from))
}

async fn issue_one(
    caller: Authorized<CredentialsWrite>,
    State(control): State<Control>,
    At(application): At<Ref<ApplicationId>>,
    Json(body): Json<CredentialIssue>,
) -> Result<Created<CredentialBody>, Problem> {
    let new = NewCredential {
        kind: body.kind,
        name: body.name,
        not_before: body.not_before,
        expires_at: body.expires_at,
    };
    let issued = control.credentials().issue(&caller, &application, new).await?;
    let (body, row_version) = with_secret(issued);
    Ok(Created::at(
        "credentials",
        body.id,
        Found::tagged(body, row_version),
    ))
}

async fn find(
    caller: Authorized<TenantRead>,
    State(control): State<Control>,
    Json(body): Json<CredentialFind>,
) -> Result<Listed<CredentialBody>, Problem> {
    let found = control.credentials().find_by_prefix(&caller, &body.key).await?;
    Ok(Listed::whole(
        found.into_iter().map(CredentialBody::from).collect(),
    ))
}

async fn get(
    caller: Authorized<ApplicationsRead>,
    State(control): State<Control>,
    At(credential): At<CredentialId>,
) -> Result<Found<CredentialBody>, Problem> {
    Ok(found(control.credentials().get(&caller, credential).await?))
}

async fn rotate_one(
    caller: Authorized<CredentialsWrite>,
    State(control): State<Control>,
    At(credential): At<CredentialId>,
    Expected(if_match): Expected,
    Json(body): Json<CredentialRotate>,
) -> Result<Found<CredentialBody>, Problem> {
    let grace = Duration::from_secs(body.grace_seconds.into());
    let issued = control
        .credentials()
        .rotate(&caller, credential, grace, if_match)
        .await?;
    let old = control
        .credentials()
        .replaced_by(&caller, issued.credential.id)
        .await?;
    let (body, row_version) = with_secret(issued);
    let grace_until = old.and_then(|old| old.grace_until);
    Ok(Found::tagged(CredentialBody { grace_until, ..body }, row_version))
}

async fn step(
    control: &Control,
    caller: &gatewright_control::Caller,
    credential: CredentialId,
    action: CredentialAction,
    if_match: IfMatch,
) -> Result<Found<CredentialBody>, Problem> {
    Ok(found(
        control
            .credentials()
            .transition(caller, credential, action, if_match)
            .await?,
    ))
}

async fn revoke(
    caller: Authorized<CredentialsWrite>,
    State(control): State<Control>,
    At(credential): At<CredentialId>,
    Expected(if_match): Expected,
    Json(body): Json<Reason>,
) -> Result<Found<CredentialBody>, Problem> {
    step(
        &control,
        &caller,
        credential,
        CredentialAction::Revoke { reason: body.reason },
        if_match,
    )
    .await
}

async fn disable(
    caller: Authorized<CredentialsWrite>,
    State(control): State<Control>,
    At(credential): At<CredentialId>,
    Expected(if_match): Expected,
) -> Result<Found<CredentialBody>, Problem> {
    step(&control, &caller, credential, CredentialAction::Disable, if_match).await
}

async fn enable(
    caller: Authorized<CredentialsWrite>,
    State(control): State<Control>,
    At(credential): At<CredentialId>,
    Expected(if_match): Expected,
) -> Result<Found<CredentialBody>, Problem> {
    step(&control, &caller, credential, CredentialAction::Enable, if_match).await
}
