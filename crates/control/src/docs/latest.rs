//! The version that is meant where an address says `latest`.

use std::cmp::Reverse;

use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::{Slug, VersionLabel};

use super::Docs;
use super::open::Opened;
use crate::catalog::rank;
use crate::catalog::sight::{Sight, sight, visible_api};
use crate::error::{Error, Result};
use crate::reader::Reader;

/// The word of addresses that no version can have as its label.
pub const LATEST: &str = "latest";

/// The newest version, and where something is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// Its API.
    pub api: Slug,
    /// Its label.
    pub version: VersionLabel,
    /// The name of the wanted operation in it; `None` when it is not in it, or none is wanted.
    pub operation: Option<String>,
}

impl Docs<'_> {
    /// The version that was published last. Where none is published it is the
    /// newest preview, else the newest that is deprecated: the one to which the
    /// catalogue leads. What only the owning team sees is never meant.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::SignInNeeded`].
    pub async fn latest(&self, reader: &Reader, api: &Ref<ApiId>, operation: Option<&str>) -> Result<Latest> {
        let mut tx = self.0.read_as(reader).await?;
        let api = visible_api(&mut tx, reader, api).await?;
        let versions = tx.versions().of_api(api.id).await?;
        drop(tx);
        let newest = versions
            .into_iter()
            .filter(|version| sight(version.state, false) == Sight::Shown)
            .min_by_key(|version| {
                (
                    rank(version.state),
                    Reverse((version.published_at, version.created_at)),
                )
            })
            .ok_or(Error::missing("version"))?;
        let operation = match operation {
            Some(slug) => {
                let (api, version) = (Ref::Id(api.id), VersionRef::Id(newest.id));
                self.open(reader, &api, &version).await?.present(slug).await?
            }
            None => None,
        };
        Ok(Latest {
            api: api.slug,
            version: newest.label,
            operation,
        })
    }
}

impl Opened {
    /// The name of an operation that has, or had, this one in an address.
    async fn present(&mut self, slug: &str) -> Result<Option<String>> {
        if self.docs.by_slug(slug).is_some() {
            return Ok(Some(slug.to_owned()));
        }
        match self.moved(slug).await {
            Ok(slug) => Ok(Some(slug)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
