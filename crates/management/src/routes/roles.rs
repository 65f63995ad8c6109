//! Roles: the fixed bundles of permissions.

use gatewright_model::page::Page;
use gatewright_model::permission::{Permission, Role};
use gatewright_model::state::Word;
use gatewright_webkit::authorized::SignedIn;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};
use uuid::Uuid;

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

async fn list(_: SignedIn, listing: Listing<NoFilter>) -> Result<Listed<RoleBody>, Problem> {
    let page = Page::of_whole(Role::ALL.to_vec(), listing.page, place);
    Ok(Listed::page(page, body))
}

/// Roles have names and no ids: a cursor is the place in the list.
fn place(role: &Role) -> Uuid {
    let index = Role::ALL.iter().position(|known| known == role);
    Uuid::from_u128(index.map_or(0, |index| index as u128))
}

async fn get(_: SignedIn, At(role): At<Role>) -> Result<Found<RoleBody>, Problem> {
    Ok(Found::plain(body(role)))
}
