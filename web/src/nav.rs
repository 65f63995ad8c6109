//! The navigation: one line for each place, with what opens it.

use gatewright_model::permission::Permission as P;
use gatewright_webkit::permit::Demand;

use crate::console::permit::{Apis, Console, Gateways, Subscriptions, TrafficRead};
use crate::shell::Area;
use crate::visit::Visit;

/// Some places under one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NavGroup {
    /// Empty for the first one.
    pub(crate) label: &'static str,
    /// The places.
    pub(crate) items: Vec<NavItem>,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NavItem {
    /// In words.
    pub(crate) label: &'static str,
    /// Whole, with the tenant's base.
    pub(crate) href: String,
    /// Its name in the sprite.
    pub(crate) icon: &'static str,
    /// Whether the page that is shown belongs to it.
    pub(crate) current: bool,
}

/// Who sees a place.
#[derive(Debug, Clone, Copy)]
enum Opens {
    Everybody,
    SignedIn,
    AnyOf(&'static [P]),
}

struct Place {
    label: &'static str,
    path: &'static str,
    icon: &'static str,
    opens: Opens,
}

const fn place(label: &'static str, path: &'static str, icon: &'static str, opens: Opens) -> Place {
    Place {
        label,
        path,
        icon,
        opens,
    }
}

type Group = (&'static str, &'static [Place]);

const PORTAL: &[Group] = &[(
    "",
    &[
        place("APIs", "/apis", "book-open", Opens::Everybody),
        place("My work", "/me", "inbox", Opens::SignedIn),
        place("Applications", "/me/apps", "box", Opens::SignedIn),
    ],
)];

const CONSOLE_PLACES: &[Group] = &[
    (
        "",
        &[place(
            "Overview",
            "/console",
            "layout-dashboard",
            Opens::AnyOf(Console::ANY_OF),
        )],
    ),
    (
        "Publish",
        &[
            place("APIs", "/console/apis", "waypoints", Opens::AnyOf(Apis::ANY_OF)),
            place(
                "Approvals",
                "/console/approvals",
                "circle-check",
                Opens::AnyOf(&[P::ApprovalsRead]),
            ),
        ],
    ),
    (
        "Consumers",
        &[
            place(
                "Applications",
                "/console/apps",
                "box",
                Opens::AnyOf(&[P::TenantRead]),
            ),
            place(
                "Subscriptions",
                "/console/subscriptions",
                "link",
                Opens::AnyOf(Subscriptions::ANY_OF),
            ),
            place("Keys", "/console/keys", "key", Opens::AnyOf(&[P::TenantRead])),
        ],
    ),
    (
        "Traffic",
        &[
            place(
                "Usage",
                "/console/analytics",
                "chart-line",
                Opens::AnyOf(TrafficRead::ANY_OF),
            ),
            place(
                "Calls",
                "/console/logs",
                "list",
                Opens::AnyOf(TrafficRead::ANY_OF),
            ),
        ],
    ),
    (
        "People",
        &[
            place("Teams", "/console/teams", "users", Opens::AnyOf(&[P::TenantRead])),
            place("Users", "/console/users", "user", Opens::AnyOf(&[P::TenantRead])),
            place(
                "Roles",
                "/console/roles",
                "shield",
                Opens::AnyOf(&[P::TenantRead]),
            ),
            place(
                "Tokens",
                "/console/tokens",
                "key-round",
                Opens::AnyOf(&[P::TokensWrite]),
            ),
        ],
    ),
    (
        "Operate",
        &[
            place(
                "Gateways",
                "/console/gateways",
                "server",
                Opens::AnyOf(Gateways::ANY_OF),
            ),
            place(
                "Settings",
                "/console/settings",
                "settings",
                Opens::AnyOf(&[P::TenantWrite]),
            ),
            place(
                "Audit",
                "/console/audit",
                "scroll-text",
                Opens::AnyOf(&[P::AuditRead]),
            ),
            place(
                "System",
                "/console/system",
                "activity",
                Opens::AnyOf(&[P::PlatformManage]),
            ),
        ],
    ),
];

/// The places of an area that are open to who comes.
pub(crate) fn of(visit: &Visit, area: Area) -> Vec<NavGroup> {
    let groups = match area {
        Area::Portal => PORTAL,
        Area::Console => CONSOLE_PLACES,
    };
    let current = current(groups, visit.path());
    groups
        .iter()
        .map(|(label, places)| NavGroup {
            label,
            items: places
                .iter()
                .filter(|place| is_open(visit, place.opens))
                .map(|place| NavItem {
                    label: place.label,
                    href: [visit.base(), place.path].concat(),
                    icon: place.icon,
                    current: current == Some(place.path),
                })
                .collect(),
        })
        .filter(|group| !group.items.is_empty())
        .collect()
}

/// Whether there is anything in the console for who comes.
pub(crate) fn has_console(visit: &Visit) -> bool {
    is_open(visit, Opens::AnyOf(Console::ANY_OF))
}

fn is_open(visit: &Visit, opens: Opens) -> bool {
    match opens {
        Opens::Everybody => true,
        Opens::SignedIn => visit.caller().is_some(),
        Opens::AnyOf(permissions) => permissions.iter().any(|permission| visit.may(*permission)),
    }
}

/// The place to which a page belongs: the longest that its path begins with.
fn current(groups: &'static [Group], path: &str) -> Option<&'static str> {
    groups
        .iter()
        .flat_map(|(_, places)| places.iter())
        .map(|place| place.path)
        .filter(|place| {
            path.strip_prefix(place)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|place| place.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_belongs_to_the_nearest_place() {
        assert_eq!(current(CONSOLE_PLACES, "/console"), Some("/console"));
        assert_eq!(
            current(CONSOLE_PLACES, "/console/apis/shop/plans"),
            Some("/console/apis")
        );
        assert_eq!(current(PORTAL, "/me/apps/a/keys"), Some("/me/apps"));
        assert_eq!(current(PORTAL, "/mesh"), None);
    }
}
