//! Trying an operation from its page: the form, the call through the gateway,
//! and the answer. It works without a script: the answer then is a page.

mod answer;
mod body;
mod curl;
mod kept;
mod request;
mod shape;
#[cfg(test)]
mod tests;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Path, State};
use gatewright_control::Error;
use gatewright_control::console::{Origin, Place, Proof, Way, Ways};
use gatewright_model::id::{ApplicationId, SubscriptionId};
use gatewright_model::template::PathTemplate;
use gatewright_openapi::docs::operation::OperationDoc;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::problem::Problem;
use http::HeaderMap;
use http::header::SET_COOKIE;

use self::answer::{Context, Outcome};
use self::body::BodyView;
use self::kept::Kept;
pub(crate) use self::shape::MOST_LISTED;
use self::shape::{BodyKind, Parameter, Shape, Values};
use crate::account::browser::Browser;
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

/// The choice of a call without a key.
const NO_KEY: &str = "none";
/// In an address: fill the form with the examples of the description.
const EXAMPLES: &str = "examples";

/// The pages of this group.
pub(super) fn routes(pages: Pages) -> Pages {
    const TRY: &str = "/apis/{api}/v/{version}/ops/{operation}/try";
    pages.get(TRY, back).post_document(TRY, run)
}

/// The box on the page of an operation.
#[derive(Debug, Template)]
#[template(path = "portal/try_it/box.html")]
pub(crate) struct TryBox {
    base: String,
    /// The path of the operation's page.
    home: String,
    api: String,
    method: String,
    template: String,
    inputs: Vec<InputField>,
    bodies: Vec<BodyKind>,
    takes_files_only: bool,
    credentials: Vec<(String, String)>,
    stopped: Vec<Stopped>,
    /// Whether the version takes new subscriptions.
    open: bool,
    /// Whether a key of one's own can be typed.
    may_type_key: bool,
    access: Access,
    /// Whether it shows what was sent last.
    refilled: bool,
    form: FormState,
    outcome: Option<Outcome>,
}

impl HtmlSafe for TryBox {}

/// What the reader can do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Run it.
    Run,
    /// Get access first; a key that is at hand works too.
    Needed,
    /// Sign in first.
    SignIn,
    /// Nobody can call it.
    Never,
}

/// A field for a parameter.
#[derive(Debug)]
struct InputField {
    field: String,
    label: String,
    hint: String,
    required: bool,
    choices: Vec<(String, String)>,
}

/// A subscription that does not work for now.
#[derive(Debug)]
struct Stopped {
    plan: String,
    application: String,
    state: String,
    href: String,
}

#[derive(Template)]
#[template(path = "portal/try_it/page.html")]
struct TryPage {
    shell: Shell,
    title: String,
    home: String,
    try_box: TryBox,
}

/// The box alone, for a page that is shown already. Its title says when the
/// form was refused; htmx takes it over.
#[derive(Template)]
#[template(
    source = "<title>{{ shell.document_title() }}</title>{{ try_box }}",
    ext = "html"
)]
struct TryPart {
    shell: Shell,
    try_box: TryBox,
}

/// An operation with everything that its box needs.
struct Target {
    place: Place,
    ways: Ways,
    template: Option<PathTemplate>,
    shape: Shape,
}

/// Makes the box for the page of an operation.
///
/// # Errors
/// As the page of the operation.
pub(crate) async fn box_for(
    visit: &Visit,
    place: &Place,
    doc: &OperationDoc,
    headers: &HeaderMap,
) -> Result<TryBox, Problem> {
    let target = Target::new(visit, place.clone(), doc).await?;
    let kept = if asked(visit, "inputs").as_deref() == Some(EXAMPLES) {
        Kept::default()
    } else {
        Kept::read(visit, headers, &home(&target.ways))
    };
    let form = target.prefilled(visit, &kept);
    let mut try_box = target.into_box(visit, form, None);
    try_box.refilled = !kept.is_empty();
    Ok(try_box)
}

