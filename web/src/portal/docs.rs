//! The reference of a version: a page for each operation and each schema, made
//! from the parts of its document that stand on it.

mod auth;
mod download;
mod frame;
mod latest;
mod llms;
mod operation;
mod reference;
mod room;
mod rows;
mod samples;
mod schemas;
mod twin;

#[cfg(test)]
mod tests;

use gatewright_webkit::path::PathPart;

use crate::pages::Pages;

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/apis/{api}/v/latest", latest::home)
        .get("/apis/{api}/v/latest/{*rest}", latest::below)
        .get("/apis/{api}/v/{version}", reference::home)
        .get("/apis/{api}/v/{version}/reference", reference::show)
        .get("/apis/{api}/v/{version}/reference.md", reference::twin)
        .get("/apis/{api}/v/{version}/ops/{operation}", operation::show)
        .get("/apis/{api}/v/{version}/webhooks/{hook}", operation::webhook)
        .get("/apis/{api}/v/{version}/schemas", schemas::list)
        .get("/apis/{api}/v/{version}/schemas.md", schemas::list_twin)
        .get("/apis/{api}/v/{version}/schemas/{schema}", schemas::named)
        .get("/apis/{api}/v/{version}/schema", schemas::at)
        .get("/apis/{api}/v/{version}/schema.md", schemas::at_twin)
        .get("/apis/{api}/v/{version}/auth", auth::auth)
        .get("/apis/{api}/v/{version}/auth.md", auth::auth_twin)
        .get("/apis/{api}/v/{version}/errors", auth::errors)
        .get("/apis/{api}/v/{version}/errors.md", auth::errors_twin)
        .get("/apis/{api}/v/{version}/download", download::page)
        .get("/apis/{api}/v/{version}/download.md", download::page_twin)
        .get("/apis/{api}/v/{version}/openapi.json", download::json)
        .get("/apis/{api}/v/{version}/openapi.yaml", download::yaml)
        .get("/llms.txt", llms::show)
}

/// Declares the last part of an address, which may end in `.md`.
macro_rules! last_part {
    ($name:ident as $part:literal, $kind:literal) => {
        /// The last part of the address.
        #[derive(Debug)]
        struct $name(String);

        impl PathPart for $name {
            const NAME: &'static str = $part;
            const KIND: &'static str = $kind;

            fn read(text: &str) -> Option<Self> {
                (!text.is_empty()).then(|| Self(text.to_owned()))
            }
        }
    };
}

last_part!(OperationPart as "operation", "operation");
last_part!(HookPart as "hook", "webhook");
last_part!(SchemaPart as "schema", "schema");
