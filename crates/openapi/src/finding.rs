//! What the importer has to say about a document.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing is lost.
    Info,
    /// Something is left out or was guessed; the rest is imported.
    Warning,
    /// The import is refused.
    Error,
}

/// Declares the codes once: the variant, its text on the wire, its severity.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $text:literal $severity:ident,)+) => {
        /// What kind of finding it is. The text is part of the public contract
        /// and never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)+
        }

        impl Code {
            /// Every code there is, for generated references.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code as it stands on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// How much a finding of this kind matters.
            #[must_use]
            pub fn severity(self) -> Severity {
                const SEVERITIES: &[(Code, Severity)] = &[$((Code::$variant, Severity::$severity),)+];
                SEVERITIES.iter().find(|(code, _)| *code == self).map_or(Severity::Error, |(_, severity)| *severity)
            }
        }
    };
}

codes! {
    /// The document is larger than the importer reads.
    InputTooLarge "input_too_large" Error,
    /// There is nothing in it.
    Empty "empty" Error,
    /// The bytes are not UTF-8 text.
    NotUtf8 "not_utf8" Error,
    /// A web page or another kind of description.
    NotADescription "not_a_description" Error,
    /// Neither JSON nor YAML, or broken.
    Syntax "syntax" Error,
    /// Nested deeper than the importer follows.
    TooDeep "too_deep" Error,
    /// More values than the importer keeps.
    TooManyValues "too_many_values" Error,
    /// YAML aliases blow the document up.
    AliasExpansion "alias_expansion" Error,
    /// Several YAML documents in one file.
    SeveralDocuments "several_documents" Error,
    /// The outermost value is not an object.
    NotAnObject "not_an_object" Error,
    /// An object names one member twice; the last one counts.
    DuplicateKey "duplicate_key" Warning,
    /// No `openapi` and no `swagger` member.
    VersionMissing "version_missing" Error,
    /// A version of the format that the importer does not read.
    VersionUnsupported "version_unsupported" Error,
    /// A newer version, read as the newest one that is known.
    VersionNewer "version_newer" Warning,
    /// The version is a number where text is asked for.
    VersionNotText "version_not_text" Warning,
    /// `info` or its title is missing.
    TitleMissing "title_missing" Warning,
    /// There is no `paths`, and nothing that could stand for it.
    PathsMissing "paths_missing" Error,
    /// A value whose type leaves nothing to import.
    WrongType "wrong_type" Error,
    /// A value of the wrong type that is left out.
    WrongTypeIgnored "wrong_type_ignored" Warning,
    /// Nothing to call.
    NoOperations "no_operations" Warning,
    /// More paths than the importer indexes.
    TooManyPaths "too_many_paths" Error,
    /// More operations than the importer indexes.
    TooManyOperations "too_many_operations" Error,
    /// More `$ref`s than the importer follows.
    TooManyReferences "too_many_references" Error,
    /// Copies of shared parts would outgrow the bound.
    TooManyCopies "too_many_copies" Error,
    /// A `$ref` into the document that leads nowhere.
    RefUnresolved "ref_unresolved" Warning,
    /// A path that is nothing but a `$ref` that leads nowhere.
    PathUnresolved "path_unresolved" Error,
    /// `$ref`s that only lead to each other.
    RefLoop "ref_loop" Warning,
    /// A `$ref` by a bare name, read as the schema of that name.
    RefBareName "ref_bare_name" Warning,
    /// A `$ref` to another document that cannot be had.
    RefUnreachable "ref_unreachable" Error,
    /// Too many or too large other documents.
    BundleTooLarge "bundle_too_large" Error,
    /// A path that does not begin with a slash; one is put before it.
    PathWithoutSlash "path_without_slash" Warning,
    /// A path with a query or fragment, which no router sees.
    PathWithQuery "path_with_query" Warning,
    /// A template parameter named twice.
    TemplateRepeatedParameter "template_repeated_parameter" Warning,
    /// Two template parameters with nothing between them; they match as one.
    TemplateAdjacentParameters "template_adjacent_parameters" Info,
    /// The template cannot be routed; the operation is documented only.
    OperationUnroutable "operation_unroutable" Warning,
    /// Other operations answer the same requests; this one is documented only.
    OperationAmbiguous "operation_ambiguous" Warning,
    /// Two operations share an operationId; neither is known by it.
    OperationIdDuplicate "operation_id_duplicate" Warning,
    /// A method name in capitals.
    MethodNotLowerCase "method_not_lower_case" Warning,
    /// An operation asks for a security scheme that is not described.
    SecuritySchemeUnknown "security_scheme_unknown" Warning,
    /// No server with a full address.
    ServerMissing "server_missing" Info,
    /// There are more findings than are listed.
    MoreFindings "more_findings" Warning,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is worth telling the publisher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// An error refuses the import.
    pub severity: Severity,
    /// Stable name of the kind.
    pub code: Code,
    /// What is wrong and what to do about it.
    pub message: String,
    /// JSON pointer (RFC 6901) into the raw document; empty means the whole.
    pub pointer: String,
    /// Line in the raw document, from 1, where it could be told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            return write!(f, "{}: {}", self.code, self.message);
        }
        write!(f, "{} at `{}`: {}", self.code, self.pointer, self.message)
    }
}

