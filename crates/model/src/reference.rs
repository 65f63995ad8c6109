//! How a path names a thing: by its id or by its slug. A slug has no
//! underscore, so the two never clash.

use std::fmt;
use std::str::FromStr;

use crate::id::{EntityId, UserId, VersionId};
use crate::invalid::Invalid;
use crate::text::{Email, Slug, VersionLabel};

/// An id or a slug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ref<I> {
    /// By id.
    Id(I),
    /// By slug, in the tenant of the caller.
    Slug(Slug),
}

impl<I: EntityId> FromStr for Ref<I> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains('_') {
            text.parse()
                .map(Self::Id)
                .map_err(|refused: I::Err| Invalid::new("invalid_id", refused.to_string()))
        } else {
            Slug::parse(text).map(Self::Slug)
        }
    }
}

impl<I: fmt::Display> fmt::Display for Ref<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Slug(slug) => slug.fmt(f),
        }
    }
}

impl<I> From<I> for Ref<I> {
    fn from(id: I) -> Self {
        Self::Id(id)
    }
}

/// A person, by id or by e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonRef {
    /// By id.
    Id(UserId),
    /// By address, in the tenant of the caller.
    Email(Email),
}

impl FromStr for PersonRef {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains('@') {
            return Email::parse(text).map(Self::Email);
        }
        text.parse().map(Self::Id).map_err(|_| {
            Invalid::new(
                "invalid_person",
                "must be a user's id or an e-mail address such as ana@example.com",
            )
        })
    }
}

impl From<Email> for PersonRef {
    fn from(email: Email) -> Self {
        Self::Email(email)
    }
}

/// A version of a known API, by its id or by its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionRef {
    /// By id.
    Id(VersionId),
    /// By label.
    Label(VersionLabel),
}

impl fmt::Display for VersionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Label(label) => label.fmt(f),
        }
    }
}

impl FromStr for VersionRef {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains('_') {
            text.parse()
                .map(Self::Id)
                .map_err(|_| Invalid::new("invalid_id", "must be a version's id or its label"))
        } else {
            VersionLabel::parse(text).map(Self::Label)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ApiId;

    #[test]
    fn ids_and_slugs_are_told_apart() {
        let id = ApiId::from_uuid(uuid::Uuid::from_u128(5));
        assert_eq!(id.to_string().parse::<Ref<ApiId>>().unwrap(), Ref::Id(id));
        assert_eq!(
            "shop".parse::<Ref<ApiId>>().unwrap(),
            Ref::Slug(Slug::parse("shop").unwrap())
        );
        assert!("plan_01h2xcejqtf2nbrexx3vqjhp41".parse::<Ref<ApiId>>().is_err());
        assert_eq!(
            "v1.2".parse::<VersionRef>().unwrap(),
            VersionRef::Label(VersionLabel::parse("v1.2").unwrap())
        );
    }
}
