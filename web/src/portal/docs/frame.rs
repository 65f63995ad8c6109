//! What stands around every page of a reference: where it is, which version,
//! and whether that one ends.

use askama::filters::urlencode_strict;
use gatewright_control::docs::ReferencePlace;
use gatewright_model::api::VersionState;
use gatewright_model::time::Timestamp;

use crate::shell::Shell;
use crate::visit::Visit;

/// A page of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Reference,
    Schemas,
    Auth,
    Errors,
    Download,
}

/// What stands around the content.
#[derive(Debug)]
pub(super) struct Frame {
    /// The address of the version, with the tenant's base.
    pub(super) home: String,
    pub(super) api_home: String,
    pub(super) api_name: String,
    pub(super) label: String,
    pub(super) state: VersionState,
    pub(super) base_url: String,
    pub(super) versions: Vec<VersionLink>,
    pub(super) ending: Option<Ending>,
    pub(super) tab: Tab,
}

/// A way to the same page in another version.
#[derive(Debug)]
pub(super) struct VersionLink {
    pub(super) label: String,
    pub(super) href: String,
    pub(super) current: bool,
    /// The page is not in that version.
    pub(super) absent: bool,
}

/// The announced end of the version.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) sunset_at: Timestamp,
    pub(super) message: Option<String>,
    pub(super) successor: Option<(String, String)>,
}

impl Frame {
    /// `below` is the address of the page below that of the version.
    pub(super) fn new(visit: &Visit, place: &ReferencePlace, tab: Tab, below: &str) -> Self {
        let base = visit.base();
        let api_home = format!("{base}/apis/{}", place.api.slug);
        let versions = place.versions.iter().rev().map(|version| VersionLink {
            label: version.label.to_string(),
            href: format!("{api_home}/v/{}{below}", version.label),
            current: version.id == place.version.id,
            absent: false,
        });
        Self {
            home: format!("{api_home}/v/{}", place.version.label),
            api_name: place.api.name.to_string(),
            label: place.version.label.to_string(),
            state: place.version.state,
            base_url: place.base_url.clone(),
            versions: versions.collect(),
            ending: ending(base, place),
            tab,
            api_home,
        }
    }

    pub(super) fn is(&self, tab: &str) -> bool {
        tab == match self.tab {
            Tab::Reference => "reference",
            Tab::Schemas => "schemas",
            Tab::Auth => "auth",
            Tab::Errors => "errors",
            Tab::Download => "download",
        }
    }

    /// Whether readers have to be told where the version is in its life.
    pub(super) fn is_unusual(&self) -> bool {
        self.state != VersionState::Published
    }

    /// Whether it is shown to its owners alone.
    pub(super) fn is_hidden(&self) -> bool {
        matches!(
            self.state,
            VersionState::Draft | VersionState::InReview | VersionState::Blocked
        )
    }
}

/// A text as it stands in a part of an address.
pub(super) fn encoded(text: &str) -> String {
    // Writing to memory cannot fail.
    urlencode_strict(text).map_or_else(|_| String::new(), |text| text.to_string())
}

fn ending(base: &str, place: &ReferencePlace) -> Option<Ending> {
    let end = place.version.deprecation.as_ref()?;
    let successor = place.successor.as_ref().map(|next| {
        let href = format!("{base}/apis/{}/v/{}/reference", next.api, next.version);
        let label = if next.api == place.api.slug {
            next.version.to_string()
        } else {
            format!("{} {}", next.api, next.version)
        };
        (href, label)
    });
    Some(Ending {
        sunset_at: end.sunset_at,
        message: end.message.as_ref().map(ToString::to_string),
        successor,
    })
}

/// The shell of a page of the reference. `twin` is where it is Markdown, below
/// the address of the version.
pub(super) fn shell(visit: &Visit, place: &ReferencePlace, title: &str, twin: &str) -> Shell {
    let api = format!("/apis/{}", place.api.slug);
    let version = format!("{api}/v/{}/reference", place.version.label);
    visit
        .shell(format!("{title} · {}", place.api.name))
        .crumb("APIs", "/apis")
        .crumb(place.api.name.as_str(), &api)
        .crumb(place.version.label.as_str(), &version)
        .last_crumb(title)
        .twin(&format!("{api}/v/{}{twin}", place.version.label))
}
