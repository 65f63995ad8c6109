//! The whole way from bytes to an index.

use url::Url;

use crate::bounds::Bounds;
use crate::bundle::{self, Fetch};
use crate::document::{Document, Draft};
use crate::finding::{Finding, Findings};
use crate::index::{self, Index};
use crate::lines;
use crate::normalise;
use crate::slug::KnownSlugs;

/// A document that may be published.
#[derive(Debug)]
pub struct Imported {
    /// The document in its final shape.
    pub document: Document,
    /// What it offers.
    pub index: Index,
    /// Warnings and remarks; no errors.
    pub findings: Vec<Finding>,
}

/// Reads, bundles, normalises and indexes a document. `base` is the address it
/// came from, `known` the slugs of earlier revisions.
///
/// Everything but the fetching is computation, up to seconds for the largest
/// documents: callers on a shared runtime run [`Draft::read`] and [`finish`]
/// on a blocking pool and await only [`bundle::bundle`] between them.
///
/// # Errors
/// The findings, at least one of them an error; nothing is imported then.
pub async fn import(
    raw: Vec<u8>,
    base: Option<Url>,
    known: &KnownSlugs,
    fetch: &dyn Fetch,
    bounds: &Bounds,
) -> Result<Imported, Vec<Finding>> {
    let draft = Draft::read(raw, base, bounds).map_err(Findings::into_list)?;
    let draft = bundle::bundle(draft, fetch, bounds)
        .await
        .map_err(Findings::into_list)?;
    finish(draft, known, bounds)
}

