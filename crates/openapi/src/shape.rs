//! Whether a document has what an import needs, before anything is derived
//! from it. Only what leaves nothing to route or to show is an error.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::bounds::Bounds;
use crate::finding::{Code, Findings};
use crate::method::Method;
use crate::pointer;
use crate::references::{self, Step, Unresolved};
use crate::version::SpecVersion;

/// Checks the outline: title, paths, path items and operations.
pub(crate) fn check(root: &Value, version: SpecVersion, bounds: &Bounds, findings: &mut Findings) {
    check_title(root, findings);
    check_paths(root, version, bounds, findings);
}

fn check_title(root: &Value, findings: &mut Findings) {
    match root.pointer("/info/title") {
        Some(Value::String(title)) if !title.trim().is_empty() => {}
        Some(Value::Number(_)) => {}
        _ => {
            let pointer = if root.get("info").is_some() { "/info" } else { "" };
            findings.add(
                Code::TitleMissing,
                pointer,
                "`info.title` is missing; the API has no name of its own",
            );
        }
    }
}

fn check_paths(root: &Value, version: SpecVersion, bounds: &Bounds, findings: &mut Findings) {
    let stand_in = ["webhooks", "components"]
        .iter()
        .any(|member| root.get(member).is_some_and(Value::is_object));
    match root.get("paths") {
        Some(Value::Object(paths)) => check_items("/paths", paths, bounds, findings),
        None | Some(Value::Null) if version.paths_may_be_missing() && stand_in => {}
        None => findings.add(
            Code::PathsMissing,
            "",
            "`paths` is missing: there is nothing to route",
        ),
        Some(other) => wrong_type("/paths", "an object", other, findings),
    }
    match root.get("webhooks") {
        Some(Value::Object(hooks)) => check_items("/webhooks", hooks, bounds, findings),
        None | Some(Value::Null) => {}
        Some(other) => wrong_type("/webhooks", "an object", other, findings),
    }
}

fn check_items(parent: &str, items: &Map<String, Value>, bounds: &Bounds, findings: &mut Findings) {
    if items.len() > bounds.paths {
        let message = format!("{} entries; at most {} are indexed", items.len(), bounds.paths);
        findings.add(Code::TooManyPaths, parent, message);
        return;
    }
    for (name, item) in items
        .iter()
        .filter(|(name, _)| !name.starts_with("x-") && *name != "$ref")
    {
        let at = pointer::child(parent, name);
        match item {
            Value::Object(members) => check_item(&at, members, findings),
            Value::Null => {
                findings.add(
                    Code::WrongTypeIgnored,
                    at,
                    "an entry without content has no operations",
                );
            }
            other => wrong_type(&at, "an object", other, findings),
        }
    }
}

fn check_item(at: &str, members: &Map<String, Value>, findings: &mut Findings) {
    for (name, member) in members {
        if Method::of_member(name).is_none() {
            continue;
        }
        let at = pointer::child(at, name);
        match member {
            Value::Object(operation) => check_operation(&at, operation, findings),
            Value::Null => findings.add(
                Code::WrongTypeIgnored,
                at,
                "an operation without content is left out",
            ),
            other => wrong_type(&at, "an object", other, findings),
        }
    }
    expect_list(at, members, "parameters", findings);
}

fn check_operation(at: &str, operation: &Map<String, Value>, findings: &mut Findings) {
    expect_list(at, operation, "parameters", findings);
    expect_list(at, operation, "tags", findings);
    expect_list(at, operation, "security", findings);
    if let Some(responses) = operation
        .get("responses")
        .filter(|responses| !responses.is_object())
    {
        let message = format!(
            "`responses` must be an object, not {}; it is left out",
            kind_of(responses)
        );
        findings.add(Code::WrongTypeIgnored, pointer::child(at, "responses"), message);
    }
}

fn expect_list(at: &str, members: &Map<String, Value>, name: &str, findings: &mut Findings) {
    if let Some(value) = members.get(name).filter(|value| !value.is_array()) {
        let message = format!("`{name}` must be a list, not {}; it is left out", kind_of(value));
        findings.add(Code::WrongTypeIgnored, pointer::child(at, name), message);
    }
}

