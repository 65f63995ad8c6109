//! Which version of the format a document is written in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::finding::{Code, Findings};

/// The versions that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SpecVersion {
    /// Swagger 2.0.
    #[serde(rename = "2.0")]
    Swagger20,
    /// OpenAPI 3.0.x.
    #[serde(rename = "3.0")]
    OpenApi30,
    /// OpenAPI 3.1.x.
    #[serde(rename = "3.1")]
    OpenApi31,
    /// OpenAPI 3.2.x, read as 3.1 with its new methods.
    #[serde(rename = "3.2")]
    OpenApi32,
}

impl SpecVersion {
    /// Major and minor number as the format writes them.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Swagger20 => "2.0",
            Self::OpenApi30 => "3.0",
            Self::OpenApi31 => "3.1",
            Self::OpenApi32 => "3.2",
        }
    }

    /// True when `paths` may be left out (3.1, section 4.8.1).
    pub(crate) fn paths_may_be_missing(self) -> bool {
        matches!(self, Self::OpenApi31 | Self::OpenApi32)
    }
}

/// Other kinds of description that people upload by mistake.
const OTHER_KINDS: &[(&str, &str)] = &[
    ("asyncapi", "an AsyncAPI document"),
    (
        "swaggerVersion",
        "a Swagger 1.x document; convert it to 2.0 or 3.x first",
    ),
    ("arazzo", "an Arazzo workflow"),
    ("overlay", "an OpenAPI overlay, which changes another document"),
    ("openrpc", "an OpenRPC document"),
    ("collection", "a Postman collection; export it as OpenAPI first"),
    (
        "discoveryVersion",
        "a Google discovery document; convert it to OpenAPI first",
    ),
    ("$schema", "a JSON Schema"),
];

/// Reads the version member, or says what the document is instead.
pub(crate) fn detect(root: &Map<String, Value>, findings: &mut Findings) -> Option<SpecVersion> {
    for member in ["openapi", "swagger"] {
        if let Some(value) = root.get(member) {
            return of_member(member, value, findings);
        }
    }
    let found = OTHER_KINDS.iter().find(|(key, _)| root.contains_key(*key));
    match found {
        Some((_, kind)) => findings.add(Code::NotADescription, "", format!("this is {kind}")),
        None => findings.add(
            Code::VersionMissing,
            "",
            "there is neither `openapi: 3.x.y` nor `swagger: \"2.0\"` at the top level",
        ),
    }
    None
}

fn of_member(member: &str, value: &Value, findings: &mut Findings) -> Option<SpecVersion> {
    let pointer = format!("/{member}");
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) if number.is_f64() => {
            let message = format!("`{member}` must be text: put quotes around {number}");
            findings.add(Code::VersionNotText, pointer.as_str(), message);
            number.to_string()
        }
        other => {
            let message = format!("`{member}` must be text such as \"3.1.0\", not {other:.40}");
            findings.add(Code::VersionUnsupported, pointer, message);
            return None;
        }
    };
    let version = of_text(member, &text);
    if version.is_none() {
        let message = format!("`{member}: {text:.40}` is not read; 2.0, 3.0.x, 3.1.x and 3.2.x are");
        findings.add(Code::VersionUnsupported, pointer, message);
    } else if version == Some(SpecVersion::OpenApi32) {
        findings.add(
            Code::VersionNewer,
            pointer,
            format!("OpenAPI {text} is read as 3.1"),
        );
    }
    version
}

fn of_text(member: &str, text: &str) -> Option<SpecVersion> {
    let mut numbers = text.trim_start_matches('v').split(['.', '-']);
    match (member, numbers.next()?, numbers.next().unwrap_or("0")) {
        ("swagger", "2", "0") => Some(SpecVersion::Swagger20),
        (_, "3", "0") => Some(SpecVersion::OpenApi30),
        (_, "3", "1") => Some(SpecVersion::OpenApi31),
        (_, "3", "2") => Some(SpecVersion::OpenApi32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{SpecVersion, detect};
    use crate::finding::{Code, Findings};

    fn detected(root: &Value) -> (Option<SpecVersion>, Vec<Code>) {
        let mut findings = Findings::default();
        let version = detect(root.as_object().unwrap(), &mut findings);
        (
            version,
            findings.listed().iter().map(|finding| finding.code).collect(),
        )
    }

    #[test]
    fn versions_are_read_and_the_rest_is_named() {
        let cases = [
            (json!({"swagger": "2.0"}), Some(SpecVersion::Swagger20), vec![]),
            (
                json!({"swagger": 2.0}),
                Some(SpecVersion::Swagger20),
                vec![Code::VersionNotText],
            ),
            (json!({"openapi": "3.0.3"}), Some(SpecVersion::OpenApi30), vec![]),
            (
                json!({"openapi": 3.1}),
                Some(SpecVersion::OpenApi31),
                vec![Code::VersionNotText],
            ),
            (
                json!({"openapi": "3.1.0-rc1"}),
                Some(SpecVersion::OpenApi31),
                vec![],
            ),
            (
                json!({"openapi": "3.2.0"}),
                Some(SpecVersion::OpenApi32),
                vec![Code::VersionNewer],
            ),
            (json!({"openapi": 3}), None, vec![Code::VersionUnsupported]),
            (json!({"openapi": "4.0.0"}), None, vec![Code::VersionUnsupported]),
            (json!({"swagger": "1.2"}), None, vec![Code::VersionUnsupported]),
            (json!({"asyncapi": "2.0.0"}), None, vec![Code::NotADescription]),
            (json!({"paths": {}}), None, vec![Code::VersionMissing]),
        ];
        for (root, version, codes) in cases {
            assert_eq!(detected(&root), (version, codes), "{root}");
        }
    }
}
