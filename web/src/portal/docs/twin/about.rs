//! The pages that are about a whole version.

use std::fmt::Write;

use gatewright_control::docs::{Overview, SchemaList};

use super::{flat, line};
use crate::portal::docs::auth::Refusal;
use crate::portal::docs::frame::encoded;

pub(in crate::portal::docs) fn reference(overview: &Overview, home: &str) -> String {
    let head = &overview.docs.head;
    let place = &overview.place;
    let mut out = String::new();
    line!(out, "# {} {}\n", place.api.name, place.version.label);
    line!(out, "- State: {}", place.version.state);
    line!(out, "- Base URL: {}", place.base_url);
    line!(out, "- Document: {home}/openapi.json");
    line!(out, "- Authentication: {home}/auth.md");
    line!(out, "- Errors: {home}/errors.md");
    line!(out, "- Schemas: {home}/schemas.md");
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
            line!(
                out,
                "- [{} {}]({home}/webhooks/{}.md): {}",
                hook.method,
                hook.name,
                hook.slug,
                flat(&hook.summary)
            );
        }
    }
    out
}

/// `next` is where the list goes on.
pub(in crate::portal::docs) fn schemas(found: &SchemaList, home: &str, next: Option<&str>) -> String {
    let mut out = String::new();
    let place = &found.place;
    line!(out, "# Schemas of {} {}\n", place.api.name, place.version.label);
    line!(out, "{} of {} schemas.\n", found.matching, found.total);
    for schema in &found.lines {
        line!(
            out,
            "- [{}]({home}/schemas/{}.md) ({}): {}",
            schema.name,
            encoded(&schema.name),
            schema.types,
            flat(&schema.about)
        );
    }
    if let Some(next) = next {
        line!(out, "\n[More]({next})");
    }
    out
}

/// `calls` send a key in either way.
pub(in crate::portal::docs) fn auth(overview: &Overview, calls: &[String; 2]) -> String {
    let mut out = String::new();
    let place = &overview.place;
    line!(
        out,
        "# Authentication of {} {}\n",
        place.api.name,
        place.version.label
    );
    line!(
        out,
        "Send your key in the header `X-API-Key`, or as a bearer token:\n"
    );
    for call in calls {
        line!(out, "```sh\n{call}\n```\n");
    }
    line!(
        out,
        "The key is taken off before the call goes on. Plans without a key need none of this."
    );
    let schemes = &overview.docs.head.schemes;
    if !schemes.is_empty() {
        line!(out, "\n## What the description names\n");
    }
    for scheme in schemes {
        let about = scheme.scheme.description.as_deref().unwrap_or_default();
        line!(
            out,
            "- {}: {}. {}",
            flat(&scheme.scheme.name),
            scheme.words(),
            flat(about)
        );
        for flow in &scheme.flows {
            line!(out, "  - {}", flow.name);
            for address in [&flow.authorization_url, &flow.token_url] {
                if !address.is_empty() {
                    line!(out, "    - {address}");
                }
            }
            for (scope, about) in &flow.scopes {
                line!(out, "    - `{scope}`: {}", flat(about));
            }
        }
    }
    out
}

pub(in crate::portal::docs) fn errors(overview: &Overview, refusals: &[Refusal]) -> String {
    let mut out = String::new();
    let place = &overview.place;
    line!(out, "# Errors of {} {}\n", place.api.name, place.version.label);
    line!(
        out,
        "Refusals by the gateway are `application/problem+json` (RFC 9457). The member `code` is stable.\n"
    );
    for refusal in refusals {
        let Refusal {
            status,
            code,
            meaning,
            advice,
        } = refusal;
        line!(out, "- {status} `{code}`: {meaning} {advice}");
    }
    let answers = &overview.docs.head.errors;
    if !answers.is_empty() {
        line!(out, "\n## By the API\n");
    }
    for answer in answers {
        let about = flat(&answer.description);
        line!(
            out,
            "- {} (operations: {}): {about}",
            answer.status,
            answer.operations
        );
    }
    out
}

pub(in crate::portal::docs) fn download(overview: &Overview, home: &str) -> String {
    let mut out = String::new();
    let place = &overview.place;
    line!(
        out,
        "# Description of {} {}\n",
        place.api.name,
        place.version.label
    );
    if place.revision.is_none() {
        line!(out, "There is nothing to download yet.");
        return out;
    }
    line!(out, "- JSON: {home}/openapi.json");
    line!(out, "- YAML: {home}/openapi.yaml");
    line!(out, "- As text: {home}/reference.md");
    out
}