fn wrong_type(at: &str, expected: &str, found: &Value, findings: &mut Findings) {
    findings.add(
        Code::WrongType,
        at,
        format!("this must be {expected}, not {}", kind_of(found)),
    );
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Checks that every reference leads somewhere. The document is bundled by now,
/// so what still points outside could not be had and is reported already.
pub(crate) fn check_references(root: &Value, bounds: &Bounds, findings: &mut Findings) {
    let mut results: HashMap<&str, Option<Unresolved>> = HashMap::new();
    let mut count = 0_usize;
    references::walk(root, &mut |steps, reference| {
        count += 1;
        if count > bounds.references {
            return;
        }
        let known = results.get(reference).copied();
        let result = known.unwrap_or_else(|| {
            let result = references::resolve(root, reference).err();
            results.insert(reference, result);
            result
        });
        if let Some(reason) = result {
            report(steps, reference, reason, findings);
        }
    });
    if count > bounds.references {
        let message = format!("{count} references; at most {} are followed", bounds.references);
        findings.add(Code::TooManyReferences, "", message);
    }
}

fn report(steps: &[Step<'_>], reference: &str, reason: Unresolved, findings: &mut Findings) {
    let code = match (steps, reason) {
        (_, Unresolved::External) => return,
        ([Step::Member("paths")] | [Step::Member("paths"), _], _) => Code::PathUnresolved,
        (_, Unresolved::Loop) => Code::RefLoop,
        (_, Unresolved::Nowhere) => Code::RefUnresolved,
    };
    findings.add_lazily(code, || {
        let message = format!("`$ref: {reference:.200}`: {reason}");
        (references::pointer_of(steps), message)
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{check, check_references};
    use crate::bounds::Bounds;
    use crate::finding::{Code, Findings};
    use crate::version::SpecVersion;

    fn found(root: &Value, version: SpecVersion) -> Vec<(Code, String)> {
        let mut findings = Findings::default();
        check(root, version, &Bounds::default(), &mut findings);
        check_references(root, &Bounds::default(), &mut findings);
        findings
            .listed()
            .iter()
            .map(|finding| (finding.code, finding.pointer.clone()))
            .collect()
    }

    #[test]
    fn a_sound_outline_has_no_findings() {
        let root =
            json!({"info": {"title": "A"}, "paths": {"/a": {"get": {"responses": {}}, "x-a": 1}, "x-b": 2}});
        assert_eq!(found(&root, SpecVersion::OpenApi30), []);
    }

    #[test]
    fn wrong_types_are_named_with_their_place() {
        let root = json!({"info": 1, "paths": []});
        assert_eq!(
            found(&root, SpecVersion::OpenApi30),
            [
                (Code::TitleMissing, "/info".to_owned()),
                (Code::WrongType, "/paths".to_owned())
            ]
        );
        let root = json!({"info": {"title": "A"}, "webhooks": 4, "paths": {
            "/a": [], "/b": null,
            "/c": {"get": "x", "put": null, "parameters": {}, "post": {"responses": 1, "tags": "x", "security": {}}},
        }});
        assert_eq!(
            found(&root, SpecVersion::OpenApi31),
            [
                (Code::WrongType, "/paths/~1a".to_owned()),
                (Code::WrongTypeIgnored, "/paths/~1b".to_owned()),
                (Code::WrongType, "/paths/~1c/get".to_owned()),
                (Code::WrongTypeIgnored, "/paths/~1c/put".to_owned()),
                (Code::WrongTypeIgnored, "/paths/~1c/post/tags".to_owned()),
                (Code::WrongTypeIgnored, "/paths/~1c/post/security".to_owned()),
                (Code::WrongTypeIgnored, "/paths/~1c/post/responses".to_owned()),
                (Code::WrongTypeIgnored, "/paths/~1c/parameters".to_owned()),
                (Code::WrongType, "/webhooks".to_owned()),
            ]
        );
    }

    #[test]
    fn paths_may_be_missing_only_where_something_stands_for_them() {
        let bare = json!({"info": {"title": "A"}});
        let hooks = json!({"info": {"title": "A"}, "webhooks": {}});
        let missing = vec![(Code::PathsMissing, String::new())];
        assert_eq!(found(&bare, SpecVersion::OpenApi31), missing);
        assert_eq!(found(&hooks, SpecVersion::OpenApi30), missing);
        assert_eq!(found(&hooks, SpecVersion::OpenApi31), []);
    }

    #[test]
    fn too_many_paths_and_references_are_refused() {
        let bounds = Bounds {
            paths: 1,
            references: 1,
            ..Bounds::default()
        };
        let root = json!({"info": {"title": "A"}, "paths": {"/a": {}, "/b": {}}, "z": [{"$ref": "#"}, {"$ref": "#"}]});
        let mut findings = Findings::default();
        check(&root, SpecVersion::OpenApi30, &bounds, &mut findings);
        check_references(&root, &bounds, &mut findings);
        let codes: Vec<Code> = findings.listed().iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::TooManyPaths, Code::TooManyReferences]);
    }

    #[test]
    fn references_that_lead_nowhere_are_told_by_what_they_cost() {
        let root = json!({"info": {"title": "A"}, "paths": {
            "/a": {"$ref": "#/nowhere"},
            "/b": {"get": {"parameters": [{"$ref": "#/gone"}, {"$ref": "#/components/x"}, {"$ref": "other.json"}]}},
        }, "components": {"x": {"$ref": "#/components/x"}}});
        assert_eq!(
            found(&root, SpecVersion::OpenApi30),
            [
                (Code::PathUnresolved, "/paths/~1a".to_owned()),
                (Code::RefUnresolved, "/paths/~1b/get/parameters/0".to_owned()),
                (Code::RefLoop, "/paths/~1b/get/parameters/1".to_owned()),
                (Code::RefLoop, "/components/x".to_owned()),
            ]
        );
    }
}
