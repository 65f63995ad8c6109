//! Lends the guarded fetcher to the importer for external references.

use gatewright_openapi::bundle::{Fetch, FetchError, Fetched, Fetching};
use url::Url;

use crate::fetch::{FetchError as Refused, Fetcher, MAX_BYTES};

/// The guarded fetcher in the importer's terms.
#[derive(Debug)]
pub(crate) struct Guarded(Fetcher);

impl Guarded {
    pub(crate) const fn new(fetcher: Fetcher) -> Self {
        Self(fetcher)
    }
}

impl Fetch for Guarded {
    fn fetch<'a>(&'a self, url: &'a Url, max_bytes: usize) -> Fetching<'a> {
        Box::pin(async move {
            let (url, body) = self
                .0
                .get_within(url, max_bytes.min(MAX_BYTES))
                .await
                .map_err(|refused| told(&refused))?;
            Ok(Fetched {
                url,
                body: body.to_vec(),
            })
        })
    }
}

fn told(refused: &Refused) -> FetchError {
    match refused {
        Refused::Status { status, .. } => FetchError::Status(*status),
        Refused::TooLarge => FetchError::TooLarge,
        Refused::TimedOut => FetchError::Timeout,
        Refused::Address | Refused::Forbidden(_) => FetchError::Refused(refused.to_string()),
        Refused::Unresolved(_) | Refused::Unreachable(_) | Refused::Redirects => {
            FetchError::Unreachable(refused.to_string())
        }
    }
}
