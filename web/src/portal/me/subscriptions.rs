//! Subscriptions of an application: what it has access to, on which terms, how
//! far its limits are used, what happened so far, and giving access back.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use gatewright_control::consumer::{SubscriptionEvent, SubscriptionView};
use gatewright_control::quota::LimitStanding;
use gatewright_control::subscriptions::{NewSubscription, SubscriptionAction};
use gatewright_control::{Caller, IfMatch};
use gatewright_model::consumer::SubscriptionState;
use gatewright_model::id::{ApplicationId, SubscriptionId};
use gatewright_model::plan::PlanState;
use gatewright_model::reference::Ref;
use gatewright_model::text::Remark;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApplicationsRead, SubscriptionsRequest};
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab, moment};
use crate::app::App;
use crate::fields::Fields;
use crate::filters;
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const THIRTY_DAYS: Duration = Duration::from_secs(30 * 86_400);

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/me/apps/{application}/subscriptions", list)
        .get("/me/apps/{application}/subscriptions/{subscription}", show)
        .post(
            "/me/apps/{application}/subscriptions/{subscription}/withdraw",
            withdraw,
        )
        .post("/me/apps/{application}/subscriptions/{subscription}/pause", pause)
        .post(
            "/me/apps/{application}/subscriptions/{subscription}/unpause",
            unpause,
        )
        .get(
            "/me/apps/{application}/subscriptions/{subscription}/close",
            ask_close,
        )
        .post("/me/apps/{application}/subscriptions/{subscription}/close", close)
        .post("/me/apps/{application}/subscriptions/{subscription}/again", again)
}

#[derive(Template)]
#[template(path = "portal/me/subscriptions.html")]
struct ListPage {
    shell: Shell,
    frame: Frame,
    live: Vec<SubscriptionView>,
    over: Vec<SubscriptionView>,
}

#[derive(Template)]
#[template(path = "portal/me/subscription.html")]
struct ShowPage {
    shell: Shell,
    frame: Frame,
    view: SubscriptionView,
    limits: Vec<LimitRow>,
    /// Whether there is a meter among them.
    counted: bool,
    as_of: Timestamp,
    events: Vec<EventRow>,
    can: CanDo,
    form: FormState,
}

#[derive(Template)]
#[template(path = "portal/me/close_subscription.html")]
struct ClosePage {
    shell: Shell,
    frame: Frame,
    view: SubscriptionView,
    form: FormState,
}

/// What can be asked of the subscription now.
struct CanDo {
    withdraw: bool,
    pause: bool,
    unpause: bool,
    close: bool,
    again: bool,
}

/// A limit in words, and how far it is used.
struct LimitRow {
    words: String,
    counted: bool,
    used: u64,
    whole: u64,
    text: String,
}

/// Something that happened, in words.
struct EventRow {
    tone: &'static str,
    icon: &'static str,
    title: String,
    at: Timestamp,
    comment: Option<String>,
}

async fn list(
    caller: Authorized<ApplicationsRead>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Subscriptions).await?;
    let all = app
        .control
        .consumer()
        .subscriptions(&caller, &frame.reference())
        .await?;
    let (live, over) = all
        .into_iter()
        .partition(|view| view.subscription.state.is_live());
    let template = ListPage {
        shell: frame.shell(&visit),
        frame,
        live,
        over,
    };
    Page::html(&template)
}

async fn show(
    caller: Authorized<ApplicationsRead>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, SubscriptionId)>,
) -> Result<Page, Problem> {
    present(&app, &visit, &caller, &application, id, None).await
}

