//! A new person with a team of their own.

use gatewright_model::audit::AuditSource;
use gatewright_model::id::UserId;
use gatewright_model::permission::Role;
use gatewright_model::tenancy::{Membership, StandingState, Team, TeamKind, Tenant, User, UserState};
use gatewright_model::text::{Email, Name, Slug};
use gatewright_store::Tx;
use serde_json::json;

use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::sessions::Client;

/// Somebody at the portal who has not signed in, or the person that an account belongs to.
pub(crate) fn at_portal(tenant: &Tenant, user: Option<UserId>, client: &Client) -> Caller {
    Caller {
        user_id: user,
        request_id: client.request_id.clone(),
        ..Caller::system(tenant.id, tenant.slug.clone(), AuditSource::Ui)
    }
}

/// Writes a person who may sign in, with a team of their own.
pub(crate) async fn add(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    email: Email,
    name: Name,
    password_hash: &str,
) -> Result<User> {
    let now = control.now();
    let user = User {
        id: control.new_id(now),
        tenant_id: caller.tenant_id,
        email,
        name,
        state: UserState::Active,
        platform_admin: false,
        auth_epoch: 0,
        created_at: now,
        row_version: 1,
    };
    tx.users().insert(&user, Some(password_hash)).await?;
    let details = json!({ "email": user.email });
    tx.audit(entry(caller, now, "user.create", "user", user.id, details));
    add_team(control, tx, caller, &user).await?;
    Ok(user)
}

/// Gives somebody a team of their own, so that they can make an application at once.
pub(crate) async fn add_team(control: &Control, tx: &mut Tx, caller: &Caller, user: &User) -> Result<()> {
    let now = control.now();
    let team = Team {
        id: control.new_id(now),
        tenant_id: user.tenant_id,
        slug: free_slug(control, tx, user).await?,
        name: user.name.clone(),
        kind: TeamKind::Consumer,
        contact: Some(user.email.clone()),
        state: StandingState::Active,
        created_at: now,
        row_version: 1,
    };
    tx.teams().insert(&team).await?;
    let details = json!({ "slug": team.slug, "kind": team.kind });
    tx.audit(entry(caller, now, "team.create", "team", team.id, details));
    let membership = Membership {
        id: control.new_id(now),
        tenant_id: user.tenant_id,
        user_id: user.id,
        team_id: Some(team.id),
        role: Role::Developer,
        created_at: now,
    };
    tx.memberships().insert(&membership).await?;
    let details = json!({ "user": user.id, "team": team.id, "role": membership.role });
    tx.audit(entry(caller, now, "member.add", "member", membership.id, details));
    Ok(())
}

async fn free_slug(control: &Control, tx: &mut Tx, user: &User) -> Result<Slug> {
    let wanted = Slug::from_text(user.name.as_str());
    if let Some(slug) = &wanted
        && tx.teams().find_by_slug(slug).await?.is_none()
    {
        return Ok(slug.clone());
    }
    let mut random = [0; 4];
    control.parts.entropy.fill(&mut random);
    let stem: String = wanted
        .as_ref()
        .map_or("team", Slug::as_str)
        .chars()
        .take(50)
        .collect();
    let unique = format!("{}-{}", stem.trim_end_matches('-'), hex::encode(random));
    Slug::parse(&unique).map_err(|invalid| Error::Internal(invalid.to_string()))
}
