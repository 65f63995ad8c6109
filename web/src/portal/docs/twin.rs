//! The pages of a reference as Markdown, for programs that read text.

use std::fmt::Write;

use gatewright_control::docs::{Overview, SchemaPage};
use gatewright_openapi::docs::operation::{Content, OperationDoc};
use gatewright_openapi::docs::samples::{Call, Language};
use gatewright_openapi::docs::schema::{Access, SchemaView};

use crate::page::Page;

/// Levels of rows that are written.
const LEVELS: usize = 4;

pub(super) fn answer(text: String) -> Page {
    Page::bytes("text/markdown; charset=utf-8", text)
}

/// Appends a line. Writing to memory cannot fail.
macro_rules! line {
    ($out:expr, $($part:tt)*) => { writeln!($out, $($part)*).unwrap_or_default() };
}

/// A text on one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn reference(overview: &Overview, home: &str) -> String {
    let head = &overview.docs.head;
    let place = &overview.place;
    let mut out = String::new();
    line!(out, "# {} {}\n", place.api.name, place.version.label);
    line!(out, "- State: {}", place.version.state);
    line!(out, "- Base URL: {}", place.base_url);
    line!(out, "- Document: {home}/openapi.json");
    line!(out, "- Send your key in the header `X-API-Key`.\n");
    if !head.description.is_empty() {
        line!(out, "{}\n", head.description.trim());
    }
    line!(out, "## Operations\n");
    for operation in &overview.docs.operations {
        let ended = if operation.deprecated { " (deprecated)" } else { "" };
        line!(
            out,
            "- [{} {}]({home}/ops/{}.md): {}{ended}",
            operation.method,
            operation.template,
            operation.slug,
            flat(&operation.summary)
        );
    }
    if !head.webhooks.is_empty() {
        line!(out, "\n## Webhooks\n");
        for hook in &head.webhooks {
            line!(out, "- {} {}: {}", hook.method, hook.name, flat(&hook.summary));
        }
    }
    out
}

pub(super) fn operation(doc: &OperationDoc, base_url: &str) -> String {
    let mut out = String::new();
    let title = doc.summary.as_deref().unwrap_or(&doc.template);
    line!(out, "# {}\n", flat(title));
    line!(out, "`{} {}{}`\n", doc.method, base_url, doc.template);
    if doc.deprecated {
        line!(out, "Deprecated: the publisher advises against it.\n");
    }
    if let Some(text) = &doc.description {
        line!(out, "{text}\n");
    }
    for group in &doc.parameters {
        line!(out, "## Parameters in {}\n", group.place.as_str());
        for parameter in &group.parameters {
            let about = parameter.description.as_deref().unwrap_or_default();
            let required = if parameter.required { ", required" } else { "" };
            line!(
                out,
                "- `{}` ({}{required}): {}",
                parameter.name,
                parameter.view.types,
                flat(about)
            );
            inside(&parameter.view, 1, &mut out);
        }
        line!(out, "");
    }
    if let Some(body) = &doc.body {
        line!(
            out,
            "## Request body{}\n",
            if body.required { ", required" } else { "" }
        );
        contents(&body.contents, &mut out);
    }
    line!(out, "## Answers\n");
    for response in &doc.responses {
        let about = response.description.as_deref().unwrap_or(response.title);
        line!(out, "### {} {}\n", response.status, flat(about));
        contents(&response.contents, &mut out);
    }
    line!(
        out,
        "## Call it\n\n```sh\n{}\n```",
        Call::of(doc, base_url).sample(Language::Curl).text()
    );
    out
}

pub(super) fn schema(page: &SchemaPage) -> String {
    let mut out = String::new();
    let name = page.view.name.as_deref().unwrap_or("Schema");
    line!(out, "# {name}\n\n{}\n", page.view.types);
    if let Some(text) = &page.view.description {
        line!(out, "{text}\n");
    }
    inside(&page.view, 0, &mut out);
    if let Some(example) = &page.example {
        line!(out, "\n```json\n{}\n```", example.text());
    }
    out
}

fn contents(contents: &[Content], out: &mut String) {
    for content in contents {
        let types = content
            .view
            .as_ref()
            .map_or("any value", |view| view.types.as_str());
        line!(out, "`{}`: {types}\n", content.media_type);
        if let Some(view) = &content.view {
            inside(view, 0, out);
        }
        if let Some(example) = content.examples.first() {
            line!(out, "\n```json\n{}\n```", example.text);
        }
        line!(out, "");
    }
}

fn inside(view: &SchemaView, level: usize, out: &mut String) {
    if level > LEVELS {
        return;
    }
    let indent = "  ".repeat(level);
    for rule in &view.rules {
        line!(out, "{indent}- {}: {}", rule.label, flat(&rule.values.join(", ")));
    }
    for row in &view.rows {
        let about = row.view.description.as_deref().unwrap_or_default();
        let required = if row.required { ", required" } else { "" };
        let access = match row.view.access {
            Access::Both => "",
            Access::ReadOnly => ", read-only",
            Access::WriteOnly => ", write-only",
        };
        line!(
            out,
            "{indent}- `{}` ({}{required}{access}): {}",
            row.name,
            row.view.types,
            flat(about)
        );
        inside(&row.view, level + 1, out);
    }
    for group in &view.choices {
        line!(out, "{indent}- {} these:", group.label);
        for choice in &group.choices {
            line!(out, "{indent}  - {}", choice.title);
            inside(&choice.view, level + 2, out);
        }
    }
}