/// The page of a subscription; `form` is what was refused.
async fn present(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    application: &Ref<ApplicationId>,
    id: SubscriptionId,
    form: Option<FormState>,
) -> Result<Page, Problem> {
    let (of, view) = app
        .control
        .consumer()
        .subscription(caller, application, id)
        .await?;
    let frame = Frame::new(visit, caller, of, Tab::Subscriptions);
    let shell = frame.shell_below(visit, &format!("{}: {}", view.api.name, view.plan.name));
    let subscriptions = app.control.subscriptions();
    let note = view.subscription.request_note.as_ref();
    let form = form
        .unwrap_or_default()
        .or("reason", note.map_or("", |note| note.as_str()));
    // Nothing is counted before the first call can be made.
    let counts = view.subscription.state != SubscriptionState::Pending && view.subscription.state.is_live();
    let limits = subscriptions.standing(caller, id).await?;
    let limits: Vec<_> = limits
        .iter()
        .map(|standing| limit_row(standing, counts))
        .collect();
    let template = ShowPage {
        shell: shell.with(&form),
        as_of: app.control.now(),
        counted: limits.iter().any(|row| row.counted),
        limits,
        events: subscriptions
            .history(caller, id)
            .await?
            .into_iter()
            .map(event_row)
            .collect(),
        can: can_do(&frame, &view),
        form,
        frame,
        view,
    };
    Page::form(&template, &template.form)
}

fn can_do(frame: &Frame, view: &SubscriptionView) -> CanDo {
    use SubscriptionState as S;
    let (state, paused) = (view.subscription.state, view.subscription.paused);
    let may = frame.can.subscribe;
    let granted = matches!(state, S::Active | S::Suspended | S::Closing);
    CanDo {
        withdraw: may && state == S::Pending,
        pause: may && granted && !paused,
        unpause: may && granted && paused,
        close: may && matches!(state, S::Active | S::Suspended | S::Closing),
        again: may && !state.is_live() && view.plan.state == PlanState::Published,
    }
}

fn limit_row(standing: &LimitStanding, counts: bool) -> LimitRow {
    let number = |number: u64| filters::grouped(&number.to_string());
    LimitRow {
        words: standing.limit.in_words(),
        counted: counts && standing.counter.is_some(),
        used: standing.counter.map_or(0, |counter| counter.used),
        whole: standing.whole(),
        text: standing.counter.map_or_else(String::new, |counter| {
            if counter.used == 0 {
                format!("all {} left", number(counter.remaining))
            } else {
                format!(
                    "{} used, {} left; starts anew {}",
                    number(counter.used),
                    number(counter.remaining),
                    moment(counter.resets_at)
                )
            }
        }),
    }
}

fn event_row(event: SubscriptionEvent) -> EventRow {
    let (tone, icon, words) = match (event.action.as_str(), event.to.as_deref()) {
        ("subscription.request", Some("pending")) => ("accent", "send", "Access was asked for"),
        ("subscription.request", _) => ("ok", "circle-check", "Access was given at once"),
        ("subscription.activate", _) => ("ok", "circle-check", "Approved"),
        ("subscription.reject", _) => ("danger", "circle-x", "Rejected"),
        ("subscription.withdraw", _) => ("muted", "undo", "Request taken back"),
        ("subscription.suspend", _) => ("warn", "circle-pause", "Suspended by the provider"),
        ("subscription.resume", _) => ("ok", "play", "Resumed by the provider"),
        ("subscription.pause", _) => ("warn", "pause", "Paused"),
        ("subscription.unpause", _) => ("ok", "play", "Goes on"),
        ("subscription.begin_closing", _) => ("warn", "hourglass", "Is about to close"),
        ("subscription.close", _) => ("muted", "circle-minus", "Closed"),
        ("subscription.expire", _) => ("muted", "clock", "Expired"),
        ("subscription.restore", _) => ("accent", "undo", "Brought back with the application"),
        _ => ("muted", "circle-dot", "Changed"),
    };
    EventRow {
        tone,
        icon,
        title: match event.who {
            Some(who) => format!("{words}, by {who}"),
            None => words.to_owned(),
        },
        at: event.at,
        comment: event.comment,
    }
}

async fn withdraw(
    caller: Authorized<SubscriptionsRequest>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, SubscriptionId)>,
) -> Result<Page, Problem> {
    let action = SubscriptionAction::Withdraw;
    act(
        &app,
        &visit,
        &caller,
        (application, id),
        action,
        "Request taken back.",
    )
    .await
}

async fn pause(
    caller: Authorized<SubscriptionsRequest>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, SubscriptionId)>,
) -> Result<Page, Problem> {
    let done = "Paused. Calls are refused until you let it go on.";
    act(
        &app,
        &visit,
        &caller,
        (application, id),
        SubscriptionAction::Pause,
        done,
    )
    .await
}