/// Normalises and indexes a bundled draft.
///
/// # Errors
/// The findings, at least one of them an error.
pub fn finish(draft: Draft, known: &KnownSlugs, bounds: &Bounds) -> Result<Imported, Vec<Finding>> {
    let (document, mut findings) = normalise::normalise(draft, bounds).map_err(Findings::into_list)?;
    let index = index::build(&document, known, bounds, &mut findings);
    lines::attach(document.raw(), document.syntax(), findings.listed_mut());
    if findings.has_errors() {
        return Err(findings.into_list());
    }
    Ok(Imported {
        document,
        index,
        findings: findings.into_list(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use serde_json::Value;

    use super::{Imported, import};
    use crate::block_on::block_on;
    use crate::bounds::Bounds;
    use crate::bundle::NothingOutside;
    use crate::finding::{Code, Finding, Severity};
    use crate::slug::KnownSlugs;
    use crate::version::SpecVersion;

    fn run(raw: &[u8]) -> Result<Imported, Vec<Finding>> {
        block_on(import(
            raw.to_vec(),
            None,
            &KnownSlugs::new(),
            &NothingOutside,
            &Bounds::default(),
        ))
    }

    fn told(findings: &[Finding]) -> Vec<(Code, &str, Option<u32>)> {
        findings
            .iter()
            .map(|finding| (finding.code, finding.pointer.as_str(), finding.line))
            .collect()
    }

    #[test]
    fn one_shop_in_three_notations_is_one_index() {
        let old = run(include_bytes!("../testdata/petstore-2.0.json")).unwrap();
        let yaml = run(include_bytes!("../testdata/petstore-3.0.yaml")).unwrap();
        let json = run(include_bytes!("../testdata/petstore-3.0.json")).unwrap();
        assert_eq!(yaml.index, json.index);
        assert_eq!(old.document.version(), SpecVersion::Swagger20);
        for imported in [&old, &yaml] {
            assert_eq!(imported.findings, []);
            let keys: Vec<&str> = imported
                .index
                .operations
                .iter()
                .map(|operation| operation.key.as_str())
                .collect();
            assert_eq!(keys, ["listPets", "addPet", "getPet"]);
        }
        assert_eq!(old.index.servers, yaml.index.servers);
        assert_eq!(old.index.security_schemes, yaml.index.security_schemes);
        assert_eq!(old.index.tags, yaml.index.tags);
        for (old, new) in old.index.operations.iter().zip(&yaml.index.operations) {
            let (mut from_old, from_new): (Value, Value) = (
                serde_json::from_str(&old.slice).unwrap(),
                serde_json::from_str(&new.slice).unwrap(),
            );
            if let Some(body) = from_old.get_mut("requestBody").and_then(Value::as_object_mut) {
                body.remove("x-body-name");
            }
            assert_eq!(from_old, from_new, "{}", old.key);
            assert_eq!((&old.route, &old.security), (&new.route, &new.security));
        }
    }

    #[test]
    fn the_raw_document_stays_as_it_was() {
        let raw = include_bytes!("../testdata/petstore-2.0.json");
        assert_eq!(run(raw).unwrap().document.into_raw(), raw);
    }

    #[test]
    fn a_document_of_webhooks_alone_is_one() {
        let imported = run(include_bytes!("../testdata/webhooks-3.1.json")).unwrap();
        assert_eq!(told(&imported.findings), [(Code::ServerMissing, "", None)]);
        assert_eq!(imported.index.webhooks.len(), 1);
        let sale = "/components/schemas/Sale";
        let (place, _) = imported
            .document
            .resolve("#/components/schemas/Sale/properties/refund_of")
            .unwrap();
        assert_eq!(place, sale);
        let (place, _) = imported
            .document
            .resolve("#/components/schemas/Sale/properties/buyer")
            .unwrap();
        assert_eq!(place, format!("{sale}/$defs/Buyer"));
    }

    #[test]
    fn circles_are_kept() {
        let imported = run(include_bytes!("../testdata/cycles-3.0.json")).unwrap();
        assert_eq!(
            told(&imported.findings),
            [
                (Code::RefLoop, "/components/schemas/Hen", Some(12)),
                (Code::RefLoop, "/components/schemas/Egg", Some(13)),
            ]
        );
        assert_eq!(imported.index.operations.len(), 1);
    }

    #[test]
    fn a_refusal_names_the_place_and_the_line() {
        let raw = b"openapi: 3.0.0\ninfo: {title: T}\npaths:\n  /a:\n    get: nonsense\n";
        assert_eq!(
            told(&run(raw).unwrap_err()),
            [(Code::WrongType, "/paths/~1a/get", Some(5))]
        );
        let raw = b"{\"openapi\": \"3.0.0\",\n \"info\": {\"title\": \"T\"},\n \"paths\": []}";
        assert_eq!(
            told(&run(raw).unwrap_err()),
            [(Code::WrongType, "/paths", Some(3))]
        );
        assert_eq!(told(&run(b"[1]").unwrap_err())[0].0, Code::NotAnObject);
        assert_eq!(told(&run(b"just words").unwrap_err())[0].0, Code::NotAnObject);
        let raw = b"{\"openapi\": \"3.0.0\", \"paths\": {}, \"paths\": {\"/a\": {\"$ref\": \"#/no\"}}}";
        let findings = run(raw).unwrap_err();
        assert_eq!(findings[0].code, Code::PathUnresolved);
        assert!(
            findings
                .iter()
                .any(|finding| finding.code == Code::DuplicateKey && finding.pointer == "/paths")
        );
    }

    const WORDS: &[&str] = &[
        "openapi",
        "swagger",
        "info",
        "title",
        "paths",
        "/a",
        "/a/{b}",
        "/{x}{y}?q",
        "get",
        "post",
        "GET",
        "parameters",
        "name",
        "in",
        "schema",
        "$ref",
        "components",
        "schemas",
        "definitions",
        "responses",
        "200",
        "default",
        "security",
        "securitySchemes",
        "securityDefinitions",
        "tags",
        "servers",
        "url",
        "variables",
        "webhooks",
        "additionalOperations",
        "consumes",
        "produces",
        "type",
        "items",
        "flows",
        "operationId",
        "content",
        "examples",
        "requestBody",
        "discriminator",
        "mapping",
        "$anchor",
        "$id",
        "host",
    ];

    const TEXTS: &[&str] = &[
        "2.0",
        "3.0.0",
        "3.1.0",
        "3.2.0",
        "body",
        "formData",
        "query",
        "#/paths/~1a/get",
        "#/components/schemas/get",
        "#/definitions/get",
        "#",
        "#name",
        "other.json",
        "get",
        "{",
        "https://{a}.test",
        "array",
        "file",
        "",
    ];

    /// Words of the format in any order and at any depth, so that every branch sees wrong types.
    fn shaped() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::{Just, Strategy, prop_oneof};
        let word = proptest::sample::select(WORDS);
        let text = proptest::sample::select(TEXTS);
        let leaf = prop_oneof![
            text.prop_map(Value::from),
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i8>().prop_map(Value::from),
        ];
        let tree = leaf.prop_recursive(6, 80, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((word.clone(), inner), 0..6).prop_map(|members| {
                    Value::Object(
                        members
                            .into_iter()
                            .map(|(name, value)| (name.to_owned(), value))
                            .collect(),
                    )
                }),
            ]
        });
        (tree, proptest::sample::select(vec!["swagger", "openapi"])).prop_map(|(mut tree, member)| {
            if let Value::Object(members) = &mut tree {
                let version = if member == "swagger" { "2.0" } else { "3.1.0" };
                members.insert(member.to_owned(), Value::from(version));
                members
                    .entry("paths")
                    .or_insert_with(|| serde_json::json!({"/a": {"get": {}}}));
            }
            tree
        })
    }

    proptest! {
        #[test]
        fn no_document_makes_it_panic_and_a_refusal_has_a_reason(tree in shaped()) {
            match run(&serde_json::to_vec(&tree).unwrap()) {
                Ok(imported) => {
                    prop_assert!(imported.findings.iter().all(|finding| finding.severity != Severity::Error));
                    for operation in &imported.index.operations {
                        prop_assert!(imported.document.get(&operation.pointer).is_some(), "{}", operation.pointer);
                        prop_assert!(serde_json::from_str::<Value>(&operation.slice).is_ok());
                    }
                }
                Err(findings) => prop_assert_eq!(findings[0].severity, Severity::Error),
            }
        }
    }
}
