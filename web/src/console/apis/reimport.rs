//! A new description for a version: what it changes is shown before it is imported.

use askama::Template;
use axum::extract::State;
use gatewright_control::import_preview::OperationChanges;
use gatewright_control::{Caller, Error};
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_openapi::diff::{Class, Diff};
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::ApisWrite;
use gatewright_webkit::problem::Problem;

use super::document::{self, KeptText, Sent};
use super::findings::{self, FindingRow};
use super::frame::{Frame, Tab};
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

/// The outcome of a check.
struct Checked {
    findings: Vec<FindingRow>,
    changes: Option<OperationChanges>,
    /// What that means for callers.
    diff: Option<Diff>,
}

impl Checked {
    /// How many changes there are of each class.
    fn counts(&self) -> String {
        let count = |class: Class| {
            let count = self.diff.as_ref().map_or(0, |diff| diff.count(class));
            format!("{count} {}", class.as_str())
        };
        Class::ALL.map(count).join(", ")
    }
}

#[derive(Template)]
#[template(path = "console/apis/reimport.html")]
struct Reimport {
    shell: Shell,
    frame: Frame,
    form: FormState,
    kept: Option<KeptText>,
    checked: Option<Checked>,
    href: String,
    label: String,
    routed: bool,
}

pub(super) async fn blank(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    let page = Answer::new(FormState::default());
    page.show(&app, &visit, &caller, frame, &version).await
}

pub(super) async fn submit(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    let Sent { form, kept, source } = document::read(&fields, FormState::from_fields(&fields));
    let mut page = Answer {
        kept,
        ..Answer::new(form)
    };
    let Some(source) = source else {
        return page.show(&app, &visit, &caller, frame, &version).await;
    };
    let versions = app.control.versions();
    let of = frame.reference();
    let write = fields.get("action") == "import";
    let outcome = match versions.import(&caller, &of, &version, source, !write).await {
        Ok(done) if write => {
            let path = format!("{}/versions/{}", frame.path(), done.version.version.label);
            let told = if done.written {
                "The new description is in force."
            } else {
                "This is the description that is in force already: nothing changed."
            };
            return Ok(visit.redirect_with(&path, told));
        }
        outcome => outcome.map(|checked| Checked {
            findings: findings::rows(checked.findings),
            changes: Some(checked.changes),
            diff: checked.diff,
        }),
    };
    page.take(outcome)?;
    page.show(&app, &visit, &caller, frame, &version).await
}

/// The page under construction.
struct Answer {
    form: FormState,
    kept: Option<KeptText>,
    checked: Option<Checked>,
}

impl Answer {
    const fn new(form: FormState) -> Self {
        Self {
            form,
            kept: None,
            checked: None,
        }
    }

    fn take(&mut self, outcome: Result<Checked, Error>) -> Result<(), Problem> {
        match outcome {
            Ok(checked) => self.checked = Some(checked),
            Err(Error::Findings(found)) => {
                let rule = "This description cannot be imported as it is";
                self.form.fail_field(document::TEXT, rule);
                self.checked = Some(Checked {
                    findings: findings::rows(found),
                    changes: None,
                    diff: None,
                });
            }
            Err(error) => self.form.absorb(error)?,
        }
        Ok(())
    }

    async fn show(
        self,
        app: &App,
        visit: &Visit,
        caller: &Caller,
        frame: Frame,
        version: &VersionRef,
    ) -> Result<Page, Problem> {
        let of = frame.reference();
        let view = app.control.versions().get(caller, &of, version).await?;
        let label = view.version.label.to_string();
        let shell = frame.shell_below(visit, &label, "Import a description");
        let template = Reimport {
            shell: shell.with(&self.form),
            href: format!("{}/versions/{label}", frame.href),
            label,
            routed: view.version.state.is_routed(),
            frame,
            form: self.form,
            kept: self.kept,
            checked: self.checked,
        };
        Page::form(&template, &template.form)
    }
}
