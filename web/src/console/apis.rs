//! The publisher's pages: APIs from the first import to the end of their last version.
//!
//! Start reading in [`frame`] (what every page of one API shares), then
//! [`new`] and [`overview`].

mod audience;
mod deprecate;
mod document;
mod findings;
mod first;
mod frame;
mod limit_rows;
mod list;
mod moves;
mod new;
mod overview;
mod plan;
mod plans;
mod reimport;
mod settings;
mod subscribers;
#[cfg(test)]
mod tests;
mod upstream;
mod version;
mod versions;

use crate::pages::Pages;

/// The list of APIs.
const PATH: &str = "/console/apis";

/// The pages of this group.
pub(super) fn routes(pages: Pages) -> Pages {
    let pages = pages
        .get(PATH, list::list)
        .get("/console/apis/new", new::blank)
        .post_document("/console/apis/new", new::submit)
        .post("/console/apis/new/sample", new::sample)
        .get("/console/apis/{api}", overview::overview)
        .get("/console/apis/{api}/first", first::review)
        .post("/console/apis/{api}/first", first::publish)
        .get("/console/apis/{api}/settings", settings::show)
        .post("/console/apis/{api}/settings", settings::save)
        .post("/console/apis/{api}/delete", settings::delete)
        .get("/console/apis/{api}/subscribers", subscribers::list);
    plan_pages(version_pages(pages))
}

fn version_pages(pages: Pages) -> Pages {
    pages
        .get("/console/apis/{api}/versions", versions::list)
        .get("/console/apis/{api}/versions/new", versions::blank)
        .post_document("/console/apis/{api}/versions/new", versions::create)
        .get("/console/apis/{api}/versions/{version}", version::show)
        .get("/console/apis/{api}/versions/{version}/import", reimport::blank)
        .post_document("/console/apis/{api}/versions/{version}/import", reimport::submit)
        .get("/console/apis/{api}/versions/{version}/upstream", upstream::show)
        .post("/console/apis/{api}/versions/{version}/upstream", upstream::save)
        .get("/console/apis/{api}/versions/{version}/move", moves::confirm)
        .post("/console/apis/{api}/versions/{version}/move", moves::step)
        .get(
            "/console/apis/{api}/versions/{version}/deprecate",
            deprecate::blank,
        )
        .post(
            "/console/apis/{api}/versions/{version}/deprecate",
            deprecate::submit,
        )
}

fn plan_pages(pages: Pages) -> Pages {
    pages
        .get("/console/apis/{api}/plans", plans::list)
        .get("/console/apis/{api}/plans/new", plans::blank)
        .post("/console/apis/{api}/plans/new", plans::create)
        .get("/console/apis/{api}/plans/{plan}", plan::show)
        .post("/console/apis/{api}/plans/{plan}", plan::save)
        .post("/console/apis/{api}/plans/{plan}/move", plan::step)
        .get("/console/apis/{api}/plans/{plan}/close", plan::confirm_close)
        .post("/console/apis/{api}/plans/{plan}/delete", plan::delete)
}
