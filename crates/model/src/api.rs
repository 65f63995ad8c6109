//! APIs, their versions and revisions, and the upstreams behind them.

use crate::id::{ApiId, RevisionId, TeamId, TenantId, UserId, VersionId};
use crate::text::{ContextPath, Name, Remark, Slug, VersionLabel};
use crate::time::Timestamp;
use crate::{machine, words};

words! {
    /// What an API speaks. Kinds are added with the code that serves them.
    ApiKind {
        /// HTTP with resources, described by OpenAPI.
        Rest = "rest",
        /// GraphQL over HTTP.
        Graphql = "graphql",
        /// gRPC.
        Grpc = "grpc",
        /// SOAP over HTTP.
        Soap = "soap",
        /// A language model.
        Ai = "ai",
        /// The Model Context Protocol.
        Mcp = "mcp",
    }
}

words! {
    /// Who may find an API in the catalogue.
    Visibility {
        /// Everybody.
        Public = "public",
        /// Everybody who signed in to the tenant.
        Tenant = "tenant",
        /// The members of named teams.
        Teams = "teams",
        /// The owning team.
        Private = "private",
    }
}

words! {
    /// The life of an API version (governance, section 4.2).
    VersionState {
        /// Being written; not routed.
        Draft = "draft",
        /// Frozen for a reviewer.
        InReview = "in_review",
        /// Routed, with a banner: it may still change.
        Preview = "preview",
        /// Routed and open for subscriptions.
        Published = "published",
        /// Answers 503 with a reason.
        Blocked = "blocked",
        /// Routed with a sunset; closed to new subscriptions.
        Deprecated = "deprecated",
        /// Answers 410 and names the successor.
        Retired = "retired",
        /// History.
        Archived = "archived",
    }
}

words! {
    /// What can be asked of a version.
    VersionVerb {
        /// Ask for a review.
        Submit = "submit",
        /// Take the review back.
        Withdraw = "withdraw",
        /// Route it as a preview.
        Preview = "preview",
        /// Route it and open it.
        Publish = "publish",
        /// Answer 503 for now.
        Block = "block",
        /// Serve again.
        Unblock = "unblock",
        /// Announce the end.
        Deprecate = "deprecate",
        /// Take the announcement back.
        Undeprecate = "undeprecate",
        /// End it.
        Retire = "retire",
        /// Bring it back for a while.
        Unretire = "unretire",
        /// Keep only the history.
        Archive = "archive",
    }
}

machine! { VersionState via VersionVerb as "api version" {
    Draft: Submit => InReview, Preview => Preview, Publish => Published;
    InReview: Withdraw => Draft, Preview => Preview, Publish => Published;
    Preview: Publish => Published, Withdraw => Draft;
    Published: Block => Blocked, Deprecate => Deprecated;
    Blocked: Unblock => Published, Deprecate => Deprecated;
    Deprecated: Undeprecate => Published, Retire => Retired;
    Retired: Unretire => Deprecated, Archive => Archived;
}}

impl VersionState {
    /// Whether the gateway knows the version: it serves it, or says why not.
    #[must_use]
    pub const fn is_routed(self) -> bool {
        !matches!(self, Self::Draft | Self::InReview | Self::Archived)
    }

    /// Whether a subscription may be asked for.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Preview | Self::Published)
    }
}

/// An API: the thing that is named, owned and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Its id.
    pub id: ApiId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// The owning team.
    pub team_id: TeamId,
    /// Unique in the tenant.
    pub slug: Slug,
    /// As people read it.
    pub name: Name,
    /// Markdown; empty when nobody wrote one.
    pub description: String,
    /// What it speaks.
    pub kind: ApiKind,
    /// Who finds it.
    pub visibility: Visibility,
    /// Where it stands at the gateway; unique in the tenant.
    pub context_path: ContextPath,
    /// Whether the portal shows it first.
    pub featured: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes.
    pub row_version: i64,
}

/// The announced end of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// When it was announced (RFC 9745).
    pub deprecated_at: Timestamp,
    /// When it stops (RFC 8594).
    pub sunset_at: Timestamp,
    /// What replaces it.
    pub successor: Option<VersionId>,
    /// What subscribers are told.
    pub message: Option<Remark>,
}

/// What happens to a call that matches no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmatched {
    /// 404 or 405 at the gateway.
    #[default]
    Refuse,
    /// On to the upstream.
    Forward,
}

