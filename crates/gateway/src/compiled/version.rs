//! A version at the gateway: its operations, its upstream, what its life says.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use gatewright_model::api::{Unmatched, Upstream, VersionState};
use gatewright_model::id::{ApiId, TenantId, VersionId};
use gatewright_model::snapshot::{OperationPart, VersionPart};
use gatewright_model::template::PathTemplate;
use gatewright_model::text::VersionLabel;
use gatewright_model::time::Timestamp;
use http::{HeaderValue, Method};
use smallvec::SmallVec;
use wayfind::{Router, RouterBuilder};

use crate::lifecycle::LifecycleHeaders;

/// A version.
pub struct CompiledVersion {
    /// Its id.
    pub id: VersionId,
    /// Its API.
    pub api_id: ApiId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// What it describes.
    pub operations: Box<[CompiledOperation]>,
    /// Where its calls go.
    pub(crate) upstream: Option<Upstream>,
    pub(crate) label: Box<str>,
    pub(crate) state: VersionState,
    pub(crate) blocked_reason: Option<Arc<str>>,
    pub(crate) deprecated_at: Option<Timestamp>,
    pub(crate) lifecycle: LifecycleHeaders,
    /// Nothing is known but its address: every call is refused.
    pub(crate) unavailable: bool,
    unmatched: Unmatched,
    router: Router<usize>,
    paths: Box<[DescribedPath]>,
}

impl fmt::Debug for CompiledVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompiledVersion")
            .field("id", &self.id)
            .field("label", &self.label)
            .field("state", &self.state)
            .field("paths", &self.paths.len())
            .finish_non_exhaustive()
    }
}

/// Where a version stands: read by itself when the rest of its part cannot be.
#[derive(Debug, serde::Deserialize)]
pub(super) struct VersionAddress {
    id: VersionId,
    api_id: ApiId,
    tenant_id: TenantId,
    label: VersionLabel,
}

/// An operation.
#[derive(Debug)]
pub struct CompiledOperation {
    /// Its stable key, as call records carry it.
    pub key: Arc<str>,
    /// Its template, as the document has it.
    pub template: Box<str>,
}

/// The methods of one path, each with the index of its operation. A path has few
/// of them, mostly one: a list is searched fastest.
type DescribedPath = SmallVec<[(Method, usize); 1]>;

/// What a path and a method mean to a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationMatch {
    /// The operation with this index.
    Operation(usize),
    /// None, and the version passes such calls on.
    Forward,
    /// No such path.
    NoOperation,
    /// The path has these methods only.
    OtherMethods(HeaderValue),
}

impl CompiledVersion {
    /// # Errors
    /// Says what cannot be used.
    pub(super) fn of(part: &VersionPart) -> Result<Self, String> {
        let (router, paths) = routes(&part.operations)?;
        let operations = part.operations.iter().map(|operation| CompiledOperation {
            key: Arc::from(operation.key.as_str()),
            template: operation.template.as_str().into(),
        });
        Ok(Self {
            id: part.id,
            api_id: part.api_id,
            tenant_id: part.tenant_id,
            operations: operations.collect(),
            upstream: part.upstream.clone(),
            label: part.label.as_str().into(),
            state: part.state,
            blocked_reason: part.blocked_reason.as_deref().map(Arc::from),
            deprecated_at: part.deprecation.as_ref().map(|end| end.deprecated_at),
            lifecycle: LifecycleHeaders::of(part.deprecation.as_ref()),
            unavailable: false,
            unmatched: part.unmatched,
            router,
            paths,
        })
    }

    /// What stands at the address of a version of which nothing else can be used.
    pub(super) fn unavailable(address: &VersionAddress) -> Self {
        Self {
            id: address.id,
            api_id: address.api_id,
            tenant_id: address.tenant_id,
            operations: Box::default(),
            upstream: None,
            label: address.label.as_str().into(),
            state: VersionState::Blocked,
            blocked_reason: None,
            deprecated_at: None,
            lifecycle: LifecycleHeaders::of(None),
            unavailable: true,
            unmatched: Unmatched::Refuse,
            router: RouterBuilder::new().build(),
            paths: Box::default(),
        }
    }

