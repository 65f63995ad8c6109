//! What an operation asks for, in words.

use serde_json::Value;

use super::{Proof, ProofPart};
use crate::docs::head::{Head, Scheme};
use crate::index::{self, SecurityKind, SecurityUse};

/// Ways to be allowed that are named.
const ALTERNATIVES: usize = 8;
/// Scopes of one way that are named.
const SCOPES: usize = 20;

/// The ways to be allowed: the operation's own, else those of the document.
/// An empty alternative means that nothing is needed, so nothing is asked for.
pub(super) fn proofs(own: Option<&Value>, head: &Head) -> Vec<Proof> {
    let requirement = match own.filter(|own| own.is_array()) {
        Some(own) => index::requirement(Some(own)),
        None => head.security.clone(),
    };
    if requirement.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    requirement
        .iter()
        .take(ALTERNATIVES)
        .map(|alternative| Proof {
            parts: alternative.iter().map(|part| proof_part(part, head)).collect(),
        })
        .collect()
}

fn proof_part(part: &SecurityUse, head: &Head) -> ProofPart {
    let scheme = head
        .schemes
        .iter()
        .find(|scheme| scheme.scheme.name == part.scheme);
    ProofPart {
        scheme: part.scheme.clone(),
        words: scheme.map_or_else(|| "a proof that is not described".to_owned(), Scheme::words),
        scopes: part.scopes.iter().take(SCOPES).cloned().collect(),
    }
}

impl Scheme {
    /// What it is, in words.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.scheme.kind {
            SecurityKind::ApiKey { place, name } => match place.as_str() {
                "query" => format!("a key in the query parameter {name}"),
                "cookie" => format!("a key in the cookie {name}"),
                _ => format!("a key in the header {name}"),
            },
            SecurityKind::Http { scheme } if scheme == "bearer" => {
                "a bearer token in the header Authorization".to_owned()
            }
            SecurityKind::Http { scheme } if scheme == "basic" => {
                "user name and password (HTTP Basic)".to_owned()
            }
            SecurityKind::Http { scheme } => format!("the header Authorization with the scheme {scheme}"),
            SecurityKind::Oauth2 { .. } => "an access token of OAuth 2.0".to_owned(),
            SecurityKind::OpenIdConnect { .. } => "a token of OpenID Connect".to_owned(),
            SecurityKind::MutualTls => "a client certificate".to_owned(),
            SecurityKind::Other => "a proof of another kind".to_owned(),
        }
    }
}
