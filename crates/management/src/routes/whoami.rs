//! Who the caller is, and what that one may do.

use gatewright_model::id::{TenantId, TokenId, UserId};
use gatewright_model::permission::Permission;
use gatewright_model::text::Slug;
use gatewright_webkit::authorized::SignedIn;
use gatewright_webkit::problem::Problem;

use crate::answer::Found;
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("tokens").get(
        "/whoami",
        about("whoami", "Who the token speaks for, and what it may do."),
        whoami,
    )
}

output! {
    /// The caller.
    WhoamiBody as "Whoami" {
        /// The tenant that the request is about.
        tenant_id: TenantId,
        /// Its slug.
        tenant: Slug,
        /// The person.
        user_id: Option<UserId>,
        /// The token.
        token_id: Option<TokenId>,
        /// Whether the person runs the installation.
        platform_admin: bool,
        /// What is held in the whole tenant or in one of its teams.
        permissions: Vec<Permission>,
        /// The version of the server.
        server_version: &'static str,
    }
}

async fn whoami(SignedIn(caller): SignedIn) -> Result<Found<WhoamiBody>, Problem> {
    Ok(Found::plain(WhoamiBody {
        permissions: caller.rights.all().iter().collect(),
        tenant_id: caller.tenant_id,
        tenant: caller.tenant_slug,
        user_id: caller.user_id,
        token_id: caller.token_id,
        platform_admin: caller.platform_admin,
        server_version: env!("CARGO_PKG_VERSION"),
    }))
}
