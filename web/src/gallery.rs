//! Every component in every state, on one page: for those who build pages, and
//! for the tests that look at them.

use askama::Template;
use gatewright_model::api::VersionState;
use gatewright_model::invalid::Invalid;
use gatewright_model::state::Word as _;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::permit::PlatformManage;
use gatewright_webkit::problem::Problem;
use http::StatusCode;

use crate::chart::{Chart, Kind, Spark, Tone, Unit};
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

/// The pictures of tests must not depend on when they are taken.
const AT: Timestamp = Timestamp::from_millis(1_763_728_200_000);
const HOUR_MS: i64 = 3_600_000;

type Row = (&'static str, &'static str, &'static str, u64);

/// The gallery.
pub(crate) fn routes(pages: Pages) -> Pages {
    pages.get("/console/gallery", show)
}

async fn show(_: Authorized<PlatformManage>, visit: Visit) -> Result<Page, Problem> {
    let gallery = Gallery::new(
        visit
            .shell("Component gallery")
            .crumb("Console", "/console")
            .last_crumb("Gallery"),
    );
    Ok(Page::form(&gallery, &gallery.form)?.status(StatusCode::OK))
}

#[derive(Template)]
#[template(path = "gallery.html")]
struct Gallery {
    shell: Shell,
    form: FormState,
    at: Timestamp,
    sections: &'static [(&'static str, &'static str)],
    states: &'static [&'static str],
    lifecycle: &'static [VersionState],
    rows: &'static [Row],
    charts: Vec<Chart>,
    spark: Spark,
    spark_danger: Spark,
}

/// Every word that a badge knows, and one that it does not.
const STATES: &[&str] = &[
    "draft",
    "in_review",
    "preview",
    "published",
    "blocked",
    "deprecated",
    "retired",
    "archived",
    "pending",
    "active",
    "suspended",
    "closing",
    "closed",
    "rejected",
    "withdrawn",
    "expired",
    "scheduled",
    "rotating",
    "disabled",
    "revoked",
    "open",
    "approved",
    "cancelled",
    "error",
    "warning",
    "info",
    "anything else",
];

impl Gallery {
    fn new(shell: Shell) -> Self {
        Self {
            shell,
            form: refused_form(),
            at: AT,
            sections: &[
                ("buttons", "Buttons"),
                ("states", "States"),
                ("notices", "Notices"),
                ("reveal", "Reveal once"),
                ("data", "Numbers and facts"),
                ("tables", "Tables"),
                ("charts", "Charts"),
                ("code", "Code"),
                ("reference", "Reference"),
                ("forms", "Forms"),
            ],
            states: STATES,
            lifecycle: VersionState::ALL,
            rows: &[
                ("Petstore", "petstore", "published", 128_402),
                ("Orders", "orders", "deprecated", 4_210),
                (
                    "Payments, with a name that is longer than others",
                    "payments",
                    "in_review",
                    0,
                ),
                ("Weather", "weather", "draft", 12),
            ],
            charts: charts(),
            spark: Spark::new(&wave(24, 40.0, 30.0), Tone::Accent),
            spark_danger: Spark::new(&wave(24, 4.0, 4.0), Tone::Danger),
        }
    }
}

fn refused_form() -> FormState {
    let mut form = FormState::new([
        ("name", "Petstore"),
        ("slug", "Pet store"),
        ("amount", "60"),
        ("window", "hour"),
        ("document", "{\n  \"openapi\": \"3.1.0\"\n}"),
        ("plan", "free"),
        ("environment", "test"),
    ]);
    form.fail(
        "slug",
        &Invalid::new("invalid_slug", "must be small letters, digits and hyphens"),
    );
    form.fail("terms", &Invalid::new("missing", "must be accepted"));
    form
}

fn charts() -> Vec<Chart> {
    let times = |hours: i64| (0..hours).map(|hour| Timestamp::from_millis(AT.as_millis() + hour * HOUR_MS));
    vec![
        Chart::new("Calls", Kind::StackedArea)
            .times(times(24))
            .series("2xx", Tone::Ok, wave(24, 900.0, 500.0))
            .series("4xx", Tone::Warn, wave(24, 90.0, 60.0))
            .series("5xx", Tone::Danger, wave(24, 20.0, 20.0))
            .partial_last(true),
        Chart::new("Latency", Kind::Line)
            .times(times(168))
            .series("p50", Tone::Ok, wave(168, 18.0, 6.0))
            .series("p95", Tone::Accent, wave(168, 60.0, 25.0))
            .series("p99", Tone::Danger, wave(168, 140.0, 60.0))
            .unit(Unit::Millis),
        Chart::new("Traffic", Kind::Bars)
            .times((0..30).map(|day| Timestamp::from_millis(AT.as_millis() + day * 24 * HOUR_MS)))
            .series("Sent", Tone::Accent, wave(30, 4.2e6, 3.0e6))
            .series("Received", Tone::Muted, wave(30, 1.1e6, 0.6e6))
            .unit(Unit::Bytes)
            .partial_last(true),
        Chart::new("Cost", Kind::Line).series("none", Tone::Accent, Vec::new()),
    ]
}

/// Numbers that go up and down like a day does.
fn wave(points: u16, middle: f64, swing: f64) -> Vec<f64> {
    (0..points)
        .map(|point| {
            let at = f64::from(point);
            (middle + swing * (at / 4.0).sin() * 0.8 + swing * (at * 1.7).sin() * 0.2).round()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::assets::Assets;

    #[test]
    fn components_keep_to_the_content_policy() {
        let shell = Shell::bare(Arc::new(Assets::load()), "Gallery".to_owned(), "");
        let text = Gallery::new(shell).render().unwrap();
        for banned in [" style=", "javascript:", "<style", " onclick", " hx-on", "js:"] {
            assert!(!text.contains(banned), "{banned}");
        }
        assert_eq!(text.matches("<h1").count(), 1);
        let mut ids: Vec<_> = text
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "an id stands twice");
    }
}
