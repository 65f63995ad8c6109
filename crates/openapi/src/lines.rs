//! Finds the line of a JSON pointer in the raw text. It runs only when there
//! are findings, once for all of them, and builds no values.

mod json;
mod yaml;

use std::collections::HashMap;

use crate::document::Syntax;
use crate::finding::Finding;
use crate::pointer;

/// Fills in the lines that are not known yet. A pointer to something that is
/// not in the raw text gets the line of the innermost part that is.
pub(crate) fn attach(raw: &[u8], syntax: Syntax, findings: &mut [Finding]) {
    let mut wanted = Wanted::default();
    for finding in findings
        .iter()
        .filter(|finding| finding.line.is_none() && !finding.pointer.is_empty())
    {
        wanted.insert(&finding.pointer);
    }
    if wanted.below.is_empty() {
        return;
    }
    match syntax {
        Syntax::Json => json::find(raw, &mut wanted),
        Syntax::Yaml => yaml::find(raw, &mut wanted),
    }
    for finding in findings {
        if finding.line.is_none() {
            finding.line = wanted.line_of(&finding.pointer);
        }
    }
}

/// The pointers that are looked for, as a tree of their tokens, with the lines
/// that were found.
#[derive(Debug, Default)]
struct Wanted {
    line: Option<u32>,
    below: HashMap<String, Wanted>,
}

impl Wanted {
    fn insert(&mut self, pointer: &str) {
        let mut place = self;
        for token in pointer::tokens(pointer) {
            place = place.below.entry(token.into_owned()).or_default();
        }
    }

    fn line_of(&self, pointer: &str) -> Option<u32> {
        let mut place = self;
        let mut line = None;
        for token in pointer::tokens(pointer) {
            let Some(next) = place.below.get(token.as_ref()) else {
                break;
            };
            line = next.line.or(line);
            place = next;
        }
        line
    }

    /// Forgets what was found below: a later member of the same name counts.
    fn found_at(&mut self, line: u32) {
        self.line = Some(line);
        for below in self.below.values_mut() {
            below.forget();
        }
    }

    fn forget(&mut self) {
        self.line = None;
        for below in self.below.values_mut() {
            below.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
    use serde_json::Value;

    use super::{Wanted, attach, json, yaml};
    use crate::document::Syntax;
    use crate::finding::{Code, Finding, Severity};
    use crate::pointer;

    fn line(raw: &str, syntax: Syntax, pointer: &str) -> Option<u32> {
        let mut findings = [Finding {
            severity: Severity::Warning,
            code: Code::RefUnresolved,
            message: String::new(),
            pointer: pointer.to_owned(),
            line: None,
        }];
        attach(raw.as_bytes(), syntax, &mut findings);
        findings[0].line
    }

    #[test]
    fn json_lines_are_those_of_the_member_or_item() {
        let raw = "{\n \"a\": {\"x\\/y\": [1,\n  \"t\\\"{\\\\\",\n  {\"d\": 1}]},\n \"\\u0061b\": 2}";
        for (pointer, expected) in [
            ("/a", Some(2)),
            ("/a/x~1y", Some(2)),
            ("/a/x~1y/1", Some(3)),
            ("/a/x~1y/2/d", Some(4)),
            ("/ab", Some(5)),
            ("/a/x~1y/2/gone/deeper", Some(4)),
            ("/gone", None),
            ("", None),
        ] {
            assert_eq!(line(raw, Syntax::Json, pointer), expected, "{pointer}");
        }
    }

    #[test]
    fn yaml_lines_are_those_of_the_member() {
        let raw =
            "# note\na:\n  text: |\n    b: 1\n  b:\n    - c: 1\n    - d: {e: 1,\n        f: 2}\n200: x\n";
        for (pointer, expected) in [
            ("/a", Some(2)),
            ("/a/b", Some(5)),
            ("/a/b/0/c", Some(6)),
            ("/a/b/1/d/f", Some(8)),
            ("/200", Some(9)),
            ("/gone", None),
        ] {
            assert_eq!(line(raw, Syntax::Yaml, pointer), expected, "{pointer}");
        }
    }

    fn trees() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// What the pretty printer does, by counting: one line for each member, item and closing bracket.
    fn expected(value: &Value, at: &str, line: &mut u32, out: &mut Vec<(String, u32)>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| (name.clone(), member))
                .collect(),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(i, item)| (i.to_string(), item))
                .collect(),
            _ => return,
        };
        if children.is_empty() {
            return;
        }
        for (token, child) in children {
            *line += 1;
            let below = pointer::child(at, &token);
            out.push((below.clone(), *line));
            expected(child, &below, line, out);
        }
        *line += 1;
    }

    proptest! {
        #[test]
        fn every_pointer_finds_its_line(tree in trees()) {
            let raw = serde_json::to_string_pretty(&tree).unwrap();
            let mut lines = Vec::new();
            expected(&tree, "", &mut 1, &mut lines);
            for (pointer, expected) in lines {
                prop_assert_eq!(line(&raw, Syntax::Json, &pointer), Some(expected), "{}", pointer);
            }
        }

        #[test]
        fn broken_text_never_panics(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            for find in [json::find, yaml::find] {
                let mut wanted = Wanted::default();
                wanted.insert("/a/0/b");
                find(&raw, &mut wanted);
            }
        }
    }
}
