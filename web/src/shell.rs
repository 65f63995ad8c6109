//! What stands around the content of a page.

use std::sync::Arc;

use crate::assets::Assets;
use crate::form::FormState;
use crate::nav::{self, NavGroup};
use crate::visit::Visit;

/// Which of the two parts of the pages is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    /// For those who use APIs.
    Portal,
    /// For those who offer them.
    Console,
}

/// One step of the way to a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crumb {
    /// In words.
    pub(crate) label: String,
    /// Whole, with the tenant's base; `None` for the page itself.
    pub(crate) href: Option<String>,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShellPerson {
    /// As people read it.
    pub(crate) name: String,
    /// Their address.
    pub(crate) email: String,
    /// Whether there is anything for them in the console.
    pub(crate) console: bool,
}

/// The addresses of the static files.
#[derive(Debug, Clone)]
pub(crate) struct AssetPaths(Arc<Assets>);

impl AssetPaths {
    /// The stylesheet.
    pub(crate) fn css(&self) -> &str {
        self.0.path("app.css")
    }

    /// Our script.
    pub(crate) fn js(&self) -> &str {
        self.0.path("app.js")
    }

    /// htmx.
    pub(crate) fn htmx(&self) -> &str {
        self.0.path("htmx.min.js")
    }

    /// The icon of the tab.
    pub(crate) fn favicon(&self) -> &str {
        self.0.path("favicon.svg")
    }
}

/// What the layout needs. Templates reach it as `shell`.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    /// Of the page, without the tenant's name.
    pub(crate) title: String,
    /// Whether a form on the page was refused.
    pub(crate) error: bool,
    /// Stands before every link.
    pub(crate) base: String,
    /// `light`, `dark`, or empty for the system's choice.
    pub(crate) theme: &'static str,
    /// `compact` or empty.
    pub(crate) density: &'static str,
    /// Which part of the pages.
    pub(crate) area: Area,
    /// The navigation of that part.
    pub(crate) nav: Vec<NavGroup>,
    /// The way to the page.
    pub(crate) crumbs: Vec<Crumb>,
    /// Who is signed in.
    pub(crate) person: Option<ShellPerson>,
    /// The tenant as people read it.
    pub(crate) tenant_name: String,
    /// What the page before this one had to say.
    pub(crate) toast: Option<String>,
    /// What was searched for.
    pub(crate) query: String,
    /// Where the same page is Markdown; whole, with the tenant's base.
    pub(crate) twin: Option<String>,
    /// Where the static files are.
    pub(crate) assets: AssetPaths,
}

impl Shell {
    pub(crate) fn new(visit: &Visit, title: String) -> Self {
        let path = visit.path();
        let in_console = path == "/console" || path.starts_with("/console/");
        // Who has nothing there is told so among the places that are open to them.
        let area = if in_console && nav::has_console(visit) {
            Area::Console
        } else {
            Area::Portal
        };
        let person = visit.person().map(|person| ShellPerson {
            name: person.name.to_string(),
            email: person.email.to_string(),
            console: nav::has_console(visit),
        });
        Self {
            title,
            error: false,
            base: visit.base().to_owned(),
            theme: visit.theme(),
            density: visit.density(),
            area,
            nav: nav::of(visit, area),
            crumbs: Vec::new(),
            person,
            tenant_name: visit.tenant().name.to_string(),
            toast: visit.toast().map(str::to_owned),
            query: String::new(),
            twin: None,
            assets: AssetPaths(Arc::clone(&visit.app().assets)),
        }
    }

    /// The shell of a page that is shown before anything is known: the store is away.
    pub(crate) fn bare(assets: Arc<Assets>, title: String, theme: &'static str) -> Self {
        Self {
            title,
            error: false,
            base: String::new(),
            theme,
            density: "",
            area: Area::Portal,
            nav: Vec::new(),
            crumbs: Vec::new(),
            person: None,
            tenant_name: "Gatewright".to_owned(),
            toast: None,
            query: String::new(),
            twin: None,
            assets: AssetPaths(assets),
        }
    }

    /// Adds a step; its address is without the base.
    #[must_use]
    pub(crate) fn crumb(mut self, label: impl Into<String>, href: &str) -> Self {
        self.crumbs.push(Crumb {
            label: label.into(),
            href: Some([self.base.as_str(), href].concat()),
        });
        self
    }

    /// Adds the page itself.
    #[must_use]
    pub(crate) fn last_crumb(mut self, label: impl Into<String>) -> Self {
        self.crumbs.push(Crumb {
            label: label.into(),
            href: None,
        });
        self
    }

    /// The shell of a page with a form: the title says when it was refused.
    #[must_use]
    pub(crate) fn with(mut self, form: &FormState) -> Self {
        self.error |= !form.is_ok();
        self
    }

    /// Tells programs where the page is Markdown; the address is without the base.
    #[must_use]
    pub(crate) fn twin(mut self, href: &str) -> Self {
        self.twin = Some([self.base.as_str(), href].concat());
        self
    }

    /// Shows in the search field what was searched for.
    #[must_use]
    pub(crate) fn searched(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    /// What the browser's tab says.
    pub(crate) fn document_title(&self) -> String {
        let error = if self.error { "Error: " } else { "" };
        format!("{error}{} – {}", self.title, self.tenant_name)
    }

    /// Whether the navigation has this place: it has what the visitor may open.
    pub(crate) fn leads_to(&self, path: &str) -> bool {
        let href = [self.base.as_str(), path].concat();
        self.nav
            .iter()
            .flat_map(|group| &group.items)
            .any(|item| item.href == href)
    }

    /// Whether the page belongs to the console.
    pub(crate) fn is_console(&self) -> bool {
        self.area == Area::Console
    }
}
