//! The fixed roles: what each may do, in sentences and as a matrix.

use askama::Template;
use gatewright_model::permission::{Permission, Role};
use gatewright_model::state::Word;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::permit::TenantRead;
use gatewright_webkit::problem::Problem;

use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

/// The page of roles.
pub(super) fn routes(pages: Pages) -> Pages {
    pages.get("/console/roles", roles)
}

#[derive(Template)]
#[template(path = "console/roles/roles.html")]
struct Roles {
    shell: Shell,
    roles: &'static [Role],
    permissions: Vec<(Permission, &'static str)>,
}

async fn roles(_: Authorized<TenantRead>, visit: Visit) -> Result<Page, Problem> {
    let permissions = Permission::ALL
        .iter()
        .filter(|permission| **permission != Permission::PlatformManage)
        .map(|permission| (*permission, permission.meaning()))
        .collect();
    Page::html(&Roles {
        shell: visit
            .shell("Roles")
            .crumb("Console", "/console")
            .last_crumb("Roles"),
        roles: Role::ALL,
        permissions,
    })
}

/// The roles that can be held in a team, with what each is for.
pub(super) fn of_teams() -> Vec<(&'static str, String)> {
    choices(|role| !role.tenant_only())
}

/// Every role, with what each is for.
pub(super) fn of_tenants() -> Vec<(&'static str, String)> {
    choices(|_| true)
}

fn choices(wanted: impl Fn(Role) -> bool) -> Vec<(&'static str, String)> {
    Role::ALL
        .iter()
        .filter(|role| wanted(**role))
        .map(|role| (role.as_str(), format!("{role}: {}", role.meaning())))
        .collect()
}

/// What the role is for.
fn meaning(role: &Role) -> &'static str {
    role.meaning()
}

/// Whether the role holds the permission.
fn holds(role: &Role, permission: &Permission) -> bool {
    role.permissions().contains(permission)
}

#[cfg(test)]
mod tests {
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn every_role_is_described() {
        let portal = TestPortal::new().await;
        let page = portal.admin().await.get("/console/roles").await;
        page.shows(&[
            "owner",
            "publisher",
            "approver",
            "developer",
            "support",
            "auditor",
            "credentials:write",
        ]);
        assert!(!page.text.contains("platform:manage"));
    }
}
