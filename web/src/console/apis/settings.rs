//! What an API is called, who finds it, where it stands, whose it is, and its end as a draft.

use askama::Template;
use axum::extract::State;
use gatewright_control::apis::ApiPatch;
use gatewright_control::views::ApiView;
use gatewright_control::{Caller, IfMatch};
use gatewright_model::api::Visibility;
use gatewright_model::id::ApiId;
use gatewright_model::reference::Ref;
use gatewright_model::state::Word;
use gatewright_model::text::{ContextPath, Name, Slug};
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::ApisWrite;
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use super::{PATH, audience, list};
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "console/apis/settings.html")]
struct Settings {
    shell: Shell,
    frame: Frame,
    form: FormState,
    teams: Vec<(String, String)>,
    served: bool,
}

pub(super) async fn show(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Settings).await?;
    let view = &frame.view;
    let form = FormState::new([
        ("name", view.api.name.to_string()),
        ("description", view.api.description.clone()),
        ("visibility", view.api.visibility.to_string()),
        ("visible_to", named(view)),
        ("context_path", view.api.context_path.to_string()),
        ("team", view.team.to_string()),
        ("featured", featured(&frame)),
        ("row_version", view.api.row_version.to_string()),
    ]);
    render(&app, &visit, &caller, frame, form).await
}

pub(super) async fn save(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Settings).await?;
    let mut form = FormState::from_fields(&fields);
    let visibility = form.take("visibility", Visibility::parse(fields.get("visibility")));
    let visible_to = audience::read(&fields, &mut form, visibility);
    let patch = ApiPatch {
        name: form.take("name", Name::parse(fields.get("name"))),
        description: Some(fields.get("description").replace("\r\n", "\n")),
        visibility,
        visible_to: Some(visible_to),
        context_path: form.take("context_path", ContextPath::parse(fields.get("context_path"))),
        team: fields
            .some("team")
            .and_then(|team| form.take("team", team.parse())),
        featured: Some(!fields.get("featured").is_empty()),
    };
    if form.is_ok() {
        let if_match = form.if_match();
        let apis = app.control.apis();
        match apis.update(&caller, &frame.reference(), patch, if_match).await {
            Ok(_) => return Ok(visit.redirect_with(&format!("{}/settings", frame.path()), "Saved.")),
            Err(error) => {
                audience::absorb(&mut form, &fields, error)?;
                form = form.overtaken_by(frame.view.api.row_version);
            }
        }
    }
    render(&app, &visit, &caller, frame, form).await
}

/// Deletes an API that never served. Its name is typed, so that nobody does it by a slip.
pub(super) async fn delete(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Settings).await?;
    let view = &frame.view;
    let mut form = FormState::new([
        ("name", view.api.name.to_string()),
        ("description", view.api.description.clone()),
        ("visibility", view.api.visibility.to_string()),
        ("visible_to", named(view)),
        ("context_path", view.api.context_path.to_string()),
        ("team", view.team.to_string()),
        ("featured", featured(&frame)),
        ("confirm", fields.get("confirm").to_owned()),
    ]);
    if fields.get("confirm") == view.api.slug.as_str() {
        let apis = app.control.apis();
        match apis.delete(&caller, &frame.reference(), IfMatch::ANY).await {
            Ok(()) => {
                let done = format!("{} is deleted.", view.api.name);
                return Ok(visit.redirect_with(PATH, done));
            }
            Err(error) => form.absorb(error)?,
        }
    } else {
        let rule = format!("Type {} to delete this API", view.api.slug);
        form.fail_field("confirm", rule);
    }
    render(&app, &visit, &caller, frame, form).await
}

/// The value of the box that is ticked for an API that is shown first.
fn featured(frame: &Frame) -> String {
    if frame.view.api.featured { "yes" } else { "" }.to_owned()
}

/// The teams that an API names, as its form says them.
fn named(view: &ApiView) -> String {
    let slugs: Vec<&str> = view.visible_to.iter().map(Slug::as_str).collect();
    slugs.join(", ")
}

async fn render(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: Frame,
    form: FormState,
) -> Result<Page, Problem> {
    let served = frame
        .view
        .versions
        .iter()
        .any(|version| version.state.is_routed() || version.state.is_terminal());
    let template = Settings {
        shell: frame.shell(visit, "Settings").with(&form),
        teams: list::team_choices(app, caller).await,
        served,
        frame,
        form,
    };
    Page::form(&template, &template.form)
}