/// How many findings are listed one by one.
pub const LISTED: usize = 200;

/// The findings of one document, in the order in which they were made.
///
/// Errors are always counted, so that a flood of warnings cannot hide one.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("the document has {errors} error(s){}", self.first_error())]
pub struct Findings {
    listed: Vec<Finding>,
    errors: usize,
    unlisted: usize,
}

impl Findings {
    /// Adds a finding at `pointer`.
    pub fn add(&mut self, code: Code, pointer: impl Into<String>, message: impl Into<String>) {
        self.add_at(code, pointer, message, None);
    }

    /// Adds a finding whose line is known already.
    pub fn add_at(
        &mut self,
        code: Code,
        pointer: impl Into<String>,
        message: impl Into<String>,
        line: Option<u32>,
    ) {
        let severity = code.severity();
        let first_error = severity == Severity::Error && self.errors == 0;
        self.errors += usize::from(severity == Severity::Error);
        // The first error is worth a place beyond the bound: it is the reason of the refusal.
        if self.listed.len() >= LISTED && !first_error {
            self.unlisted += 1;
            return;
        }
        self.listed.push(Finding {
            severity,
            code,
            message: message.into(),
            pointer: pointer.into(),
            line,
        });
    }

    /// Adds a finding whose texts are made only when it is listed: a document may
    /// have hundreds of thousands of the same kind.
    pub(crate) fn add_lazily(&mut self, code: Code, make: impl FnOnce() -> (String, String)) {
        if self.listed.len() < LISTED || code.severity() == Severity::Error {
            let (pointer, message) = make();
            self.add(code, pointer, message);
        } else {
            self.unlisted += 1;
        }
    }

    /// One finding, ready to be returned as a refusal.
    #[must_use]
    pub fn one(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let mut findings = Self::default();
        findings.add(code, pointer, message);
        findings
    }

    /// True when the import has to be refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The findings that are listed.
    #[must_use]
    pub fn listed(&self) -> &[Finding] {
        &self.listed
    }

    pub(crate) fn listed_mut(&mut self) -> &mut [Finding] {
        &mut self.listed
    }

    /// The list to show: errors first, else in the order of discovery, and a
    /// last line that says how many are not listed.
    #[must_use]
    pub fn into_list(mut self) -> Vec<Finding> {
        self.listed
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        if self.unlisted > 0 {
            self.listed.push(Finding {
                severity: Severity::Warning,
                code: Code::MoreFindings,
                message: format!("{} more findings are not listed; fix these first", self.unlisted),
                pointer: String::new(),
                line: None,
            });
        }
        self.listed
    }

    fn first_error(&self) -> String {
        self.listed
            .iter()
            .find(|finding| finding.severity == Severity::Error)
            .map_or_else(String::new, |finding| format!("; the first: {finding}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Findings, LISTED, Severity};

    #[test]
    fn codes_are_unique_snake_case_and_survive_json() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            let text = code.as_str();
            assert!(seen.insert(text), "{text} is used twice");
            assert!(
                text.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            );
            assert_eq!(serde_json::to_value(code).unwrap(), text);
        }
        assert_eq!(Code::RefUnresolved.severity(), Severity::Warning);
        assert_eq!(Code::WrongType.severity(), Severity::Error);
    }

    #[test]
    fn a_flood_of_warnings_does_not_hide_the_error() {
        let mut findings = Findings::default();
        for _ in 0..LISTED + 50 {
            findings.add(Code::RefUnresolved, "/a", "gone");
        }
        assert!(!findings.has_errors());
        findings.add(Code::PathsMissing, "", "no paths");
        assert!(findings.has_errors());
        assert!(findings.to_string().contains("paths_missing"), "{findings}");
        let list = findings.into_list();
        assert_eq!(list.len(), LISTED + 2);
        assert_eq!(list[0].code, Code::PathsMissing);
        assert_eq!(list.last().unwrap().code, Code::MoreFindings);
        assert!(list.last().unwrap().message.starts_with("50 more"));
    }
}
