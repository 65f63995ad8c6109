//! Plans: under which terms an API may be used.

use crate::api::VersionState;
use crate::id::{ApiId, PlanId, PlanVersionId, TenantId, VersionId};
use crate::limit::Limit;
use crate::text::{Name, Slug};
use crate::time::Timestamp;
use crate::{machine, words};

words! {
    /// The life of a plan (governance, section 4.2).
    PlanState {
        /// Being written.
        Draft = "draft",
        /// Open for subscriptions.
        Published = "published",
        /// Closed to new subscriptions.
        Deprecated = "deprecated",
        /// Ended; its subscriptions are closed.
        Closed = "closed",
    }
}

words! {
    /// What can be asked of a plan.
    PlanVerb {
        /// Open it.
        Publish = "publish",
        /// Close it to new subscriptions.
        Deprecate = "deprecate",
        /// Open it again.
        Undeprecate = "undeprecate",
        /// End it.
        Close = "close",
    }
}

machine! { PlanState via PlanVerb as "plan" {
    Draft: Publish => Published;
    Published: Deprecate => Deprecated;
    Deprecated: Undeprecate => Published, Close => Closed;
}}

words! {
    /// How a caller proves who it is. Kinds are added with the code that checks them.
    Security {
        /// Not at all.
        Keyless = "keyless",
        /// With an API key.
        ApiKey = "api_key",
    }
}

words! {
    /// Who decides about a subscription.
    ApprovalMode {
        /// Nobody: it becomes active at once.
        Auto = "auto",
        /// A person.
        Manual = "manual",
    }
}

/// Which versions of its API a plan covers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Coverage {
    /// Every version, also later ones.
    All(AllVersions),
    /// Only these.
    Only(Vec<VersionId>),
}

/// The word `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum AllVersions {
    /// `"all"`
    #[serde(rename = "all")]
    All,
}

impl Coverage {
    /// Every version.
    pub const ALL: Self = Self::All(AllVersions::All);

    /// Whether the version is covered.
    #[must_use]
    pub fn includes(&self, version: VersionId) -> bool {
        match self {
            Self::All(_) => true,
            Self::Only(versions) => versions.contains(&version),
        }
    }
}

/// Whether a subscription that was made at `subscribed_at` still reaches a
/// version: deprecating closes a version to later subscriptions, retiring takes
/// the grant away (`product.md`, section 4). Control and gateway both ask here.
#[must_use]
pub fn grants(
    coverage: &Coverage,
    version: VersionId,
    state: VersionState,
    deprecated_at: Option<Timestamp>,
    subscribed_at: Timestamp,
) -> bool {
    coverage.includes(version)
        && match state {
            VersionState::Preview | VersionState::Published | VersionState::Blocked => true,
            VersionState::Deprecated => deprecated_at.is_none_or(|since| subscribed_at < since),
            VersionState::Draft | VersionState::InReview | VersionState::Retired | VersionState::Archived => {
                false
            }
        }
}

/// A plan of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its API.
    pub api_id: ApiId,
    /// Unique in the API.
    pub slug: Slug,
    /// As people read it.
    pub name: Name,
    /// Markdown; empty when nobody wrote one.
    pub description: String,
    /// Where it is in its life.
    pub state: PlanState,
    /// How callers prove who they are.
    pub security: Security,
    /// Who decides about subscriptions.
    pub approval: ApprovalMode,
    /// Which versions it covers.
    pub versions: Coverage,
    /// The terms for new subscriptions.
    pub current: PlanVersion,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes.
    pub row_version: i64,
}

/// The limits of a plan from some time on; immutable. A subscription is pinned to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanVersion {
    /// Its id.
    pub id: PlanVersionId,
    /// Counts from 1 in the plan.
    pub number: u32,
    /// In the order in which they are checked.
    pub limits: Vec<Limit>,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::EntityId;

    #[test]
    fn coverage_reads_the_word_and_the_list() {
        assert_eq!(
            serde_json::from_str::<Coverage>("\"all\"").unwrap(),
            Coverage::ALL
        );
        let version = VersionId::from_uuid(Uuid::from_u128(7));
        let list = serde_json::to_string(&Coverage::Only(vec![version])).unwrap();
        assert_eq!(list, format!("[\"{version}\"]"));
        assert!(serde_json::from_str::<Coverage>(&list).unwrap().includes(version));
        assert!(serde_json::from_str::<Coverage>("\"some\"").is_err());
    }

    #[test]
    fn a_deprecated_version_is_kept_only_by_older_subscriptions() {
        let version = VersionId::from_uuid(Uuid::from_u128(7));
        let since = Timestamp::from_millis(1_000);
        let reaches = |state, subscribed| {
            grants(
                &Coverage::ALL,
                version,
                state,
                Some(since),
                Timestamp::from_millis(subscribed),
            )
        };
        assert!(reaches(VersionState::Deprecated, 999));
        assert!(!reaches(VersionState::Deprecated, 1_000));
        assert!(reaches(VersionState::Published, 1_001));
        assert!(!reaches(VersionState::Retired, 999));
        assert!(!grants(
            &Coverage::Only(vec![]),
            version,
            VersionState::Published,
            None,
            since
        ));
    }
}
