//! What every page of one API shares: whose it is, what the visitor may do
//! with it, the tabs, and the way to it.

use gatewright_control::Caller;
use gatewright_control::views::ApiView;
use gatewright_model::id::ApiId;
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_webkit::permit::Demand;
use gatewright_webkit::problem::Problem;

use super::PATH;
use crate::app::App;
use crate::console::permit::Apis;
use crate::shell::Shell;
use crate::visit::Visit;

/// The tabs of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Versions,
    Plans,
    Subscribers,
    Settings,
}

/// What the visitor may do with this API.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one answer for each permission, read by name in templates"
)]
pub(super) struct May {
    /// Change it, its documents and its upstreams.
    pub(super) write: bool,
    /// Move its versions.
    pub(super) publish: bool,
    /// Change its plans.
    pub(super) plans: bool,
    /// Decide about requests.
    pub(super) decide: bool,
    /// See its traffic.
    pub(super) usage: bool,
    /// See who uses it.
    pub(super) consumers: bool,
}

/// An API with what stands around its pages.
#[derive(Debug)]
pub(super) struct Frame {
    /// The API with its versions.
    pub(super) view: ApiView,
    /// What the visitor may do.
    pub(super) may: May,
    /// Its page, with the base.
    pub(super) href: String,
    /// Its page for consumers, with the base.
    pub(super) portal: String,
    /// Which tab is open.
    pub(super) tab: Tab,
}

impl Frame {
    /// Finds the API.
    ///
    /// # Errors
    /// 404 when it is hidden from the visitor.
    pub(super) async fn load(
        app: &App,
        visit: &Visit,
        caller: &Caller,
        api: &Ref<ApiId>,
        tab: Tab,
    ) -> Result<Self, Problem> {
        let view = app.control.apis().get(caller, api).await?;
        let team = view.api.team_id;
        let may = |permission| caller.rights.in_team(permission, team);
        // Everybody reads a public API in the portal; here it is its team's.
        if !Apis::ANY_OF.iter().copied().any(may) {
            return Err(Problem::not_found("api"));
        }
        Ok(Self {
            may: May {
                write: may(Permission::ApisWrite),
                publish: may(Permission::VersionsPublish),
                plans: may(Permission::PlansWrite),
                decide: may(Permission::ApprovalsDecide),
                usage: may(Permission::UsageRead),
                consumers: may(Permission::TenantRead) || may(Permission::ApisWrite),
            },
            href: format!("{}{PATH}/{}", visit.base(), view.api.slug),
            portal: format!("{}/apis/{}", visit.base(), view.api.slug),
            tab,
            view,
        })
    }

    /// A page elsewhere in this tenant.
    pub(super) fn base(&self, path: &str) -> String {
        let base = self.href.split(PATH).next().unwrap_or("");
        [base, path].concat()
    }

    /// Its page, without the base.
    pub(super) fn path(&self) -> String {
        format!("{PATH}/{}", self.view.api.slug)
    }

    /// The API, for use cases.
    pub(super) fn reference(&self) -> Ref<ApiId> {
        Ref::Id(self.view.api.id)
    }

    /// The shell of a page of this API; the page itself is the last step of the way.
    pub(super) fn shell(&self, visit: &Visit, title: &str) -> Shell {
        let name = self.view.api.name.to_string();
        let shell = visit
            .shell(format!("{title} – {name}"))
            .crumb("Console", "/console")
            .crumb("APIs", PATH);
        match self.tab {
            Tab::Overview => shell.last_crumb(name),
            _ => shell.crumb(name, &self.path()).last_crumb(title),
        }
    }

    /// The shell of a page below a version of this API.
    pub(super) fn shell_below(&self, visit: &Visit, label: &str, title: &str) -> Shell {
        let name = self.view.api.name.to_string();
        let path = self.path();
        visit
            .shell(format!("{title} – {name} {label}"))
            .crumb("Console", "/console")
            .crumb("APIs", PATH)
            .crumb(name, &path)
            .crumb("Versions", &format!("{path}/versions"))
            .crumb(label, &format!("{path}/versions/{label}"))
            .last_crumb(title)
    }

    /// The tabs: label, address, whether it is open.
    pub(super) fn tabs(&self) -> Vec<(&'static str, String, bool)> {
        let all = [
            ("Overview", "", Tab::Overview, true),
            ("Versions", "/versions", Tab::Versions, true),
            ("Plans", "/plans", Tab::Plans, true),
            (
                "Subscribers",
                "/subscribers",
                Tab::Subscribers,
                self.may.consumers,
            ),
            ("Settings", "/settings", Tab::Settings, self.may.write),
        ];
        all.into_iter()
            .filter(|(_, _, _, open)| *open)
            .map(|(label, path, tab, _)| (label, [self.href.as_str(), path].concat(), tab == self.tab))
            .collect()
    }
}
