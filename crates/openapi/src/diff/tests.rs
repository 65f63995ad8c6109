use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{Change, Class, Code, Diff, Side, compare};
use crate::block_on::block_on;
use crate::bounds::Bounds;
use crate::bundle::NothingOutside;
use crate::import::{Imported, import};
use crate::slug::KnownSlugs;

fn imported(document: &Value) -> Imported {
    let raw = serde_json::to_vec(document).unwrap();
    let known = KnownSlugs::new();
    block_on(import(raw, None, &known, &NothingOutside, &Bounds::default())).unwrap()
}

fn diff(old: &Value, new: &Value) -> Diff {
    compare(&imported(old), &imported(new))
}

/// A description with one operation that takes and gives a `Pet`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "literals read better without a mark"
)]
fn pets(pet: Value, operation: Value) -> Value {
    let mut post = json!({
        "operationId": "addPet",
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
        "responses": {"200": {"description": "ok", "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}},
    });
    for (name, value) in operation.as_object().unwrap() {
        post[name] = value.clone();
    }
    json!({
        "openapi": "3.1.0", "info": {"title": "Pets", "version": "1"},
        "paths": {"/pets/{id}": {"post": post}},
        "components": {"schemas": {"Pet": pet}},
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "literals read better without a mark"
)]
fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

/// What differs, as class and code, the worst first and sorted within a class.
fn told(diff: &Diff) -> Vec<(Class, Code)> {
    let mut told: Vec<_> = diff
        .changes
        .iter()
        .map(|change| (change.class, change.code))
        .collect();
    told.sort_unstable();
    told.dedup();
    told
}

use Class::{Additive, Breaking, Docs, Risky};

type Case = (&'static str, Value, Value, Vec<(Class, Code)>);

/// Whether a field is there, and of which type.
fn of_fields() -> Vec<Case> {
    let text = || json!({"type": "string"});
    vec![
        (
            "a new optional field",
            object(json!({}), &[]),
            object(json!({"a": text()}), &[]),
            vec![(Additive, Code::PropertyAdded)],
        ),
        (
            "a new required field",
            object(json!({}), &[]),
            object(json!({"a": text()}), &["a"]),
            vec![(Breaking, Code::PropertyAdded), (Additive, Code::PropertyAdded)],
        ),
        (
            "a field that was always there is gone",
            object(json!({"a": text()}), &["a"]),
            object(json!({}), &[]),
            vec![(Breaking, Code::PropertyRemoved), (Risky, Code::PropertyRemoved)],
        ),
        (
            "a field becomes required",
            object(json!({"a": text()}), &[]),
            object(json!({"a": text()}), &["a"]),
            vec![
                (Breaking, Code::PropertyRequired),
                (Additive, Code::PropertyRequired),
            ],
        ),
        (
            "a type is narrowed",
            object(json!({"a": {"type": ["string", "null"]}}), &[]),
            object(json!({"a": text()}), &[]),
            vec![(Breaking, Code::TypeNarrowed), (Additive, Code::TypeNarrowed)],
        ),
        (
            "a number becomes an integer",
            object(json!({"a": {"type": "number"}}), &[]),
            object(json!({"a": {"type": "integer"}}), &[]),
            vec![(Breaking, Code::TypeNarrowed), (Additive, Code::TypeNarrowed)],
        ),
        (
            "a type is another one",
            object(json!({"a": text()}), &[]),
            object(json!({"a": {"type": "integer"}}), &[]),
            vec![(Breaking, Code::TypeChanged)],
        ),
    ]
}

/// Which values and which shapes there are.
fn of_values() -> Vec<Case> {
    let text = || json!({"type": "string"});
    vec![
        (
            "a value of a list is gone and one is new",
            object(json!({"a": {"enum": ["x", "y"]}}), &[]),
            object(json!({"a": {"enum": ["x", "z"]}}), &[]),
            vec![
                (Breaking, Code::EnumValueRemoved),
                (Risky, Code::EnumValueAdded),
                (Additive, Code::EnumValueAdded),
                (Additive, Code::EnumValueRemoved),
            ],
        ),
        (
            "a length is cut",
            object(json!({"a": {"type": "string", "maxLength": 10}}), &[]),
            object(json!({"a": {"type": "string", "maxLength": 5}}), &[]),
            vec![(Breaking, Code::BoundNarrowed), (Additive, Code::BoundNarrowed)],
        ),
        (
            "other fields are refused",
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": false}),
            vec![
                (Breaking, Code::OtherFieldsRefused),
                (Additive, Code::OtherFieldsRefused),
            ],
        ),
        (
            "a shape more",
            json!({"oneOf": [{"title": "A", "type": "object"}, {"title": "B", "type": "object"}]}),
            json!({"oneOf": [{"title": "A", "type": "object"}, {"title": "B", "type": "object"},
                {"title": "C", "type": "object"}, {"title": "D", "type": "object"}]}),
            vec![(Risky, Code::VariantAdded), (Additive, Code::VariantAdded)],
        ),
        (
            "other words",
            object(json!({"a": text()}), &[]),
            object(json!({"a": {"type": "string", "description": "A"}}), &[]),
            vec![(Docs, Code::TextChanged)],
        ),
        (
            "what only answers hold",
            object(json!({"a": text()}), &[]),
            object(
                json!({"a": text(), "id": {"type": "string", "readOnly": true}}),
                &["id"],
            ),
            vec![(Additive, Code::PropertyAdded)],
        ),
    ]
}

#[test]
fn fields_mean_another_thing_to_those_who_send_them_than_to_those_who_get_them() {
    for (what, old, new, expected) in of_fields().into_iter().chain(of_values()) {
        let found = diff(&pets(old, json!({})), &pets(new, json!({})));
        assert_eq!(told(&found), expected, "{what}");
    }
}

#[test]
fn what_3_0_and_3_1_say_differently_is_no_change() {
    let pet = json!({"type": "object", "allOf": [{"properties": {"a": {"type": "string", "nullable": true},
        "n": {"type": "number", "minimum": 1, "exclusiveMinimum": true}}}]});
    let same = object(
        json!({"a": {"type": ["null", "string"]}, "n": {"type": "number", "exclusiveMinimum": 1}}),
        &[],
    );
    let mut old = pets(pet, json!({}));
    old["openapi"] = json!("3.0.3");
    let found = diff(&old, &pets(same, json!({})));
    assert_eq!(found, Diff::default());
}

#[test]
fn operations_are_found_by_what_callers_use() {
    let old = pets(json!({}), json!({}));
    let renamed = |path: &str, operation: Value| {
        let mut new = pets(json!({}), operation);
        let item = new["paths"]["/pets/{id}"].take();
        new["paths"] = json!({path: item});
        told(&diff(&old, &new))
    };
    assert_eq!(
        renamed("/pets/{id}", json!({"operationId": "createPet"})),
        [(Risky, Code::OperationIdChanged)]
    );
    assert_eq!(
        renamed("/animals/{id}", json!({})),
        [(Breaking, Code::OperationMoved)]
    );
    assert_eq!(
        renamed("/animals", json!({"operationId": "other"})),
        [
            (Breaking, Code::OperationRemoved),
            (Additive, Code::OperationAdded)
        ]
    );
    let named = |name: &str| json!({"parameters": [{"name": name, "in": "path", "required": true, "schema": {"type": "string"}}]});
    let mut old = pets(json!({}), named("id"));
    let mut new = pets(json!({}), named("petId"));
    let item = new["paths"]["/pets/{id}"].take();
    new["paths"] = json!({"/pets/{petId}": item});
    assert_eq!(told(&diff(&old, &new)), [(Risky, Code::PathParameterRenamed)]);
    old["paths"]["/pets/{id}"]["post"]["deprecated"] = json!(true);
    assert_eq!(
        told(&diff(&new, &old)),
        [(Risky, Code::PathParameterRenamed), (Docs, Code::Deprecated)]
    );
}

#[test]
fn parameters() {
    let query = |required: bool, style: &str| {
        json!({"parameters": [
        {"name": "tag", "in": "query", "required": required, "style": style, "schema": {"type": "array", "items": {"type": "string"}}}]})
    };
    let one = |old: Value, new: Value| told(&diff(&pets(json!({}), old), &pets(json!({}), new)));
    assert_eq!(
        one(json!({}), query(false, "form")),
        [(Additive, Code::ParameterAdded)]
    );
    assert_eq!(
        one(json!({}), query(true, "form")),
        [(Breaking, Code::ParameterAdded)]
    );
    assert_eq!(
        one(query(false, "form"), json!({})),
        [(Breaking, Code::ParameterRemoved)]
    );
    assert_eq!(
        one(query(false, "form"), query(true, "form")),
        [(Breaking, Code::ParameterRequired)]
    );
    assert_eq!(
        one(query(false, "form"), query(false, "pipeDelimited")),
        [(Breaking, Code::ParameterStyleChanged)]
    );
}

#[test]
fn bodies_answers_and_proofs() {
    let one = |old: Value, new: Value| told(&diff(&pets(json!({}), old), &pets(json!({}), new)));
    let answers = |statuses: &[&str]| {
        let described: serde_json::Map<_, _> = statuses
            .iter()
            .map(|status| ((*status).to_owned(), json!({"description": "ok"})))
            .collect();
        json!({"responses": described})
    };
    assert_eq!(
        one(answers(&["200", "404"]), answers(&["201"])),
        [
            (Breaking, Code::ResponseRemoved),
            (Risky, Code::ResponseAdded),
            (Risky, Code::ResponseRemoved)
        ]
    );
    assert_eq!(
        one(answers(&["200"]), answers(&["2XX"])),
        [(Risky, Code::ResponseAdded)]
    );
    let xml = json!({"requestBody": {"required": true, "content": {"application/xml": {}}}});
    assert_eq!(
        one(
            json!({"requestBody": {"content": {"application/json; charset=utf-8": {}}}}),
            xml
        ),
        [
            (Breaking, Code::BodyRequired),
            (Breaking, Code::MediaTypeRemoved),
            (Additive, Code::MediaTypeAdded)
        ]
    );
    assert_eq!(
        one(json!({}), json!({"security": [{"key": []}]})),
        [(Breaking, Code::SecurityAdded)]
    );
    assert_eq!(
        one(
            json!({"security": [{"key": []}]}),
            json!({"security": [{"key": ["write"]}, {"sso": []}]})
        ),
        [(Breaking, Code::SecurityAdded), (Additive, Code::SecurityRemoved)]
    );
}

#[test]
fn what_is_shared_is_told_once_with_whom_it_reaches() {
    let mut old = pets(object(json!({"a": {"type": "string"}}), &["a"]), json!({}));
    old["paths"]["/more"] = json!({"get": {"operationId": "more", "responses": {"200": {"description": "ok",
        "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}}}}}}});
    let mut new = old.clone();
    new["components"]["schemas"]["Pet"]["required"] = json!([]);
    let found = diff(&old, &new).changes;
    let expected = Change {
        class: Breaking,
        code: Code::PropertyOptional,
        message: "`a` in the answer 200 may be missing now".to_owned(),
        pointer: "/components/schemas/Pet/properties/a".to_owned(),
        side: Side::After,
        operations: vec!["addPet".to_owned(), "more".to_owned()],
        operations_total: 2,
    };
    assert_eq!(found[0], expected);
    assert_eq!(
        (found.len(), found[1].class, found[1].message.as_str()),
        (2, Additive, "`a` in the body may be missing now")
    );
    // Cycles end.
    new["components"]["schemas"]["Pet"]["properties"]["mother"] = json!({"$ref": "#/components/schemas/Pet"});
    assert!(diff(&new, &new).changes.is_empty());
}

#[test]
fn webhooks_are_answers_of_the_other_side() {
    let hook = |pet: Value| {
        json!({
            "openapi": "3.1.0", "info": {"title": "Hooks", "version": "1"}, "paths": {},
            "webhooks": {"born": {"post": {"requestBody": {"content": {"application/json": {"schema": pet}}},
                "responses": {"200": {"description": "ok"}}}}},
        })
    };
    let (small, large) = (
        object(json!({}), &[]),
        object(json!({"a": {"type": "string"}}), &["a"]),
    );
    assert_eq!(
        told(&diff(&hook(small.clone()), &hook(large.clone()))),
        [(Additive, Code::PropertyAdded)]
    );
    assert_eq!(
        told(&diff(&hook(large), &hook(small))),
        [(Breaking, Code::PropertyRemoved)]
    );
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({})),
        Just(json!({"type": "string"})),
        Just(json!({"type": ["string", "null"], "format": "date"})),
        Just(json!({"$ref": "#/components/schemas/Pet"})),
        Just(json!({"$ref": "#/components/schemas/Other"})),
        (0_u8..9, any::<bool>()).prop_map(|(bound, open)| {
            let name = if open { "exclusiveMinimum" } else { "minimum" };
            json!({"type": "integer", name: bound})
        }),
        proptest::collection::vec("[a-c]", 1..3).prop_map(|values| json!({"enum": values})),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            (
                proptest::collection::btree_map("[a-d]", inner.clone(), 0..4),
                proptest::collection::btree_set("[a-d]", 0..3),
                any::<bool>()
            )
                .prop_map(|(properties, required, open)| {
                    json!({"type": "object", "properties": properties, "required": required,
                        "additionalProperties": open})
                }),
            inner
                .clone()
                .prop_map(|items| json!({"type": "array", "items": items})),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"allOf": all})),
            proptest::collection::vec(inner, 1..3).prop_map(|any| json!({"oneOf": any})),
        ]
    })
}

fn description() -> impl Strategy<Value = Value> {
    (schema(), schema(), any::<bool>(), any::<bool>()).prop_map(|(pet, other, required, more)| {
        let mut document = pets(
            pet,
            json!({"parameters": [{"name": "q", "in": "query", "required": required, "schema": other.clone()}]}),
        );
        document["components"]["schemas"]["Other"] = other;
        if more {
            document["paths"]["/more"] = json!({"get": {"responses": {"default": {"description": "ok"}}}});
        }
        document
    })
}

proptest! {
    #[test]
    fn a_description_changes_nothing_against_itself(document in description()) {
        prop_assert_eq!(diff(&document, &document), Diff::default());
    }

    #[test]
    fn taking_a_change_back_is_the_reverse_of_it(old in description(), new in description()) {
        let there: Vec<Code> = {
            let mut codes: Vec<Code> = diff(&old, &new).changes.iter().map(|change| change.code.reversed()).collect();
            codes.sort_unstable();
            codes.dedup();
            codes
        };
        let back: Vec<Code> = {
            let mut codes: Vec<Code> = diff(&new, &old).changes.iter().map(|change| change.code).collect();
            codes.sort_unstable();
            codes.dedup();
            codes
        };
        prop_assert_eq!(there, back);
    }

    #[test]
    fn no_two_descriptions_take_it_long(old in description(), new in description()) {
        prop_assert!(diff(&old, &new).changes.len() <= super::change::LISTED);
    }
}

#[test]
fn codes_are_unique_snake_case_survive_json_and_turn_back() {
    let mut seen = std::collections::HashSet::new();
    for code in Code::ALL {
        assert!(seen.insert(code.as_str()), "{code:?} is used twice");
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert_eq!(code.reversed().reversed(), *code);
    }
    for class in Class::ALL {
        assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
    }
}
