//! What can go wrong in the store, and the unique rules that a write can break.

use std::fmt;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $index:literal on $table:literal ($($column:literal),+),)+) => {
        /// A unique rule of the schema.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule { $($(#[$doc])* $name,)+
            /// A primary key: the same thing was written twice.
            PrimaryKey,
        }

        /// Every named rule: the rule, its index in both schemas, its table, its columns.
        pub(crate) const RULES: &[(Rule, &str, &str, &[&str])] = &[$((Rule::$name, $index, $table, &[$($column),+]),)+];
    };
}

rules! {
    /// A tenant's slug in the installation.
    TenantSlug = "tenant_slug" on "tenant" ("slug"),
    /// A team's slug in its tenant.
    TeamSlug = "team_slug" on "team" ("tenant_id", "slug"),
    /// A user's address in the tenant.
    UserEmail = "app_user_email" on "app_user" ("tenant_id", "email"),
    /// A role that the user already holds in the team.
    MembershipInTeam = "membership_in_team" on "membership" ("user_id", "team_id", "role"),
    /// A role that the user already holds in the tenant.
    MembershipInTenant = "membership_in_tenant" on "membership" ("user_id", "role"),
    /// The hash of a session's secret.
    SessionHash = "session_hash" on "session" ("hash"),
    /// Two people who wait for an account with the same address.
    WaitingSignUp = "sign_up_waiting" on "sign_up" ("tenant_id", "email"),
    /// The hash of a management token.
    TokenHash = "management_token_hash" on "management_token" ("hash"),
    /// An API's slug in its tenant.
    ApiSlug = "api_slug" on "api" ("tenant_id", "slug"),
    /// An API's place at the gateway.
    ApiContextPath = "api_context_path" on "api" ("tenant_id", "context_path"),
    /// A version's label in its API.
    VersionLabel = "api_version_label" on "api_version" ("api_id", "label"),
    /// A revision's number in its version.
    RevisionNumber = "revision_number" on "revision" ("version_id", "number"),
    /// An operation's key in its revision.
    OperationKey = "operation_key" on "operation" ("revision_id", "key"),
    /// An operation's slug in its revision.
    OperationSlug = "operation_slug" on "operation" ("revision_id", "slug"),
    /// A plan's slug in its API.
    PlanSlug = "plan_slug" on "plan" ("api_id", "slug"),
    /// A version that a plan names twice.
    PlanCoverage = "plan_coverage_version" on "plan_coverage" ("plan_id", "version_id"),
    /// The number of a plan version.
    PlanVersionNumber = "plan_version_number" on "plan_version" ("plan_id", "number"),
    /// A limit's id in its plan version.
    LimitId = "plan_limit_id" on "plan_limit" ("plan_version_id", "id"),
    /// A limit's name in its plan version.
    LimitName = "plan_limit_name" on "plan_limit" ("plan_version_id", "name"),
    /// An application's slug in its tenant.
    ApplicationSlug = "application_slug" on "application" ("tenant_id", "slug"),
    /// A live subscription of an application to a plan.
    LiveSubscription = "subscription_live" on "subscription" ("application_id", "plan_id"),
    /// The hash of a credential, in the installation.
    CredentialHash = "credential_hash" on "credential" ("hash"),
    /// The open approval of a subscription.
    OpenApprovalOfSubscription = "approval_open_subscription" on "approval" ("subscription_id"),
    /// The open approval of a version.
    OpenApprovalOfVersion = "approval_open_version" on "approval" ("version_id"),
    /// The place of an event in its tenant's order.
    AuditOrder = "audit_event_order" on "audit_event" ("tenant_id", "seq", "position"),
    /// Two audit events after the same one.
    AuditChain = "audit_event_chain" on "audit_event" ("tenant_id", "prev_hash"),
    /// The current entry of a snapshot part.
    CurrentPart = "snapshot_entry_current" on "snapshot_entry" ("kind", "key"),
}