/// What the address of the page asks for.
fn asked(visit: &Visit, name: &str) -> Option<String> {
    url::form_urlencoded::parse(visit.query().as_bytes())
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

async fn back(_: Public, visit: Visit) -> Result<Page, Problem> {
    // The path is ours but for its names, which stand in it as they were sent: encoded.
    let home = visit.path().strip_suffix("/try").unwrap_or("/apis");
    Ok(visit.redirect(&[home, "#try"].concat()))
}

async fn run(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    Browser(client): Browser,
    Path(path): Path<(String, String, String)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let place = place(path)?;
    let doc = app.control.docs().operation(&visit.reader(), &place).await?;
    let target = Target::new(&visit, place, &doc).await?;
    let mut form = FormState::from_fields(&fields).without("key");
    let origin = Origin {
        browser: client.address.unwrap_or([127, 0, 0, 1].into()),
        local_gateway: app.settings.local_gateway,
    };
    let outcome = target.run(&visit, &fields, &mut form, origin).await?;
    // What was refused was not sent.
    let sent = outcome.as_ref().map(|_| Kept::of(&target.shape, &form));
    let cookie = sent.and_then(|sent| sent.cookie(&visit, &home(&target.ways)));
    let page = page(&visit, target, form, outcome)?;
    Ok(match cookie {
        Some(cookie) => page.header(SET_COOKIE, cookie),
        None => page,
    })
}

fn page(visit: &Visit, target: Target, form: FormState, outcome: Option<Outcome>) -> Result<Page, Problem> {
    let operation = &target.ways.operation;
    let title = format!("Try {} {}", operation.method, operation.template);
    let (api, version) = (&target.ways.api, &target.ways.version);
    let shell = visit
        .shell(title.clone())
        .crumb("APIs", "/apis")
        .crumb(api.name.as_str(), &format!("/apis/{}", api.slug))
        .crumb(
            version.label.as_str(),
            &format!("/apis/{}/v/{}/reference", api.slug, version.label),
        )
        .last_crumb("Try it")
        .with(&form);
    let home = [visit.base(), &home(&target.ways)].concat();
    let try_box = target.into_box(visit, form, outcome);
    if visit.is_fragment() {
        let part = TryPart { shell, try_box };
        return Page::form(&part, &part.try_box.form);
    }
    let page = TryPage {
        shell,
        title,
        home,
        try_box,
    };
    Page::form(&page, &page.try_box.form)
}

fn place((api, version, operation): (String, String, String)) -> Result<Place, Problem> {
    Ok(Place {
        api: api.parse().map_err(|_| Problem::not_found("api"))?,
        version: version.parse().map_err(|_| Problem::not_found("version"))?,
        operation,
    })
}

/// The path of the page of an operation.
fn home(ways: &Ways) -> String {
    let (api, version) = (&ways.api.slug, &ways.version.label);
    format!("/apis/{api}/v/{version}/ops/{}", ways.operation.slug)
}

impl Target {
    async fn new(visit: &Visit, place: Place, doc: &OperationDoc) -> Result<Self, Problem> {
        let ways = visit
            .app()
            .control
            .console()
            .ways(&visit.reader(), &place)
            .await?;
        let template = PathTemplate::parse(&ways.operation.template)
            .ok()
            .filter(|_| ways.operation.routable);
        let shape = template
            .as_ref()
            .map(|template| Shape::of(doc, template))
            .unwrap_or_default();
        Ok(Self {
            place,
            ways,
            template,
            shape,
        })
    }

    /// Sends what was typed; what is wrong with it is said in the form.
    async fn run(
        &self,
        visit: &Visit,
        fields: &Fields,
        form: &mut FormState,
        origin: Origin,
    ) -> Result<Option<Outcome>, Problem> {
        let Some(template) = &self.template else {
            form.fail_whole("The gateway cannot route this operation: it is documented only");
            return Ok(None);
        };
        let Some(call) = request::read(&self.shape, template, fields, form) else {
            return Ok(None);
        };
        let context = Context {
            base: visit.base(),
            api: self.ways.api.slug.as_str(),
            version: self.ways.version.label.as_str(),
            application: self.caller_of(&call.proof),
            shape: &self.shape,
            curl: curl::line(&self.ways.operation.method, &self.ways.gateway_url, &call),
        };
        let console = visit.app().control.console();
        match console.run(&visit.reader(), &self.place, call, origin).await {
            Ok(result) => Ok(Some(answer::view(result, context))),
            Err(error @ (Error::Guard { .. } | Error::TooOften { .. } | Error::Invalid(_))) => {
                form.absorb(error)?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whose call it is, when it is one of the reader's own applications.
    fn caller_of(&self, proof: &Proof) -> Option<ApplicationId> {
        let Proof::Subscription(id) = proof else {
            return None;
        };
        let mut known = self.ways.subscriptions.iter().chain(&self.ways.stopped);
        known
            .find(|way| way.subscription.id == *id)
            .map(|way| way.subscription.application_id)
    }

    /// The form as the page of the operation shows it first: with what was sent
    /// last, else with what the description gives as examples.
    fn prefilled(&self, visit: &Visit, kept: &Kept) -> FormState {
        let first = |parameter: &Parameter| match kept.parameter(parameter) {
            Some(value) => Some(value.to_owned()),
            None => parameter.required.then(|| first_value(parameter)),
        };
        let all = self.shape.parameters.iter().enumerate();
        let mut values: Vec<(String, String)> = all
            .filter_map(|(index, parameter)| Some((request::field_of(index), first(parameter)?)))
            .collect();
        let sent = kept.value("media_type").and_then(|sent| {
            let known = self.shape.bodies.iter().find(|body| body.media_type == sent);
            known.filter(|_| kept.value("body").is_some())
        });
        if let Some(body) = sent.or(self.shape.bodies.first()) {
            let text = sent.and(kept.value("body")).unwrap_or(&body.example);
            values.push(("body".to_owned(), text.to_owned()));
            values.push(("media_type".to_owned(), body.media_type.clone()));
        }
        let id = |text: &str| text.parse::<SubscriptionId>().ok();
        let wanted = asked(visit, "subscription").as_deref().and_then(id);
        let wanted = wanted.or_else(|| kept.value("credential").and_then(id));
        let without_key = kept.value("credential") == Some(NO_KEY) && self.ways.keyless.is_some();
        let own = self.ways.subscriptions.iter();
        let chosen = own
            .clone()
            .find(|way| Some(way.subscription.id) == wanted)
            // Nobody calls as another team without having chosen it.
            .or_else(|| own.clone().next().filter(|_| !self.ways.of_others))
            .filter(|_| wanted.is_some() || !without_key);
        let credential = chosen.map_or_else(|| NO_KEY.to_owned(), |way| way.subscription.id.to_string());
        values.push(("credential".to_owned(), credential));
        FormState::new(values)
    }

    fn access(&self, visit: &Visit) -> Access {
        let callable = self.ways.version.state.is_routed() && self.template.is_some();
        let open = self.ways.keyless.is_some() || !self.ways.subscriptions.is_empty();
        match (callable, open, visit.session().is_some()) {
            (false, ..) => Access::Never,
            (true, true, _) => Access::Run,
            (true, false, true) => Access::Needed,
            (true, false, false) => Access::SignIn,
        }
    }

    fn into_box(self, visit: &Visit, form: FormState, outcome: Option<Outcome>) -> TryBox {
        let base = visit.base().to_owned();
        let named = |way: &Way| {
            (
                way.subscription.id.to_string(),
                format!("{}, {}", way.plan.name, way.application.name),
            )
        };
        let mut credentials: Vec<(String, String)> = self.ways.subscriptions.iter().map(named).collect();
        if self.ways.of_others && self.ways.keyless.is_none() && !credentials.is_empty() {
            credentials.insert(
                0,
                (
                    NO_KEY.to_owned(),
                    "Choose a subscription of another team".to_owned(),
                ),
            );
        }
        if let Some(plan) = &self.ways.keyless {
            credentials.push((NO_KEY.to_owned(), format!("{}, without a key", plan.name)));
        }
        TryBox {
            home: home(&self.ways),
            api: self.ways.api.slug.to_string(),
            access: self.access(visit),
            open: self.ways.version.state.is_open(),
            may_type_key: visit.session().is_some(),
            inputs: self.shape.parameters.iter().enumerate().map(input).collect(),
            stopped: self.ways.stopped.iter().map(|way| stopped(&base, way)).collect(),
            bodies: self.shape.bodies,
            takes_files_only: self.shape.takes_files_only,
            method: self.ways.operation.method,
            template: self.ways.operation.template,
            base,
            credentials,
            refilled: false,
            form,
            outcome,
        }
    }
}

fn first_value(parameter: &Parameter) -> String {
    if parameter.example.is_empty() {
        parameter.choices.first().cloned().unwrap_or_default()
    } else {
        parameter.example.clone()
    }
}

fn input((index, parameter): (usize, &Parameter)) -> InputField {
    let mut hints = vec![parameter.place.as_str().to_owned()];
    if !parameter.about.is_empty() {
        hints.push(parameter.about.clone());
    }
    if parameter.values != Values::One {
        hints.push("several with commas between".to_owned());
    }
    if !parameter.required && !parameter.example.is_empty() {
        hints.push(format!("for example {}", parameter.example));
    }
    let choices = parameter
        .choices
        .iter()
        .map(|choice| (choice.clone(), choice.clone()));
    let none = (String::new(), "not sent".to_owned());
    InputField {
        field: request::field_of(index),
        label: parameter.name.clone(),
        hint: hints.join("; "),
        required: parameter.required,
        choices: if parameter.choices.is_empty() {
            Vec::new()
        } else if parameter.required {
            choices.collect()
        } else {
            std::iter::once(none).chain(choices).collect()
        },
    }
}

fn stopped(base: &str, way: &Way) -> Stopped {
    let subscription = &way.subscription;
    let state = if subscription.paused {
        "paused".to_owned()
    } else {
        subscription.state.to_string()
    };
    Stopped {
        plan: way.plan.name.to_string(),
        application: way.application.name.to_string(),
        href: format!(
            "{base}/me/apps/{}/subscriptions/{}",
            subscription.application_id, subscription.id
        ),
        state,
    }
}
