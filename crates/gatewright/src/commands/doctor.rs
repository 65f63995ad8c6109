//! `doctor`: looks at what a server needs, and says how to mend what is wrong.

mod checks;

use gatewright_config::{Config, Exit, OutputFormat};
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::output;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// Works, but not as well as it could.
    Warning,
    /// A server would not start, or not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    /// What: `store`, `redis`.
    pub(crate) subject: &'static str,
    /// How it went.
    pub(crate) verdict: Verdict,
    /// What was seen.
    pub(crate) detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

impl Check {
    /// All is well.
    pub(crate) fn ok(subject: &'static str, detail: impl Into<String>) -> Self {
        Self {
            subject,
            verdict: Verdict::Ok,
            detail: detail.into(),
            fix: None,
        }
    }

    /// It could be better.
    pub(crate) fn warning(subject: &'static str, detail: impl Into<String>, fix: &str) -> Self {
        Self {
            subject,
            verdict: Verdict::Warning,
            detail: detail.into(),
            fix: Some(fix.to_owned()),
        }
    }

    /// It does not work.
    pub(crate) fn problem(subject: &'static str, detail: impl Into<String>, fix: &str) -> Self {
        Self {
            subject,
            verdict: Verdict::Problem,
            detail: detail.into(),
            fix: Some(fix.to_owned()),
        }
    }

    /// A failure that names its own fix.
    pub(crate) fn failed(subject: &'static str, failure: &Failure) -> Self {
        Self {
            subject,
            verdict: Verdict::Problem,
            detail: failure.to_string(),
            fix: None,
        }
    }

    fn line(&self) -> String {
        let word = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Problem => "PROBLEM",
        };
        let fix = self
            .fix
            .as_ref()
            .map(|fix| format!("; fix: {fix}"))
            .unwrap_or_default();
        format!("{word:8} {:10} {}{fix}", self.subject, self.detail)
    }
}

/// Runs the command: 0 when nothing is wrong, 1 when something is.
pub(crate) async fn run(config: &Config) -> Result<Exit, Failure> {
    let found = checks::all(config).await;
    let problems = found
        .iter()
        .filter(|check| check.verdict == Verdict::Problem)
        .count();
    match config.store.output {
        OutputFormat::Text => {
            for check in &found {
                output::line(&check.line())?;
            }
            output::line(&output::counted(problems, "problem"))?;
        }
        OutputFormat::Json => output::line(&json!({ "problems": problems, "checks": found }).to_string())?,
    }
    Ok(if problems == 0 {
        Exit::Success
    } else {
        Exit::Findings
    })
}
