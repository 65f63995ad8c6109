//! What things are called: lists hold ids, pages show names. One query for each
//! kind of thing, however many of them there are.

use std::collections::HashMap;
use std::hash::Hash;

use gatewright_model::api::{Api, ApiVersion};
use gatewright_model::consumer::{Application, Credential};
use gatewright_model::id::{ApiId, ApplicationId, CredentialId, EntityId, PlanId, TeamId, UserId, VersionId};
use gatewright_model::tenancy::{Team, User};
use gatewright_model::text::{Email, Name, Slug, VersionLabel};
use sea_query::Query;

use crate::column::Column;
use crate::error::StoreError;
use crate::plan::PlanRow;
use crate::row::{Record, Row, is_in};
use crate::tx::repository;

repository! {
    /// Names of things.
    NamesOfThings via names
}

/// Whose names are wanted. The same id may stand in it often.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// APIs.
    pub apis: Vec<ApiId>,
    /// Versions of APIs.
    pub versions: Vec<VersionId>,
    /// Plans.
    pub plans: Vec<PlanId>,
    /// Applications.
    pub applications: Vec<ApplicationId>,
    /// Credentials.
    pub credentials: Vec<CredentialId>,
    /// Teams.
    pub teams: Vec<TeamId>,
    /// People.
    pub users: Vec<UserId>,
}

/// The name of a thing and what stands for it in addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// In addresses.
    pub slug: Slug,
    /// As people read it.
    pub name: Name,
}

/// The names that were found. What is gone has none.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// APIs.
    pub apis: HashMap<ApiId, Named>,
    /// Versions by their labels.
    pub versions: HashMap<VersionId, VersionLabel>,
    /// Plans.
    pub plans: HashMap<PlanId, Named>,
    /// Applications.
    pub applications: HashMap<ApplicationId, Named>,
    /// Credentials by the beginning of their secret.
    pub credentials: HashMap<CredentialId, String>,
    /// Teams.
    pub teams: HashMap<TeamId, Named>,
    /// People: name and address.
    pub users: HashMap<UserId, (Name, Email)>,
}

impl NamesOfThings<'_> {
    /// Looks the names up.
    ///
    /// # Errors
    /// As for every read.
    pub async fn of(mut self, wanted: &Wanted) -> Result<Names, StoreError> {
        Ok(Names {
            apis: self.named::<Api, _>(&wanted.apis).await?,
            versions: self
                .look_up::<ApiVersion, _, _>(&wanted.versions, &["id", "label"], |row| {
                    row.take(ApiVersion::TABLE, "label")
                })
                .await?,
            plans: self.named::<PlanRow, _>(&wanted.plans).await?,
            applications: self.named::<Application, _>(&wanted.applications).await?,
            credentials: self
                .look_up::<Credential, _, _>(&wanted.credentials, &["id", "hint_prefix"], |row| {
                    row.take(Credential::TABLE, "hint_prefix")
                })
                .await?,
            teams: self.named::<Team, _>(&wanted.teams).await?,
            users: self
                .look_up::<User, _, _>(&wanted.users, &["id", "name", "email"], |row| {
                    Ok((row.take(User::TABLE, "name")?, row.take(User::TABLE, "email")?))
                })
                .await?,
        })
    }

    async fn named<T: Record, I>(&mut self, ids: &[I]) -> Result<HashMap<I, Named>, StoreError>
    where
        I: EntityId + Column + Eq + Hash + Ord,
    {
        self.look_up::<T, _, _>(ids, &["id", "slug", "name"], |row| {
            Ok(Named {
                slug: row.take(T::TABLE, "slug")?,
                name: row.take(T::TABLE, "name")?,
            })
        })
        .await
    }

    async fn look_up<T: Record, I, V>(
        &mut self,
        ids: &[I],
        columns: &[&'static str],
        read: impl Fn(&Row) -> Result<V, StoreError>,
    ) -> Result<HashMap<I, V>, StoreError>
    where
        I: EntityId + Column + Eq + Hash + Ord,
    {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut once = ids.to_vec();
        once.sort_unstable();
        once.dedup();
        let mut select = Query::select();
        select
            .columns(columns.iter().copied())
            .from(T::TABLE)
            .and_where(is_in("id", &once))
            .and_where_option(self.0.wall::<T>());
        let rows = self.0.conn.fetch_all(&select).await?;
        rows.iter()
            .map(|row| Ok((row.take(T::TABLE, "id")?, read(row)?)))
            .collect()
    }
}