async fn unpause(
    caller: Authorized<SubscriptionsRequest>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, SubscriptionId)>,
) -> Result<Page, Problem> {
    let action = SubscriptionAction::Unpause;
    act(&app, &visit, &caller, (application, id), action, "It goes on.").await
}

/// Does something with a subscription and shows it again.
async fn act(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    (application, id): (Ref<ApplicationId>, SubscriptionId),
    action: SubscriptionAction,
    done: &str,
) -> Result<Page, Problem> {
    let (of, _) = app
        .control
        .consumer()
        .subscription(caller, &application, id)
        .await?;
    let frame = Frame::new(visit, caller, of, Tab::Subscriptions);
    let moved = app
        .control
        .subscriptions()
        .transition(caller, id, action, IfMatch::ANY)
        .await;
    match moved {
        Ok(_) => Ok(visit.redirect_with(&format!("{}/{id}", frame.tab_path()), done)),
        Err(error) => {
            let mut form = FormState::default();
            form.absorb(error)?;
            present(app, visit, caller, &application, id, Some(form)).await
        }
    }
}

async fn ask_close(
    caller: Authorized<SubscriptionsRequest>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, SubscriptionId)>,
) -> Result<Page, Problem> {
    let form = FormState::new([("when", "now")]);
    show_close(&app, &visit, &caller, &application, id, form).await
}

async fn close(
    caller: Authorized<SubscriptionsRequest>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, SubscriptionId)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let form = FormState::from_fields(&fields);
    let (grace, done) = if form.checked("when", "later") {
        (THIRTY_DAYS, "It closes in 30 days.")
    } else {
        (Duration::ZERO, "Subscription closed.")
    };
    // Whose it is: a subscription of another application is not found.
    app.control
        .consumer()
        .subscription(&caller, &application, id)
        .await?;
    let closed = app
        .control
        .subscriptions()
        .transition(&caller, id, SubscriptionAction::Close { grace }, IfMatch::ANY)
        .await;
    match closed {
        Ok(_) => {
            let path = format!("/me/apps/{application}/subscriptions");
            Ok(visit.redirect_with(&path, done))
        }
        Err(error) => show_close(&app, &visit, &caller, &application, id, form.refused(error)?).await,
    }
}

async fn show_close(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    application: &Ref<ApplicationId>,
    id: SubscriptionId,
    form: FormState,
) -> Result<Page, Problem> {
    let (of, view) = app
        .control
        .consumer()
        .subscription(caller, application, id)
        .await?;
    let frame = Frame::new(visit, caller, of, Tab::Subscriptions);
    let shell = frame.shell_below(visit, "Close subscription");
    let template = ClosePage {
        shell: shell.with(&form),
        frame,
        view,
        form,
    };
    Page::form(&template, &template.form)
}

/// Asks anew after a rejection or an end; the note of the last request stands in the form.
async fn again(
    caller: Authorized<SubscriptionsRequest>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, SubscriptionId)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let (_, view) = app
        .control
        .consumer()
        .subscription(&caller, &application, id)
        .await?;
    let mut form = FormState::from_fields(&fields);
    let reason = match fields.some("reason") {
        Some(reason) => form.take("reason", Remark::parse(reason)),
        None => None,
    };
    if !form.is_ok() {
        return present(&app, &visit, &caller, &application, id, Some(form)).await;
    }
    let new = NewSubscription {
        plan_id: view.plan.id,
        reason,
    };
    let asked = app
        .control
        .subscriptions()
        .request(&caller, &application, new)
        .await;
    match asked {
        Ok(subscription) => {
            let path = format!("/me/apps/{application}/subscriptions/{}", subscription.id);
            let done = if subscription.state == SubscriptionState::Pending {
                "Asked again. You see the decision here."
            } else {
                "You have access again."
            };
            Ok(visit.redirect_with(&path, done))
        }
        Err(gatewright_control::Error::Duplicate { existing, .. }) => {
            let path = format!("/me/apps/{application}/subscriptions/{existing}");
            Ok(visit.redirect_with(&path, "There is a newer request already: this one."))
        }
        Err(error) => {
            present(
                &app,
                &visit,
                &caller,
                &application,
                id,
                Some(form.refused(error)?),
            )
            .await
        }
    }
}
