//! What the importer has to say, as rows of a table.

use gatewright_openapi::finding::{Finding, Severity};

/// One finding.
#[derive(Debug, Clone)]
pub(super) struct FindingRow {
    /// `error`, `warning` or `info`.
    pub(super) severity: &'static str,
    /// Its stable code.
    pub(super) code: &'static str,
    /// What is wrong and what to do.
    pub(super) message: String,
    /// Where, as a JSON pointer; empty for the whole document.
    pub(super) pointer: String,
    /// The line in the document.
    pub(super) line: Option<u32>,
}

/// The findings, the gravest first.
pub(super) fn rows(findings: Vec<Finding>) -> Vec<FindingRow> {
    let mut findings = findings;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
        .into_iter()
        .map(|finding| FindingRow {
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Info => "info",
            },
            code: finding.code.as_str(),
            message: finding.message,
            pointer: finding.pointer,
            line: finding.line,
        })
        .collect()
}
