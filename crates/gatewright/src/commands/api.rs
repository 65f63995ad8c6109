//! `api import` and `api lint`: OpenAPI documents from the command line; `api
//! diff` has a file of its own.

use std::io::Read;
use std::path::Path;

use gatewright_config::{Environment, Exit, OutputFormat};
use gatewright_control::Error;
use gatewright_control::import::{ImportRequest, ImportSource};
use gatewright_control::views::Imported;
use gatewright_model::api::Visibility;
use gatewright_model::reference::Ref;
use gatewright_openapi::bounds::Bounds;
use gatewright_openapi::bundle::NothingOutside;
use gatewright_openapi::finding::{Finding, Severity};
use gatewright_openapi::slug::KnownSlugs;
use serde_json::json;

use crate::cli::{ImportArgs, LintArgs};
use crate::commands::session::{Session, configure};
use crate::failure::Failure;
use crate::output;

/// Runs `api lint`.
pub(crate) async fn lint(args: &LintArgs, environment: &Environment) -> Result<Exit, Failure> {
    let config = configure(&args.store, environment)?;
    let bounds = Bounds::default();
    let raw = read(&args.file, bounds.raw_bytes)?;
    let outcome =
        gatewright_openapi::import::import(raw, None, &KnownSlugs::default(), &NothingOutside, &bounds).await;
    let (usable, findings) = match outcome {
        Ok(imported) => (true, imported.findings),
        Err(findings) => (false, findings),
    };
    match config.output {
        OutputFormat::Text => {
            for finding in &findings {
                output::line(&line(finding))?;
            }
            output::line(&summary(&findings))?;
        }
        OutputFormat::Json => output::line(&json!({ "valid": usable, "findings": findings }).to_string())?,
    }
    Ok(if usable { Exit::Success } else { Exit::Findings })
}

/// Runs `api import`.
pub(crate) async fn import(args: ImportArgs, environment: &Environment) -> Result<Exit, Failure> {
    let config = configure(&args.store, environment)?;
    let raw = read(&args.file, Bounds::default().raw_bytes)?;
    let text =
        String::from_utf8(raw).map_err(|_| Failure::finding(format!("{:?} is not UTF-8", args.file)))?;
    let session = Session::open(&config).await?;
    let caller = session.control.command_line_caller(None).await?;
    let request = ImportRequest {
        source: ImportSource::Text(text.into()),
        name: args.name,
        slug: args.slug,
        context_path: args.context_path,
        upstream_url: args.upstream_url,
        team: args.team.map(Ref::Slug),
        visibility: Visibility::Public,
        visible_to: Vec::new(),
        dry_run: args.dry_run,
    };
    let exit = match session.control.import_api(&caller, request).await {
        Ok(imported) => {
            tell(session.output, &imported)?;
            Exit::Success
        }
        Err(Error::Findings(findings)) => {
            refuse(session.output, &findings)?;
            Exit::Findings
        }
        Err(other) => return Err(other.into()),
    };
    session.close().await;
    Ok(exit)
}

fn tell(format: OutputFormat, imported: &Imported) -> Result<(), Failure> {
    let (api, version) = (&imported.api.api, &imported.version.version);
    if format == OutputFormat::Json {
        let json = json!({
            "api": { "id": api.id, "slug": api.slug, "name": api.name, "context_path": api.context_path },
            "version": { "id": version.id, "label": version.label, "state": version.state },
            "findings": imported.findings,
            "written": imported.written,
        });
        return output::line(&json.to_string());
    }
    for finding in &imported.findings {
        output::line(&line(finding))?;
    }
    let verb = if imported.written {
        "imported"
    } else {
        "would import"
    };
    output::line(&format!(
        "{verb} {} as {} ({}), version {} at {}",
        api.name, api.slug, api.id, version.label, api.context_path
    ))
}

fn refuse(format: OutputFormat, findings: &[Finding]) -> Result<(), Failure> {
    if format == OutputFormat::Json {
        return output::line(&json!({ "written": false, "findings": findings }).to_string());
    }
    for finding in findings {
        output::line(&line(finding))?;
    }
    output::line("nothing was imported")
}

/// A finding on one line.
pub(super) fn line(finding: &Finding) -> String {
    let place = finding
        .line
        .map(|line| format!(" (line {line})"))
        .unwrap_or_default();
    format!("{} {finding}{place}", word(finding.severity))
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn summary(findings: &[Finding]) -> String {
    let count = |severity, noun| {
        let found = findings.iter().filter(|finding| finding.severity == severity);
        output::counted(found.count(), noun)
    };
    format!(
        "{}, {}, {}",
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Info, "remark")
    )
}

/// Reads a document, one byte more than the bound at most.
pub(super) fn read(path: &Path, bound: usize) -> Result<Vec<u8>, Failure> {
    let unreadable = |error| {
        Failure::usage(format!(
            "the document {path:?} cannot be read: {error}; fix: name a file that is there, or - for standard input"
        ))
    };
    let mut source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(unreadable)?)
    };
    let mut raw = Vec::new();
    let bound = u64::try_from(bound).unwrap_or(u64::MAX).saturating_add(1);
    source
        .by_ref()
        .take(bound)
        .read_to_end(&mut raw)
        .map_err(unreadable)?;
    Ok(raw)
}