    /// Finds the operation of a path (the rest after the version's label, with
    /// its leading slash) and a method. A `HEAD` that is not described is the
    /// `GET` of its path (RFC 9110, section 9.3.2); `OPTIONS` is a method like
    /// any other.
    #[must_use]
    pub fn find(&self, method: &Method, path: &str) -> OperationMatch {
        let described = self
            .router
            .search(path)
            .and_then(|found| self.paths.get(*found.data()));
        let Some(described) = described else {
            return match self.unmatched {
                Unmatched::Forward => OperationMatch::Forward,
                Unmatched::Refuse => OperationMatch::NoOperation,
            };
        };
        let of = |wanted: &Method| {
            let found = described.iter().find(|(known, _)| known == wanted);
            found.map(|(_, index)| *index)
        };
        let index = of(method).or_else(|| (*method == Method::HEAD).then(|| of(&Method::GET))?);
        match (index, self.unmatched) {
            (Some(index), _) => OperationMatch::Operation(index),
            (None, Unmatched::Forward) => OperationMatch::Forward,
            (None, Unmatched::Refuse) => OperationMatch::OtherMethods(allow(described)),
        }
    }
}

fn routes(operations: &[OperationPart]) -> Result<(Router<usize>, Box<[DescribedPath]>), String> {
    // Templates that differ in the names of their parameters only are one path.
    let mut by_route: HashMap<String, usize> = HashMap::new();
    let mut paths: Vec<DescribedPath> = Vec::new();
    let mut builder = RouterBuilder::new();
    for (index, operation) in operations.iter().enumerate() {
        let route = PathTemplate::parse(&operation.template)
            .map_err(|error| format!("the template {} cannot be routed: {error}", operation.template))?
            .to_route();
        let method = Method::from_bytes(operation.method.as_bytes())
            .map_err(|_| format!("{} is no method", operation.method))?;
        let place = match by_route.get(&route) {
            Some(place) => *place,
            None => {
                let place = paths.len();
                builder
                    .insert(&route, place)
                    .map_err(|error| format!("the template {}: {error}", operation.template))?;
                by_route.insert(route, place);
                paths.push(DescribedPath::new());
                place
            }
        };
        if let Some(path) = paths.get_mut(place)
            && path.iter().all(|(known, _)| *known != method)
        {
            path.push((method, index));
        }
    }
    Ok((builder.build(), paths.into()))
}

/// What a path allows (RFC 9110, section 10.2.1).
fn allow(methods: &[(Method, usize)]) -> HeaderValue {
    let has = |wanted: Method| methods.iter().any(|(method, _)| *method == wanted);
    let mut names: Vec<&str> = methods.iter().map(|(method, _)| method.as_str()).collect();
    if has(Method::GET) && !has(Method::HEAD) {
        names.push("HEAD");
    }
    names.sort_unstable();
    // Methods are tokens, which any field can carry.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{operation, version_part};

    fn version(operations: &[(&str, &str)], unmatched: Unmatched) -> CompiledVersion {
        let mut part = version_part(1, 1, "v1");
        part.operations = operations
            .iter()
            .map(|(method, template)| operation(method, template))
            .collect();
        part.unmatched = unmatched;
        CompiledVersion::of(&part).unwrap()
    }

    fn find(version: &CompiledVersion, method: &str, path: &str) -> String {
        match version.find(&method.parse().unwrap(), path) {
            OperationMatch::Operation(index) => version.operations[index].key.to_string(),
            OperationMatch::Forward => "forward".to_owned(),
            OperationMatch::NoOperation => "404".to_owned(),
            OperationMatch::OtherMethods(allow) => format!("405 {}", allow.to_str().unwrap()),
        }
    }

    #[test]
    fn templates_of_one_shape_are_one_path() {
        let version = version(
            &[
                ("GET", "/pets/{id}"),
                ("DELETE", "/pets/{petId}"),
                ("POST", "/pets/mine"),
                ("GET", "/"),
            ],
            Unmatched::Refuse,
        );
        assert_eq!(find(&version, "DELETE", "/pets/7"), "DELETE /pets/{petId}");
        assert_eq!(find(&version, "HEAD", "/pets/7"), "GET /pets/{id}");
        assert_eq!(find(&version, "PUT", "/pets/7"), "405 DELETE, GET, HEAD");
        assert_eq!(find(&version, "OPTIONS", "/pets/7"), "405 DELETE, GET, HEAD");
        // The text goes before the parameter (OpenAPI 3.1, section 4.8.8.1).
        assert_eq!(find(&version, "GET", "/pets/mine"), "405 POST");
        assert_eq!(find(&version, "GET", "/"), "GET /");
        for path in ["/pets", "/pets/", "/pets/7/", "/pets/7/x", "/Pets/7"] {
            assert_eq!(find(&version, "GET", path), "404", "{path}");
        }
    }

    #[test]
    fn a_version_may_pass_on_what_it_does_not_describe() {
        let version = version(&[("GET", "/a")], Unmatched::Forward);
        assert_eq!(find(&version, "GET", "/b"), "forward");
        assert_eq!(find(&version, "POST", "/a"), "forward");
        assert_eq!(find(&version, "GET", "/a"), "GET /a");
    }
}
