//! `api diff`: what a document changes for those who call an API, against the
//! description that is published or against another document.

use gatewright_config::{Environment, Exit, OutputFormat};
use gatewright_control::Error;
use gatewright_model::api::VersionState;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::{Slug, VersionLabel};
use gatewright_openapi::bounds::Bounds;
use gatewright_openapi::bundle::NothingOutside;
use gatewright_openapi::diff::{Change, Class, Diff, compare};
use gatewright_openapi::finding::Finding;
use gatewright_openapi::import::Imported;
use gatewright_openapi::slug::KnownSlugs;
use serde_json::{Value, json};

use super::api::{line, read};
use crate::cli::DiffArgs;
use crate::commands::session::{Session, configure};
use crate::failure::Failure;
use crate::output;

/// What a document is compared with.
struct Before {
    raw: Vec<u8>,
    /// In words: `shop v1 (revision 3)`, or the name of a file.
    named: String,
    json: Value,
}

/// Runs `api diff`. Ends with 1 when something breaks, or a document cannot be read.
pub(crate) async fn run(args: &DiffArgs, environment: &Environment) -> Result<Exit, Failure> {
    let config = configure(&args.store, environment)?;
    let format = config.output;
    let bounds = Bounds::default();
    let new = match imported(read(&args.file, bounds.raw_bytes)?).await {
        Ok(new) => new,
        Err(findings) => return refuse(format, &args.file.display().to_string(), &findings),
    };
    let before = match &args.against {
        Some(file) => Before {
            raw: read(file, bounds.raw_bytes)?,
            named: file.display().to_string(),
            json: json!({ "file": file }),
        },
        None => {
            let session = Session::open(&config).await?;
            let before = published(&session, args, new.index.title.as_deref()).await?;
            session.close().await;
            before
        }
    };
    match imported(before.raw).await {
        Ok(old) => tell(format, &compare(&old, &new), &before.named, &before.json),
        Err(findings) => refuse(format, &before.named, &findings),
    }
}

async fn imported(raw: Vec<u8>) -> Result<Imported, Vec<Finding>> {
    let (known, bounds) = (KnownSlugs::new(), Bounds::default());
    gatewright_openapi::import::import(raw, None, &known, &NothingOutside, &bounds).await
}

/// The live description of the API that is named, else of the one that the
/// document would be imported as; of its newest published version unless
/// another one is named.
async fn published(session: &Session, args: &DiffArgs, title: Option<&str>) -> Result<Before, Failure> {
    let slug = match &args.api {
        Some(slug) => slug.clone(),
        None => title.and_then(Slug::from_text).ok_or_else(|| {
            Failure::usage(
                "the title of the document makes no slug of an API; fix: name the API with --api SLUG, or a document with --against FILE",
            )
        })?,
    };
    let caller = session.control.command_line_caller(None).await?;
    let api = match session
        .control
        .apis()
        .get(&caller, &Ref::Slug(slug.clone()))
        .await
    {
        Err(Error::NotFound { .. }) => return Err(unknown(&slug)),
        found => found?,
    };
    let label = match &args.label {
        Some(label) => label.clone(),
        None => {
            let newest = |state: Option<VersionState>| {
                let mut newest_first = api.versions.iter().rev();
                newest_first.find(|version| state.is_none_or(|state| version.state == state))
            };
            let chosen = newest(Some(VersionState::Published)).or_else(|| newest(None));
            chosen.ok_or_else(|| without_document(&slug))?.label.clone()
        }
    };
    let (of, version) = (Ref::Id(api.api.id), VersionRef::Label(label.clone()));
    let versions = session.control.versions();
    let view = match versions.get(&caller, &of, &version).await {
        Err(Error::NotFound { .. }) => return Err(no_version(&slug, &label)),
        found => found?,
    };
    let raw = match versions.document(&caller, &of, &version).await {
        Err(Error::NotFound { .. }) => return Err(without_document(&slug)),
        found => found?.bytes,
    };
    let revision = view.revision.map(|revision| revision.number);
    Ok(Before {
        raw,
        named: format!("{slug} {label} (revision {})", revision.unwrap_or_default()),
        json: json!({ "api": slug, "version": label, "revision": revision }),
    })
}

fn unknown(slug: &Slug) -> Failure {
    Failure::usage(format!(
        "there is no API {slug}; fix: name one with --api SLUG, or a document with --against FILE"
    ))
}

fn no_version(slug: &Slug, label: &VersionLabel) -> Failure {
    Failure::usage(format!(
        "{slug} has no version {label}; fix: name one of its versions with --version LABEL"
    ))
}

fn without_document(slug: &Slug) -> Failure {
    Failure::usage(format!(
        "{slug} has no description yet; fix: import one, or name a document with --against FILE"
    ))
}

fn tell(format: OutputFormat, diff: &Diff, named: &str, json: &Value) -> Result<Exit, Failure> {
    match format {
        OutputFormat::Json => {
            let counts = diff.counts();
            let body = json!({
                "against": json,
                "breaking": counts.breaking,
                "risky": counts.risky,
                "additive": counts.additive,
                "docs": counts.docs,
                "changes": diff.changes,
                "unlisted": diff.unlisted,
            });
            output::line(&body.to_string())?;
        }
        OutputFormat::Text => {
            for change in &diff.changes {
                output::line(&sentence(change))?;
            }
            let counts = Class::ALL.map(|class| format!("{} {}", diff.count(class), class.as_str()));
            output::line(&format!("{}, compared with {named}", counts.join(", ")))?;
            if diff.unlisted > 0 {
                output::line(&format!("{} more are not listed", diff.unlisted))?;
            }
        }
    }
    Ok(if diff.breaks() {
        Exit::Findings
    } else {
        Exit::Success
    })
}

fn sentence(change: &Change) -> String {
    let reached = match (change.operations.first(), change.operations_total) {
        (Some(first), 2..) => format!(" ({first} and {} more)", change.operations_total - 1),
        (Some(first), _) => format!(" ({first})"),
        (None, _) => String::new(),
    };
    format!(
        "{} {} at `{}`: {}{reached}",
        change.class.as_str(),
        change.code.as_str(),
        change.pointer,
        change.message
    )
}

/// Says why a document cannot be read.
fn refuse(format: OutputFormat, named: &str, findings: &[Finding]) -> Result<Exit, Failure> {
    match format {
        OutputFormat::Json => {
            let body = json!({ "valid": false, "document": named, "findings": findings });
            output::line(&body.to_string())?;
        }
        OutputFormat::Text => {
            for finding in findings {
                output::line(&line(finding))?;
            }
            output::line(&format!("{named} cannot be read: nothing was compared"))?;
        }
    }
    Ok(Exit::Findings)
}
