//! The pages of a reference as Markdown, for programs that read text.

mod about;

use std::fmt::Write;

use gatewright_control::docs::{ReferencePlace, SchemaPage};
use gatewright_openapi::docs::operation::{Content, OperationDoc, Parameter};
use gatewright_openapi::docs::samples::{Call, Language};
use gatewright_openapi::docs::schema::{Access, SchemaLink, SchemaView};

use super::frame::encoded;
use crate::page::Page;
use crate::visit::Visit;

pub(super) use about::{auth, download, errors, reference, schemas};

/// Levels of rows that are written.
const LEVELS: usize = 4;

pub(super) fn answer(visit: &Visit, text: String) -> Page {
    Page::text("text/markdown; charset=utf-8", text).revalidated(visit)
}

/// The address of a version, whole: a text is read away from its portal.
pub(super) fn home(visit: &Visit, place: &ReferencePlace) -> String {
    let (portal, base) = (&visit.app().control.urls().portal, visit.base());
    format!("{portal}{base}/apis/{}/v/{}", place.api.slug, place.version.label)
}

/// Appends a line. Writing to memory cannot fail.
macro_rules! line {
    ($out:expr, $($part:tt)*) => { writeln!($out, $($part)*).unwrap_or_default() };
}
use line;

/// A text on one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn operation(doc: &OperationDoc, base_url: &str, home: &str) -> String {
    let mut out = String::new();
    line!(
        out,
        "# {}\n",
        flat(doc.summary.as_deref().unwrap_or(&doc.template))
    );
    line!(out, "`{} {}{}`\n", doc.method, base_url, doc.template);
    message(doc, ["Request body", "Answers"], home, &mut out);
    line!(
        out,
        "## Call it\n\n```sh\n{}\n```",
        Call::of(doc, base_url).sample(Language::Curl).text()
    );
    out
}

/// A message that the API sends by itself.
pub(super) fn webhook(doc: &OperationDoc, home: &str) -> String {
    let mut out = String::new();
    line!(
        out,
        "# {}\n",
        flat(doc.summary.as_deref().unwrap_or(&doc.template))
    );
    line!(out, "The API sends `{} {}` to you.\n", doc.method, doc.template);
    message(doc, ["Message", "What you answer"], home, &mut out);
    out
}

/// What is sent and what is answered, under these headings.
fn message(doc: &OperationDoc, [sent, answered]: [&str; 2], home: &str, out: &mut String) {
    if doc.deprecated {
        line!(out, "Deprecated: the publisher advises against it.\n");
    }
    if let Some(text) = &doc.description {
        line!(out, "{text}\n");
    }
    for group in &doc.parameters {
        line!(out, "## Parameters in {}\n", group.place.as_str());
        parameters(&group.parameters, home, out);
        line!(out, "");
    }
    if let Some(body) = &doc.body {
        let required = if body.required { ", required" } else { "" };
        line!(out, "## {sent}{required}\n");
        contents(&body.contents, home, out);
    }
    line!(out, "## {answered}\n");
    for response in &doc.responses {
        let about = response.description.as_deref().unwrap_or(response.title);
        line!(out, "### {} {}\n", response.status, flat(about));
        if !response.headers.is_empty() {
            line!(out, "Headers:\n");
            parameters(&response.headers, home, out);
            line!(out, "");
        }
        contents(&response.contents, home, out);
    }
}

fn parameters(list: &[Parameter], home: &str, out: &mut String) {
    for parameter in list {
        let about = parameter.description.as_deref().unwrap_or_default();
        let required = if parameter.required { ", required" } else { "" };
        line!(
            out,
            "- `{}` ({}{required}): {}",
            parameter.name,
            parameter.view.types,
            flat(about)
        );
        inside(&parameter.view, 1, home, out);
    }
}

pub(super) fn schema(page: &SchemaPage, home: &str) -> String {
    let mut out = String::new();
    let view = &page.view;
    let name = view.name.as_deref().or(view.title.as_deref()).unwrap_or("Schema");
    line!(out, "# {}\n\n{}\n", flat(name), view.types);
    if !page.exact {
        line!(
            out,
            "There is nothing at that place: this is the nearest schema around it.\n"
        );
    }
    if let Some(text) = &view.description {
        line!(out, "{text}\n");
    }
    inside(view, 0, home, &mut out);
    if let Some(place) = &view.composition {
        let (label, form) = if view.is_apart() {
            ("The same merged", "")
        } else {
            ("The parts it is put together from", "&as=parts")
        };
        let place = if view.pointer.is_empty() {
            place
        } else {
            &view.pointer
        };
        line!(out, "\n[{label}]({home}/schema.md?ptr={}{form})", encoded(place));
    }
    if let Some(example) = &page.example {
        line!(out, "\n```json\n{}\n```", example.text());
    }
    out
}

fn contents(contents: &[Content], home: &str, out: &mut String) {
    for content in contents {
        let types = content
            .view
            .as_ref()
            .map_or("any value", |view| view.types.as_str());
        line!(out, "`{}`: {types}\n", content.media_type);
        if let Some(view) = &content.view {
            inside(view, 0, home, out);
        }
        if let Some(example) = content.examples.first() {
            line!(out, "\n```json\n{}\n```", example.text);
        }
        line!(out, "");
    }
}

fn inside(view: &SchemaView, level: usize, home: &str, out: &mut String) {
    if level > LEVELS {
        return;
    }
    let indent = "  ".repeat(level);
    for rule in &view.rules {
        line!(out, "{indent}- {}: {}", rule.label, flat(&rule.values.join(", ")));
    }
    for row in &view.rows {
        let about = flat(row.view.description.as_deref().unwrap_or_default());
        let required = if row.required { ", required" } else { "" };
        let access = match row.view.access {
            Access::Both => "",
            Access::ReadOnly => ", read-only",
            Access::WriteOnly => ", write-only",
        };
        let about = [about, links(&row.view.links, home)].concat();
        line!(
            out,
            "{indent}- `{}` ({}{required}{access}): {}",
            row.name,
            row.view.types,
            about.trim()
        );
        inside(&row.view, level + 1, home, out);
    }
    for group in &view.choices {
        line!(out, "{indent}- {} these:", group.how.words());
        for choice in &group.choices {
            line!(
                out,
                "{indent}  - {}{}",
                choice.title,
                links(&choice.view.links, home)
            );
            inside(&choice.view, level + 2, home, out);
        }
    }
    if view.left_out > 0 {
        let place = encoded(&view.pointer);
        line!(
            out,
            "{indent}- [and {} more]({home}/schema.md?ptr={place})",
            view.left_out
        );
    }
}

/// Where the schemas stand that are only named.
fn links(links: &[SchemaLink], home: &str) -> String {
    let mut out = String::new();
    for link in links {
        // Writing to memory cannot fail.
        write!(
            out,
            " [{}]({home}/schema.md?ptr={})",
            link.name,
            encoded(&link.pointer)
        )
        .unwrap_or_default();
    }
    out
}
