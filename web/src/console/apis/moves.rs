//! Moving a version through its life. What cannot be taken back easily, or
//! needs a word to those who call it, asks first.

use askama::Template;
use axum::extract::State;
use gatewright_control::impact::Impact;
use gatewright_control::lifecycle::Transition;
use gatewright_control::views::VersionView;
use gatewright_control::{Caller, IfMatch};
use gatewright_model::api::VersionVerb;
use gatewright_model::id::ApiId;
use gatewright_model::invalid::Invalid;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::state::Word;
use gatewright_model::text::Remark;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::VersionsPublish;
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use super::version;
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "console/apis/move.html")]
struct Confirm {
    shell: Shell,
    frame: Frame,
    form: FormState,
    view: VersionView,
    href: String,
    verb: &'static str,
    label: &'static str,
    about: &'static str,
    impact: Option<Impact>,
}

pub(super) async fn confirm(
    caller: Authorized<VersionsPublish>,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let Ok(verb) = VersionVerb::parse(Listing::of(&visit).text("verb")) else {
        return Err(Problem::not_found("page"));
    };
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    ask(&app, &visit, &caller, frame, &version, verb, FormState::default()).await
}

pub(super) async fn step(
    caller: Authorized<VersionsPublish>,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    let mut form = FormState::from_fields(&fields);
    let Ok(verb) = VersionVerb::parse(fields.get("verb")) else {
        return Err(Problem::not_found("page"));
    };
    if let Some(transition) = transition(verb, &fields, &mut form) {
        let moved = app
            .control
            .versions()
            .transition(&caller, &frame.reference(), &version, transition, IfMatch::ANY)
            .await;
        match moved {
            Ok(view) => {
                let path = format!("{}/versions/{}", frame.path(), view.version.label);
                let state = view.version.state.as_str().replace('_', " ");
                let done = format!("{} is {state} now.", view.version.label);
                return Ok(visit.redirect_with(&path, done));
            }
            Err(error) => form.absorb(error)?,
        }
    }
    if asks(verb) {
        ask(&app, &visit, &caller, frame, &version, verb, form).await
    } else {
        version::render(&app, &visit, &caller, frame, &version, form).await
    }
}

const fn asks(verb: VersionVerb) -> bool {
    matches!(
        verb,
        VersionVerb::Block | VersionVerb::Retire | VersionVerb::Unretire | VersionVerb::Archive
    )
}

/// Deprecating has a page of its own.
fn transition(verb: VersionVerb, fields: &Fields, form: &mut FormState) -> Option<Transition> {
    match verb {
        VersionVerb::Submit => Some(Transition::Submit),
        VersionVerb::Withdraw => Some(Transition::Withdraw),
        VersionVerb::Preview => Some(Transition::Preview),
        VersionVerb::Publish => Some(Transition::Publish),
        VersionVerb::Unblock => Some(Transition::Unblock),
        VersionVerb::Undeprecate => Some(Transition::Undeprecate),
        VersionVerb::Retire => Some(Transition::Retire),
        VersionVerb::Archive => Some(Transition::Archive),
        VersionVerb::Block => {
            let reason = form.take("reason", Remark::parse(fields.get("reason")))?;
            Some(Transition::Block { reason })
        }
        VersionVerb::Unretire => {
            let sunset_at = form.take("sunset_at", day(fields.get("sunset_at")))?;
            Some(Transition::Unretire { sunset_at })
        }
        VersionVerb::Deprecate => {
            form.fail_whole("Deprecating needs a date: use its own page");
            None
        }
    }
}

/// The start of a day in UTC, as a date field sends it.
pub(super) fn day(text: &str) -> Result<Timestamp, Invalid> {
    format!("{text}T00:00:00Z")
        .parse()
        .map_err(|_| Invalid::new("invalid_date", "must be a day, such as 2027-01-31"))
}

async fn ask(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: Frame,
    version: &VersionRef,
    verb: VersionVerb,
    form: FormState,
) -> Result<Page, Problem> {
    let of = frame.reference();
    let versions = app.control.versions();
    let view = versions.get(caller, &of, version).await?;
    let stops = matches!(
        verb,
        VersionVerb::Block | VersionVerb::Retire | VersionVerb::Withdraw
    );
    let impact = if stops {
        versions.impact(caller, &of, version).await.ok()
    } else {
        None
    };
    let (label, about) = version::words(verb);
    let shell = frame.shell_below(visit, view.version.label.as_str(), label);
    let template = Confirm {
        shell: shell.with(&form),
        href: format!("{}/versions/{}", frame.href, view.version.label),
        verb: verb.as_str(),
        label,
        about,
        impact,
        view,
        frame,
        form,
    };
    Page::form(&template, &template.form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_field_is_the_start_of_a_day() {
        assert_eq!(day("2027-01-31").unwrap().to_string(), "2027-01-31T00:00:00.000Z");
        for text in ["", "2027-02-30", "tomorrow"] {
            assert!(day(text).is_err(), "{text}");
        }
    }
}
