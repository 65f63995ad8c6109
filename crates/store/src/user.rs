//! People: users, their passwords and the roles they hold.

use gatewright_model::id::{EntityId, MembershipId, TeamId, UserId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Role;
use gatewright_model::tenancy::{Membership, User, UserState};
use gatewright_model::text::Email;
use sea_query::{Expr, ExprTrait, Order, Query};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Record, is, is_some, record, versioned};
use crate::tx::repository;

repository! {
    /// Users.
    Users via users
}
repository! {
    /// Roles that users hold.
    Memberships via memberships
}

record! { User in "app_user" owned by Some("tenant_id") => {
    id, tenant_id, email, name, state, platform_admin, auth_epoch, created_at, row_version,
} }
record! { Membership in "membership" owned by Some("tenant_id") => {
    id, tenant_id, user_id, team_id, role, created_at,
} }
versioned!(User);

impl Users<'_> {
    /// The user with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: UserId) -> Result<Option<User>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The tenant's user with this address.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_email(self, email: &Email) -> Result<Option<User>, StoreError> {
        self.0.one(is("email", email)).await
    }

    /// Whether anybody runs the installation yet; for a system transaction.
    ///
    /// # Errors
    /// As for every read.
    pub async fn any_platform_admin(self) -> Result<bool, StoreError> {
        Ok(self.0.count::<User>(is("platform_admin", &true)).await? > 0)
    }

    /// Users, newest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(self, page: PageRequest) -> Result<Page<User>, StoreError> {
        let select = self.0.select::<User>();
        self.0
            .page(select, page, Order::Desc, |user: &User| user.id.uuid())
            .await
    }

    /// Adds a user, with the hash of a password in PHC form when there is one already.
    ///
    /// # Errors
    /// `Conflict(UserEmail)`.
    pub async fn insert(self, user: &User, password_hash: Option<&str>) -> Result<(), StoreError> {
        let columns: Vec<_> = User::COLUMNS.iter().copied().chain(["password_hash"]).collect();
        let mut values = user.values();
        values.push(password_hash.map(str::to_owned).value());
        self.0
            .insert_rows(User::TABLE, &columns, User::OWNER, vec![values])
            .await
    }

    /// Writes a user and returns it with its next row version. The password stays.
    ///
    /// # Errors
    /// [`StoreError::Stale`], `Conflict(UserEmail)`.
    pub async fn update(self, user: &User) -> Result<User, StoreError> {
        self.0.update(user).await
    }

    /// The hash of the user's password in PHC form; `None` when there is no user or no password.
    ///
    /// # Errors
    /// As for every read.
    pub async fn password_hash(self, id: UserId) -> Result<Option<String>, StoreError> {
        let mut select = Query::select();
        select
            .column("password_hash")
            .from("app_user")
            .and_where(is("id", &id))
            .and_where_option(self.0.wall::<User>());
        let row = self.0.conn.fetch_optional(&select).await?;
        row.map_or(Ok(None), |row| row.take("app_user", "password_hash"))
    }

    /// Sets the hash of the user's password, in PHC form, and ends every
    /// session: the epoch of authentication is raised.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is no such user.
    pub async fn set_password_hash(self, id: UserId, hash: &str) -> Result<(), StoreError> {
        let mut update = Query::update();
        update
            .table("app_user")
            .value("password_hash", hash)
            .value("auth_epoch", Expr::col("auth_epoch").add(1_i64))
            .value("row_version", Expr::col("row_version").add(1_i64))
            .and_where(is("id", &id))
            .and_where_option(self.0.wall::<User>());
        match self.0.conn.execute(&update).await? {
            0 => Err(StoreError::Stale),
            _ => Ok(()),
        }
    }
}

impl Memberships<'_> {
    /// The membership with this id.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find(self, id: MembershipId) -> Result<Option<Membership>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// Every role that a user holds.
    ///
    /// # Errors
    /// As for every read.
    pub async fn of_user(self, user: UserId) -> Result<Vec<Membership>, StoreError> {
        let mut select = self.0.select::<Membership>();
        select.and_where(is("user_id", &user)).order_by("id", Order::Asc);
        self.0.all(&select).await
    }

    /// The active users who own the whole tenant.
    ///
    /// # Errors
    /// As for every read.
    pub async fn active_owners(self) -> Result<Vec<UserId>, StoreError> {
        let mut active = Query::select();
        active
            .column("id")
            .from(User::TABLE)
            .and_where(is("state", &UserState::Active))
            .and_where_option(self.0.wall::<User>());
        let mut select = self.0.select::<Membership>();
        select
            .and_where(is("role", &Role::Owner))
            .and_where(Expr::col("team_id").is_null())
            .and_where(Expr::col("user_id").in_subquery(active));
        let owners: Vec<Membership> = self.0.all(&select).await?;
        Ok(owners.iter().map(|owner| owner.user_id).collect())
    }

    /// Memberships, newest first; of one team when it is named.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(self, team: Option<TeamId>, page: PageRequest) -> Result<Page<Membership>, StoreError> {
        let mut select = self.0.select::<Membership>();
        select.and_where_option(is_some("team_id", team.as_ref()));
        self.0
            .page(select, page, Order::Desc, |member: &Membership| member.id.uuid())
            .await
    }

    /// Gives a role.
    ///
    /// # Errors
    /// `Conflict(MembershipInTeam)` or `Conflict(MembershipInTenant)` when the user holds it already.
    pub async fn insert(self, membership: &Membership) -> Result<(), StoreError> {
        self.0.insert(membership).await
    }

    /// Takes a role away; `false` when it was not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete(self, id: MembershipId) -> Result<bool, StoreError> {
        let deleted = self
            .0
            .delete::<Membership>(Expr::col("id").eq(id.value()))
            .await?;
        Ok(deleted > 0)
    }
}
