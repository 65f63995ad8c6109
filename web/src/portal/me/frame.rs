//! What the pages of one application share: its name, its tabs, and what the
//! visitor may do with it.

use gatewright_control::Caller;
use gatewright_control::consumer::ApplicationView;
use gatewright_model::consumer::{Application, ApplicationState};
use gatewright_model::id::ApplicationId;
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::Team;
use gatewright_model::time::Timestamp;
use gatewright_webkit::problem::Problem;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use jiff::tz::TimeZone;

use crate::app::App;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

/// The pages of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Keys,
    Subscriptions,
    Usage,
    Calls,
    People,
    Settings,
}

impl Tab {
    const ALL: [Self; 7] = [
        Self::Overview,
        Self::Keys,
        Self::Subscriptions,
        Self::Usage,
        Self::Calls,
        Self::People,
        Self::Settings,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Keys => "Keys",
            Self::Subscriptions => "Subscriptions",
            Self::Usage => "Usage",
            Self::Calls => "Calls",
            Self::People => "People",
            Self::Settings => "Settings",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Keys => "/keys",
            Self::Subscriptions => "/subscriptions",
            Self::Usage => "/usage",
            Self::Calls => "/logs",
            Self::People => "/members",
            Self::Settings => "/settings",
        }
    }

    /// What opens the page, beside seeing the application at all.
    const fn opens(self) -> Option<Permission> {
        match self {
            Self::Usage => Some(Permission::UsageRead),
            Self::Calls => Some(Permission::CallsRead),
            Self::People => Some(Permission::TeamsRead),
            Self::Settings => Some(Permission::ApplicationsWrite),
            Self::Overview | Self::Keys | Self::Subscriptions => None,
        }
    }
}

/// One tab as it is shown.
pub(super) struct TabLink {
    pub(super) label: &'static str,
    pub(super) href: String,
    pub(super) current: bool,
}

/// What the visitor may do with the application.
#[derive(Debug, Clone, Copy)]
pub(super) struct Can {
    /// Make, rotate and end keys.
    pub(super) keys: bool,
    /// Ask for access and give it back.
    pub(super) subscribe: bool,
    /// See figures.
    pub(super) usage: bool,
    /// See single calls.
    pub(super) calls: bool,
    /// Let people into its team.
    pub(super) invite: bool,
}

/// The frame of a page of one application.
pub(super) struct Frame {
    pub(super) application: Application,
    pub(super) team: Team,
    pub(super) tabs: Vec<TabLink>,
    pub(super) can: Can,
    /// The address of the application, with the tenant's base.
    pub(super) href: String,
    tab: Tab,
}

impl Frame {
    /// Reads the application.
    pub(super) async fn load(
        app: &App,
        visit: &Visit,
        caller: &Caller,
        application: &Ref<ApplicationId>,
        tab: Tab,
    ) -> Result<Self, Problem> {
        let view = app.control.consumer().application(caller, application).await?;
        Ok(Self::new(visit, caller, view, tab))
    }

    pub(super) fn new(visit: &Visit, caller: &Caller, view: ApplicationView, tab: Tab) -> Self {
        let ApplicationView { application, team } = view;
        let may = |permission| caller.rights.in_team(permission, team.id);
        let href = [visit.base(), &path_of(&application)].concat();
        let active = application.state == ApplicationState::Active;
        Self {
            tabs: Tab::ALL
                .into_iter()
                .filter(|each| each.opens().is_none_or(may))
                .map(|each| TabLink {
                    label: each.label(),
                    href: [href.as_str(), each.path()].concat(),
                    current: each == tab,
                })
                .collect(),
            can: Can {
                keys: active && may(Permission::CredentialsWrite),
                subscribe: active && may(Permission::SubscriptionsRequest),
                usage: may(Permission::UsageRead),
                calls: may(Permission::CallsRead),
                invite: may(Permission::MembersWrite),
            },
            application,
            team,
            href,
            tab,
        }
    }

    /// The address of the application, without the tenant's base.
    pub(super) fn path(&self) -> String {
        path_of(&self.application)
    }

    /// The address of the page that the tab leads to, without the tenant's base.
    pub(super) fn tab_path(&self) -> String {
        [self.path().as_str(), self.tab.path()].concat()
    }

    /// By id, so that it is found also when it was renamed in the meantime.
    pub(super) fn reference(&self) -> Ref<ApplicationId> {
        Ref::Id(self.application.id)
    }

    /// The shell of the page that a tab leads to.
    pub(super) fn shell(&self, visit: &Visit) -> Shell {
        let name = self.application.name.to_string();
        if self.tab == Tab::Overview {
            return crumbs(visit.shell(name.clone())).last_crumb(name);
        }
        let title = format!("{} of {name}", self.tab.label());
        crumbs(visit.shell(title))
            .crumb(name, &self.path())
            .last_crumb(self.tab.label())
    }

    /// The shell of a page below a tab.
    pub(super) fn shell_below(&self, visit: &Visit, title: &str) -> Shell {
        let name = self.application.name.to_string();
        crumbs(visit.shell(title))
            .crumb(name, &self.path())
            .crumb(self.tab.label(), &self.tab_path())
            .last_crumb(title)
    }
}

pub(super) fn crumbs(shell: Shell) -> Shell {
    shell.crumb("My work", "/me").crumb("Applications", "/me/apps")
}

pub(super) fn path_of(application: &Application) -> String {
    format!("/me/apps/{}", application.slug)
}

/// A page that nobody may keep: it shows a secret.
pub(super) fn unkept(page: Page) -> Page {
    page.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// A day within a sentence.
pub(super) fn day(at: Timestamp) -> String {
    at.to_jiff()
        .to_zoned(TimeZone::UTC)
        .strftime("%-d %b %Y")
        .to_string()
}

/// A moment within a sentence.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_jiff()
        .to_zoned(TimeZone::UTC)
        .strftime("%-d %b %Y, %H:%M UTC")
        .to_string()
}