impl Rule {
    /// The name of the unique index, the same in both schemas.
    #[must_use]
    pub fn name(self) -> &'static str {
        RULES
            .iter()
            .find(|(rule, ..)| *rule == self)
            .map_or("primary_key", |(_, index, ..)| index)
    }

    /// Postgres names the broken constraint.
    pub(crate) fn by_constraint(name: &str) -> Self {
        let known = RULES.iter().find(|(_, index, ..)| *index == name);
        known.map_or(Self::PrimaryKey, |(rule, ..)| *rule)
    }

    /// SQLite lists the columns: `UNIQUE constraint failed: api.tenant_id, api.slug`.
    pub(crate) fn by_columns(message: &str) -> Self {
        let listed = message.rsplit_once(": ").map_or("", |(_, listed)| listed);
        let matches = |table: &str, columns: &[&str]| {
            let mut expected = columns.iter().map(|column| format!("{table}.{column}"));
            listed
                .split(", ")
                .all(|found| expected.next().is_some_and(|wanted| wanted == found))
                && expected.next().is_none()
        };
        let known = RULES
            .iter()
            .find(|(_, _, table, columns)| matches(table, columns));
        known.map_or(Self::PrimaryKey, |(rule, ..)| *rule)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failure of the store. Not finding something is no failure: look-ups return `Option`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The write would break a unique rule; the transaction is void.
    #[error("the unique rule {0} would be broken")]
    Conflict(Rule),
    /// The row was changed by somebody else since it was read; nothing was written.
    #[error("the row has changed since it was read")]
    Stale,
    /// The database does not answer, or not in time.
    #[error("the database is not available: {reason}")]
    Unavailable {
        /// What was tried and how it failed.
        reason: String,
    },
    /// A stored value cannot be read as what it must be.
    #[error("{table}.{column} of row {row} holds a value that cannot be read")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id, or what is known of it.
        row: String,
    },
    /// The write belongs to a tenant that this transaction may not touch.
    #[error("a row of {table} belongs to another tenant than the transaction")]
    ForeignTenant {
        /// The table.
        table: &'static str,
    },
    /// A reference or a check of the schema refused the write: a fault of the caller.
    #[error("the schema refused the write: {0}")]
    Refused(String),
    /// A statement that the database did not accept: a fault of this crate.
    #[error("the database did not accept a statement")]
    Statement(#[source] sqlx::Error),
    /// The schema is not the one that this program knows.
    #[error(transparent)]
    Migration(#[from] crate::migrations::MigrationError),
    /// A file of the store or an archive could not be read or written.
    #[error("a file of the store could not be read or written")]
    File(#[from] std::io::Error),
    /// An archive that cannot be restored.
    #[error("the archive cannot be restored: {0}")]
    Archive(String),
}

impl StoreError {
    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// The rule that was broken, if that was the reason.
    #[must_use]
    pub const fn rule(&self) -> Option<Rule> {
        match self {
            Self::Conflict(rule) => Some(*rule),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(cause) => from_database(cause),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
            | sqlx::Error::Protocol(_) => Self::Unavailable {
                reason: error.to_string(),
            },
            other => Self::Statement(other),
        }
    }
}

fn from_database(cause: Box<dyn sqlx::error::DatabaseError>) -> StoreError {
    use sqlx::error::ErrorKind;
    let code = cause.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
    match cause.kind() {
        ErrorKind::UniqueViolation => StoreError::Conflict(
            cause
                .constraint()
                .map_or_else(|| Rule::by_columns(cause.message()), Rule::by_constraint),
        ),
        ErrorKind::ForeignKeyViolation | ErrorKind::NotNullViolation | ErrorKind::CheckViolation => {
            StoreError::Refused(cause.message().to_owned())
        }
        _ if is_refusal(&code, cause.message()) => StoreError::Refused(cause.message().to_owned()),
        _ if is_passing(&code) => StoreError::Unavailable {
            reason: cause.message().to_owned(),
        },
        _ => StoreError::Statement(sqlx::Error::Database(cause)),
    }
}

/// 42501 is a row that row-level security refuses; P0001 and SQLite's 1811 are raised by our triggers.
fn is_refusal(code: &str, message: &str) -> bool {
    matches!(code, "42501" | "P0001" | "1811") || message.contains("append-only")
}

/// Postgres classes 28 (who signs in), 3D (the database's name), 08 (connection), 53 (resources), 57 (operator), 40 (serialisation, deadlock), 55P03 (lock),
/// 25P03 and 25P04 (a transaction that stood still for too long, because this process got no turn);
/// SQLite BUSY, LOCKED, IOERR, FULL and CANTOPEN with their extended codes (low byte).
fn is_passing(code: &str) -> bool {
    if let (Ok(number), true) = (code.parse::<u32>(), code.len() < 5) {
        return matches!(number & 0xff, 5 | 6 | 10 | 13 | 14);
    }
    matches!(code, "55P03" | "25P03" | "25P04")
        || ["08", "53", "57", "40", "28", "3D"]
            .iter()
            .any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_matched_whole() {
        let failed = |columns: &str| Rule::by_columns(&format!("UNIQUE constraint failed: {columns}"));
        assert_eq!(failed("api.tenant_id, api.slug"), Rule::ApiSlug);
        assert_eq!(failed("api.tenant_id, api.context_path"), Rule::ApiContextPath);
        assert_eq!(
            failed("membership.user_id, membership.role"),
            Rule::MembershipInTenant
        );
        assert_eq!(failed("api.id"), Rule::PrimaryKey);
        assert_eq!(failed("api.tenant_id"), Rule::PrimaryKey);
    }

    #[test]
    fn passing_failures_are_told_from_faults() {
        for code in [
            "08006", "53300", "57014", "40P01", "55P03", "25P03", "5", "517", "261",
        ] {
            assert!(is_passing(code), "{code}");
        }
        for code in ["42601", "23505", "1", "11", ""] {
            assert!(!is_passing(code), "{code}");
        }
    }
}
