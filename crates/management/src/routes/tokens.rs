//! Management tokens: what a program proves itself with here.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::tokens::NewToken;
use gatewright_model::id::{TokenId, UserId};
use gatewright_model::permission::Permission;
use gatewright_model::tenancy::ManagementToken;
use gatewright_model::text::Name;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::TokensWrite;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};

use crate::answer::{Created, Deleted, Found, Listed};
use crate::input::{Json, input};
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("tokens")
        .get(
            "/tokens",
            about(
                "list_tokens",
                "Lists the caller's own tokens; an owner sees everybody's.",
            ),
            list,
        )
        .post(
            "/tokens",
            about(
                "create_token",
                "Creates a token. Its secret is shown in this answer only.",
            ),
            create,
        )
        .get(
            "/tokens/{token}",
            about("get_token", "One token, without its secret."),
            get,
        )
        .post(
            "/tokens/{token}/revoke",
            about("revoke_token", "Ends a token for good."),
            revoke,
        )
        .delete(
            "/tokens/{token}",
            about("delete_token", "The same as revoke; its record stays."),
            delete,
        )
}

input! {
    /// A new token for the caller.
    TokenCreate {
        /// What it is for.
        name: Name,
        /// Narrows the caller's rights; empty for all of them.
        scopes: Vec<Permission> = Vec::new(),
        /// When it stops working by itself.
        expires_at: Option<Timestamp>,
    }
}

output! {
    /// A token.
    TokenBody as "Token" {
        /// Its id.
        id: TokenId,
        /// Whose rights it carries.
        user_id: UserId,
        /// What it is for.
        name: Name,
        /// Narrows the user's rights; empty means all of them.
        scopes: Vec<Permission>,
        /// The first characters of the secret.
        prefix: String,
        /// The last characters of the secret.
        last4: String,
        /// The secret; only in the answer of a creation.
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
        /// When it stops working by itself.
        expires_at: Option<Timestamp>,
        /// When somebody ended it.
        revoked_at: Option<Timestamp>,
        /// When it was last accepted.
        last_used_at: Option<Timestamp>,
        /// When it was made.
        created_at: Timestamp,
    }
}

impl From<ManagementToken> for TokenBody {
    fn from(token: ManagementToken) -> Self {
        Self {
            id: token.id,
            user_id: token.user_id,
            name: token.name,
            scopes: token.scopes,
            prefix: token.hint.prefix,
            last4: token.hint.last4,
            secret: None,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            last_used_at: token.last_used_at,
            created_at: token.created_at,
        }
    }
}

async fn list(
    caller: Authorized<TokensWrite>,
    State(control): State<Control>,
    listing: Listing<NoFilter>,
) -> Result<Listed<TokenBody>, Problem> {
    Ok(Listed::page(
        control.tokens().list(&caller, listing.page).await?,
        TokenBody::from,
    ))
}

async fn create(
    caller: Authorized<TokensWrite>,
    State(control): State<Control>,
    Json(body): Json<TokenCreate>,
) -> Result<Created<TokenBody>, Problem> {
    let new = NewToken {
        name: body.name,
        scopes: body.scopes,
        expires_at: body.expires_at,
    };
    let issued = control.tokens().create(&caller, new).await?;
    let secret = Some(issued.secret.expose().to_owned());
    let body = TokenBody {
        secret,
        ..issued.token.into()
    };
    Ok(Created::at("tokens", body.id, Found::plain(body)))
}

async fn get(
    caller: Authorized<TokensWrite>,
    State(control): State<Control>,
    At(token): At<TokenId>,
) -> Result<Found<TokenBody>, Problem> {
    Ok(Found::plain(control.tokens().get(&caller, token).await?.into()))
}

async fn revoke(
    caller: Authorized<TokensWrite>,
    State(control): State<Control>,
    At(token): At<TokenId>,
) -> Result<Found<TokenBody>, Problem> {
    Ok(Found::plain(
        control.tokens().revoke(&caller, token).await?.into(),
    ))
}

async fn delete(
    caller: Authorized<TokensWrite>,
    State(control): State<Control>,
    At(token): At<TokenId>,
) -> Result<Deleted, Problem> {
    control.tokens().revoke(&caller, token).await?;
    Ok(Deleted)
}
