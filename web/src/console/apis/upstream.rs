//! Where the calls of a version go. Rows are added and taken away without a
//! script: there are empty ones to fill in, and a row without an address is none.

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_model::api::{Balancing, Target, Timeouts, Upstream};
use gatewright_model::id::ApiId;
use gatewright_model::invalid::Invalid;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::state::Word;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::ApisWrite;
use gatewright_webkit::problem::Problem;
use url::Url;

use super::frame::{Frame, Tab};
use crate::app::App;
use crate::console::permit::Apis;
use crate::fields::Fields;
use crate::form::{FormState, ROW_VERSION};
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

/// Empty rows below the filled ones.
const SPARE: usize = 2;
/// As many rows are read: what control allows.
const MOST_ROWS: usize = 100;

/// The names of the fields of one row.
struct Row {
    number: usize,
    url: String,
    weight: String,
}

#[derive(Template)]
#[template(path = "console/apis/upstream.html")]
struct UpstreamPage {
    shell: Shell,
    frame: Frame,
    form: FormState,
    rows: Vec<Row>,
    href: String,
    label: String,
    routed: bool,
}

pub(super) async fn show(
    caller: Authorized<Apis>,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    let versions = app.control.versions();
    let view = versions.get(&caller, &frame.reference(), &version).await?;
    let upstream = view.upstream.unwrap_or_else(|| Upstream {
        targets: Vec::new(),
        algorithm: Balancing::RoundRobin,
        timeouts: Timeouts::default(),
    });
    let rows = upstream.targets.len();
    let form = filled(&upstream, view.version.row_version);
    render(&app, &visit, &caller, frame, &version, form, rows).await
}

pub(super) async fn save(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    let (mut form, rows) = compacted(&fields);
    if let Some(upstream) = read(&mut form, rows) {
        let of = frame.reference();
        let versions = app.control.versions();
        let saved = versions
            .set_upstream(&caller, &of, &version, upstream, form.if_match())
            .await;
        match saved {
            Ok(_) => {
                let path = format!("{}/versions/{}", frame.path(), label_of(&frame, &version));
                return Ok(visit.redirect_with(&path, "The upstream is set."));
            }
            Err(error) => {
                let current = versions.get(&caller, &of, &version).await?.version.row_version;
                form = form.refused(error)?.overtaken_by(current);
            }
        }
    }
    render(&app, &visit, &caller, frame, &version, form, rows).await
}

fn label_of(frame: &Frame, version: &VersionRef) -> String {
    match version {
        VersionRef::Label(label) => label.to_string(),
        VersionRef::Id(id) => frame
            .view
            .versions
            .iter()
            .find(|version| version.id == *id)
            .map_or_else(|| id.to_string(), |version| version.label.to_string()),
    }
}

fn url_field(row: usize) -> String {
    format!("targets.{row}.url")
}

fn weight_field(row: usize) -> String {
    format!("targets.{row}.weight")
}

fn filled(upstream: &Upstream, row_version: i64) -> FormState {
    let timeouts = upstream.timeouts;
    let rows = upstream.targets.iter().enumerate().flat_map(|(row, target)| {
        [
            (url_field(row), target.url.to_string()),
            (weight_field(row), target.weight.to_string()),
        ]
    });
    let rest = [
        ("algorithm".to_owned(), upstream.algorithm.to_string()),
        ("timeouts.connect_ms".to_owned(), timeouts.connect_ms.to_string()),
        (
            "timeouts.response_ms".to_owned(),
            timeouts.response_ms.to_string(),
        ),
        ("timeouts.idle_ms".to_owned(), timeouts.idle_ms.to_string()),
        (ROW_VERSION.to_owned(), row_version.to_string()),
    ];
    FormState::new(rows.chain(rest))
}

/// The form without its empty rows, so that its row numbers are those of the upstream.
fn compacted(fields: &Fields) -> (FormState, usize) {
    let mut pairs: Vec<(String, String)> = fields
        .pairs()
        .filter(|(name, _)| !name.starts_with("targets."))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut rows = 0;
    for row in 0..MOST_ROWS + SPARE {
        if let Some(url) = fields.some(&url_field(row)) {
            pairs.push((url_field(rows), url.to_owned()));
            let weight = fields.some(&weight_field(row)).unwrap_or("1");
            pairs.push((weight_field(rows), weight.to_owned()));
            rows += 1;
        }
    }
    (FormState::new(pairs), rows)
}

fn read(form: &mut FormState, rows: usize) -> Option<Upstream> {
    let mut targets = Vec::with_capacity(rows);
    for row in 0..rows {
        let url = Url::parse(form.value(&url_field(row))).ok();
        if url.is_none() {
            let rule = format!(
                "Server {} must be an absolute address, such as http://10.0.0.5:8080",
                row + 1
            );
            form.fail_field(&url_field(row), rule);
        }
        let weight = number(form, &weight_field(row), "must be a whole number");
        if let (Some(url), Some(weight)) = (url, weight) {
            targets.push(Target { url, weight });
        }
    }
    if rows == 0 {
        form.fail_field(&url_field(0), "Give the address of at least one server");
    }
    let algorithm = Balancing::parse(form.value("algorithm"));
    let algorithm = form.take("algorithm", algorithm);
    let mut millis = |name: &str| {
        let rule = "must be a whole number of milliseconds";
        number(form, name, rule).unwrap_or_default()
    };
    let timeouts = Timeouts {
        connect_ms: millis("timeouts.connect_ms"),
        response_ms: millis("timeouts.response_ms"),
        idle_ms: millis("timeouts.idle_ms"),
    };
    if !form.is_ok() {
        return None;
    }
    Some(Upstream {
        targets,
        algorithm: algorithm?,
        timeouts,
    })
}

fn number(form: &mut FormState, field: &str, rule: &'static str) -> Option<u32> {
    let read = form.value(field).parse();
    let read = read.map_err(|_| Invalid::new("not_a_number", rule));
    form.take(field, read)
}

async fn render(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: Frame,
    version: &VersionRef,
    form: FormState,
    rows: usize,
) -> Result<Page, Problem> {
    let of = frame.reference();
    let view = app.control.versions().get(caller, &of, version).await?;
    let label = view.version.label.to_string();
    let shell = frame.shell_below(visit, &label, "Upstream");
    let template = UpstreamPage {
        shell: shell.with(&form),
        href: format!("{}/versions/{label}", frame.href),
        label,
        routed: view.version.state.is_routed(),
        rows: (0..rows + SPARE)
            .map(|row| Row {
                number: row + 1,
                url: url_field(row),
                weight: weight_field(row),
            })
            .collect(),
        frame,
        form,
    };
    Page::form(&template, &template.form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_rows_are_no_targets_and_numbers_follow() {
        let fields = Fields::of(&[
            ("targets.0.url", ""),
            ("targets.1.url", "http://10.0.0.1/"),
            ("targets.1.weight", ""),
            ("targets.3.url", "nowhere"),
            ("targets.3.weight", "5"),
            ("algorithm", "round_robin"),
            ("timeouts.connect_ms", "1"),
            ("timeouts.response_ms", "2"),
            ("timeouts.idle_ms", "3"),
        ]);
        let (mut form, rows) = compacted(&fields);
        assert_eq!(
            (rows, form.value("targets.0.weight"), form.value("targets.1.url")),
            (2, "1", "nowhere")
        );
        assert!(read(&mut form, rows).is_none());
        assert!(form.error("targets.1.url").is_some() && form.error("targets.0.url").is_none());
    }
}