/// A version: the thing that is called, with a life of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiVersion {
    /// Its id.
    pub id: VersionId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its API.
    pub api_id: ApiId,
    /// Unique in the API; the path locator.
    pub label: VersionLabel,
    /// Where it is in its life.
    pub state: VersionState,
    /// Why it is blocked; present exactly while it is.
    pub blocked_reason: Option<Remark>,
    /// Its announced end; kept after it is retired.
    pub deprecation: Option<Deprecation>,
    /// When it first became callable.
    pub published_at: Option<Timestamp>,
    /// When it stopped being served.
    pub retired_at: Option<Timestamp>,
    /// The revision that is live, or will be.
    pub revision_id: Option<RevisionId>,
    /// What happens to calls outside of the document.
    pub unmatched: Unmatched,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes.
    pub row_version: i64,
}

words! {
    /// The language of an imported document.
    DocumentFormat {
        /// Swagger 2.0.
        Swagger2 = "swagger_2_0",
        /// OpenAPI 3.0.
        OpenApi30 = "openapi_3_0",
        /// OpenAPI 3.1.
        OpenApi31 = "openapi_3_1",
    }
}

/// One imported document of a version; immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Its id.
    pub id: RevisionId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its version.
    pub version_id: VersionId,
    /// Counts from 1 in the version.
    pub number: u32,
    /// The language of the document.
    pub format: DocumentFormat,
    /// SHA-256 of the raw document, hexadecimal.
    pub document_hash: String,
    /// The size of the raw document in bytes.
    pub document_bytes: u64,
    /// The title in the document.
    pub title: String,
    /// How many operations it describes.
    pub operation_count: u32,
    /// Who imported it.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
}

/// One operation of a revision, as it is routed and listed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Operation {
    /// Stable identity: the operationId when it is unique, else `METHOD /template`.
    pub key: String,
    /// Its name in portal addresses; stable across revisions.
    pub slug: String,
    /// Upper-case HTTP method.
    pub method: String,
    /// `/pets/{id}`.
    pub template: String,
    /// One line about it.
    pub summary: String,
    /// Marked as deprecated in the document.
    pub deprecated: bool,
    /// The tags it is listed under.
    pub tags: Vec<String>,
    /// Where it stands in the document (RFC 6901).
    pub pointer: String,
    /// SHA-256 of its canonical form, hexadecimal: changes when its meaning may have.
    pub fingerprint: String,
    /// False when its template cannot be routed; it is then only documented.
    pub routable: bool,
}

words! {
    /// How a target is chosen among several.
    Balancing {
        /// One after the other, by weight.
        RoundRobin = "round_robin",
        /// The one with the fewest calls under way, by weight.
        LeastConnections = "least_connections",
    }
}

/// One server behind a version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// `http` or `https`, host, port and base path; no userinfo, query or fragment.
    pub url: url::Url,
    /// Its share of the calls, 0 to 1,000; 0 takes it out.
    pub weight: u32,
}

/// How long the gateway waits for an upstream, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// To connect, TLS included.
    pub connect_ms: u32,
    /// From the last byte of the request to the head of the answer.
    pub response_ms: u32,
    /// Between two pieces of a body.
    pub idle_ms: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 5_000,
            response_ms: 60_000,
            idle_ms: 60_000,
        }
    }
}

/// Where the calls of a version go.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Upstream {
    /// At least one.
    pub targets: Vec<Target>,
    /// How one is chosen.
    pub algorithm: Balancing,
    /// How long to wait.
    pub timeouts: Timeouts,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::Word;

    #[test]
    fn the_table_is_the_one_of_the_governance_document() {
        use VersionState as S;
        assert_eq!(S::Draft.reachable(), ["in_review", "preview", "published"]);
        assert_eq!(S::Published.reachable(), ["blocked", "deprecated"]);
        assert_eq!(S::Deprecated.reachable(), ["published", "retired"]);
        assert_eq!(S::Retired.reachable(), ["deprecated", "archived"]);
        assert!(S::Archived.is_terminal());
        let refused = S::Draft.after(VersionVerb::Retire).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "api version in state draft: retire is not possible"
        );
    }

    proptest! {
        #[test]
        fn no_walk_leaves_the_table(verbs in proptest::collection::vec(0..VersionVerb::ALL.len(), 0..40)) {
            let mut state = VersionState::Draft;
            for verb in verbs.into_iter().map(|index| VersionVerb::ALL[index]) {
                match state.after(verb) {
                    Ok(next) => {
                        prop_assert!(state.reachable().contains(&next.as_str()));
                        state = next;
                    }
                    Err(refused) => prop_assert_eq!(refused.allowed, state.reachable()),
                }
            }
            // Once it was routed it never becomes a draft again but through a preview.
            prop_assert!(VersionState::ALL.contains(&state));
        }
    }
}
