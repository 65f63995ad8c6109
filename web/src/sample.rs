//! The sample API, for somebody who has no description at hand: a small
//! service that runs beside the gateway. Which one, and how it is started, is
//! for the composition root to say.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use gatewright_model::id::ApiId;
use url::Url;

/// A sample that is ready to be imported.
#[derive(Debug, Clone)]
pub struct SampleApi {
    /// Its name.
    pub name: &'static str,
    /// Its slug.
    pub slug: &'static str,
    /// Its description, JSON or YAML.
    pub document: &'static str,
    /// Where the service listens.
    pub url: Url,
}

/// Runs the service behind the sample.
pub trait SampleService: Debug + Send + Sync {
    /// Starts the service, if it does not run.
    ///
    /// # Errors
    /// Why it cannot, in words.
    fn start(&self) -> Pin<Box<dyn Future<Output = Result<SampleApi, String>> + Send + '_>>;

    /// The service now stands behind this API: it is started again with the
    /// process for as long as the API is there.
    fn keep(&self, api: ApiId) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
