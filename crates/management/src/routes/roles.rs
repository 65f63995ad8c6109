//! Roles: the fixed bundles of permissions.

use gatewright_model::permission::{Permission, Role};
use gatewright_model::state::Word;
use gatewright_webkit::authorized::SignedIn;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use crate::answer::{Found, Listed};
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("members")
        .get(
            "/roles",
            about("list_roles", "Lists the roles and what they allow."),
            list,
        )
        .get("/roles/{role}", about("get_role", "One role."), get)
}

output! {
    /// A role.
    RoleBody as "RolePermissions" {
        /// Its name.
        name: Role,
        /// Whether it is held only in the whole tenant, never in a team.
        tenant_only: bool,
        /// What it allows.
        permissions: Vec<Permission>,
    }
}

fn body(role: Role) -> RoleBody {
    RoleBody {
        name: role,
        tenant_only: role.tenant_only(),
        permissions: role.permissions().to_vec(),
    }
}

async fn list(_: SignedIn) -> Result<Listed<RoleBody>, Problem> {
    Ok(Listed::whole(Role::ALL.iter().copied().map(body).collect()))
}

async fn get(_: SignedIn, At(role): At<Role>) -> Result<Found<RoleBody>, Problem> {
    Ok(Found::plain(body(role)))
}
