//! The first page of somebody who uses APIs: what needs attention, the last
//! day in figures, and the applications.

use askama::Template;
use axum::extract::State;
use gatewright_control::consumer::{ApplicationCard, DeprecatedUse, Home, KeyEnd, Matter};
use gatewright_control::names::Named;
use gatewright_model::permission::Permission;
use gatewright_webkit::authorized::SignedIn;
use gatewright_webkit::problem::Problem;

use super::frame::{day, moment};
use crate::app::App;
use crate::chart::{Spark, Tone};
use crate::filters;
use crate::page::Page;
use crate::pages::Pages;
use crate::range::{Range, Span};
use crate::shell::Shell;
use crate::traffic::Traffic;
use crate::visit::Visit;

/// As many applications as the first page shows.
const MOST_CARDS: usize = 6;

pub(super) fn routes(pages: Pages) -> Pages {
    pages.get("/me", home)
}

/// One line of the attention list.
struct Item {
    tone: &'static str,
    icon: &'static str,
    title: String,
    note: String,
    href: String,
    action: &'static str,
}

#[derive(Template)]
#[template(path = "portal/me/home.html")]
struct HomePage {
    shell: Shell,
    items: Vec<Item>,
    cards: Vec<ApplicationCard>,
    all_cards: usize,
    more: bool,
    traffic: Option<Traffic>,
    spark: Option<Spark>,
    steps: Vec<Step>,
    may_create: bool,
    may_read: bool,
}

/// One of the three steps to a first call.
struct Step {
    done: bool,
    text: &'static str,
    href: String,
    action: &'static str,
}

async fn home(SignedIn(caller): SignedIn, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    let home = app.control.consumer().home(&caller).await?;
    let range = Range::last(Span::Day, app.control.now());
    let traffic = home.usage.as_ref().map(|rows| Traffic::of(&range, rows));
    let spark = traffic
        .as_ref()
        .map(|traffic| Spark::new(&traffic.by_bucket, Tone::Accent));
    let template = HomePage {
        shell: visit.shell("My work").last_crumb("My work"),
        items: home
            .matters
            .iter()
            .map(|matter| item(visit.base(), matter))
            .collect(),
        steps: steps(&visit, &home),
        all_cards: home.applications.len(),
        cards: home.applications.into_iter().take(MOST_CARDS).collect(),
        more: home.more,
        traffic,
        spark,
        may_create: visit.may(Permission::ApplicationsWrite),
        may_read: visit.may(Permission::ApplicationsRead),
    };
    Page::html(&template)
}

/// The steps to a first call; none once it was made.
fn steps(visit: &Visit, home: &Home) -> Vec<Step> {
    let at = |path: &str| [visit.base(), path].concat();
    let access = home
        .applications
        .iter()
        .any(|card| card.subscriptions + card.waiting > 0);
    if home.called && access {
        return Vec::new();
    }
    let keys = match home.applications.first() {
        Some(card) => at(&format!("/me/apps/{}/keys", card.application.slug)),
        None => at("/me/apps/new"),
    };
    vec![
        Step {
            done: !home.applications.is_empty(),
            text: "Create an application: the program that calls",
            href: at("/me/apps/new"),
            action: "Create",
        },
        Step {
            done: access,
            text: "Get access to an API",
            href: at("/apis"),
            action: "Browse APIs",
        },
        Step {
            done: home.called,
            text: "Make a key and the first call with it",
            href: keys,
            action: "To the keys",
        },
    ]
}

fn item(base: &str, matter: &Matter) -> Item {
    let subscription =
        |application: &Named, id| format!("{base}/me/apps/{}/subscriptions/{id}", application.slug);
    match matter {
        Matter::KeyEnds(end) => key_ends(base, end),
        Matter::QuotaHigh {
            application,
            subscription: id,
            api,
            used,
            amount,
            resets_at,
        } => Item {
            tone: if used >= amount { "danger" } else { "warn" },
            icon: "gauge",
            title: format!(
                "{} of {} calls to {api} are used",
                filters::grouped(&used.to_string()),
                filters::grouped(&amount.to_string())
            ),
            note: format!("{}; starts anew {}", application.name, moment(*resets_at)),
            href: subscription(application, id),
            action: "See the quota",
        },
        Matter::DeprecatedUsed(used) => deprecated(base, used),
        Matter::Suspended {
            application,
            subscription: id,
            api,
            reason,
        } => Item {
            tone: "danger",
            icon: "circle-pause",
            title: format!("Access to {api} is suspended"),
            note: with_words(&application.name, reason.as_deref()),
            href: subscription(application, id),
            action: "See why",
        },
        Matter::Answered {
            application,
            subscription: id,
            api,
            granted,
            comment,
            ..
        } => Item {
            note: with_words(&application.name, comment.as_deref()),
            href: subscription(application, id),
            ..answered(api, *granted)
        },
        Matter::Waiting {
            application,
            subscription: id,
            api,
            since,
        } => Item {
            note: format!("{}; asked {}", application.name, day(*since)),
            href: subscription(application, id),
            ..waiting(api)
        },
    }
}

/// A request that waits; where and since when is the caller's.
fn waiting(api: &impl std::fmt::Display) -> Item {
    Item {
        tone: "accent",
        icon: "hourglass",
        title: format!("Your request for {api} waits for a decision"),
        note: String::new(),
        href: String::new(),
        action: "Open",
    }
}

/// How a request was answered; where and with which words is the caller's.
fn answered(api: &impl std::fmt::Display, granted: bool) -> Item {
    let (tone, icon, action) = if granted {
        ("ok", "circle-check", "Open")
    } else {
        ("danger", "circle-x", "See why")
    };
    Item {
        tone,
        icon,
        title: if granted {
            format!("You have access to {api}")
        } else {
            format!("Your request for {api} was rejected")
        },
        note: String::new(),
        href: String::new(),
        action,
    }
}

fn key_ends(base: &str, end: &KeyEnd) -> Item {
    let keys = format!("{base}/me/apps/{}/keys", end.application.slug);
    let (label, of) = (&end.label, &end.application.name);
    if end.rotating {
        return Item {
            tone: "warn",
            icon: "key",
            title: format!("The old key {label} is still used and ends {}", moment(end.at)),
            note: format!("{of}; put its successor in place before that"),
            href: keys,
            action: "To the keys",
        };
    }
    Item {
        tone: "warn",
        icon: "key",
        title: format!("The key {label} ends {}", day(end.at)),
        note: of.to_string(),
        href: format!("{keys}/{}/rotate", end.key),
        action: "Rotate",
    }
}

fn deprecated(base: &str, used: &DeprecatedUse) -> Item {
    let next = used
        .successor
        .as_ref()
        .map_or_else(String::new, |successor| format!("; move to {successor}"));
    Item {
        tone: "warn",
        icon: "hourglass",
        title: format!(
            "{} {} stops on {}",
            used.api.name,
            used.version,
            day(used.sunset_at)
        ),
        note: format!(
            "{} made {} calls to it in the last 7 days{next}",
            used.application.name,
            filters::grouped(&used.calls.to_string())
        ),
        href: format!("{base}/apis/{}", used.api.slug),
        action: "See what replaces it",
    }
}

fn with_words(name: impl std::fmt::Display, said: Option<&str>) -> String {
    match said {
        Some(said) => format!("{name}: “{said}”"),
        None => name.to_string(),
    }
}
