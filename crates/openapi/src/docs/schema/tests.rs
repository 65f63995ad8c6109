use serde_json::{Value, json};

use super::{Access, Builder, Combined, Direction, Form, RowKind, SchemaView};
use crate::docs::split::Part;
use crate::docs::testing::built;

const ROOT: &str = "/components/schemas/Root";

/// The view of a schema among others, all of which can be loaded.
fn view(schema: &Value, others: &Value, direction: Direction) -> SchemaView {
    shown(schema, others, direction, Form::Merged)
}

fn shown(schema: &Value, others: &Value, direction: Direction, form: Form) -> SchemaView {
    let mut parts = vec![Part {
        pointer: ROOT.to_owned(),
        body: serde_json::to_vec(schema).unwrap(),
    }];
    for (name, schema) in others.as_object().unwrap() {
        parts.push(Part {
            pointer: format!("/components/schemas/{name}"),
            body: serde_json::to_vec(schema).unwrap(),
        });
    }
    let (view, _) = built(&parts, |source| {
        let rows = super::rows_of_a_page();
        Builder::new(source, direction, &rows).at(ROOT, &[], form)
    });
    view.unwrap()
}

fn alone(schema: &Value) -> SchemaView {
    view(schema, &json!({}), Direction::Both)
}

fn rule<'v>(view: &'v SchemaView, label: &str) -> Vec<&'v str> {
    let found = view.rules.iter().filter(|rule| rule.label == label);
    found.flat_map(|rule| &rule.values).map(String::as_str).collect()
}

fn names(view: &SchemaView) -> Vec<&str> {
    view.rows.iter().map(|row| row.name.as_str()).collect()
}

#[test]
fn types_are_said_in_words() {
    for (schema, words) in [
        (json!({"type": "string"}), "string"),
        (json!({"type": ["string", "null"]}), "string or null"),
        (json!({"type": "string", "nullable": true}), "string or null"),
        (
            json!({"type": ["null", "integer", "string"]}),
            "integer or string or null",
        ),
        (
            json!({"type": "array", "items": {"type": ["string", "null"]}}),
            "array of string or null",
        ),
        (
            json!({"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
            "array of array of number",
        ),
        (json!({"items": {"type": "boolean"}}), "array of boolean"),
        (json!({"type": "array"}), "array"),
        (
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            "map of integer",
        ),
        (json!({"properties": {"a": {}}}), "object"),
        (json!({"const": 5}), "integer"),
        (json!({"enum": ["a", null]}), "string or null"),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            "string or null",
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
            "string or integer",
        ),
        (json!({}), "any value"),
        (json!(true), "any value"),
        (json!(false), "nothing"),
    ] {
        assert_eq!(alone(&schema).types, words, "{schema}");
    }
}

#[test]
fn rules_are_said_in_words() {
    let schema = json!({
        "type": "integer", "minimum": 1, "maximum": 100, "multipleOf": 5, "default": 10, "examples": [5, 10],
    });
    let view = alone(&schema);
    assert_eq!(rule(&view, "range"), ["1 to 100"]);
    assert_eq!(rule(&view, "multiple of"), ["5"]);
    assert_eq!(rule(&view, "default"), ["10"]);
    assert_eq!(rule(&view, "examples"), ["5", "10"]);
    for (schema, label, words) in [
        (json!({"exclusiveMinimum": 0}), "range", "more than 0"),
        (
            json!({"minimum": 0, "exclusiveMinimum": true}),
            "range",
            "more than 0",
        ),
        (
            json!({"exclusiveMinimum": 0, "maximum": 1.5}),
            "range",
            "more than 0 and at most 1.5",
        ),
        (
            json!({"minLength": 1, "maxLength": 40}),
            "length",
            "1 to 40 characters",
        ),
        (
            json!({"minLength": 2, "maxLength": 2}),
            "length",
            "exactly 2 characters",
        ),
        (json!({"maxItems": 1}), "items", "at most 1 item"),
        (json!({"minProperties": 2}), "properties", "at least 2 properties"),
        (json!({"pattern": "^a$"}), "pattern", "^a$"),
        (json!({"const": ""}), "always", "\"\""),
    ] {
        assert_eq!(rule(&alone(&schema), label), [words], "{schema}");
    }
    let many: Vec<u32> = (0..20).collect();
    let choice = alone(&json!({ "enum": many }));
    let rule = choice.rules.iter().find(|rule| rule.label == "one of").unwrap();
    assert_eq!((rule.values.len(), rule.more.len()), (12, 8));
}

#[test]
fn what_needs_a_sentence_gets_one() {
    let view = alone(&json!({
        "if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": false,
        "not": {"type": "null"}, "dependentRequired": {"card": ["name", "zip"]},
        "additionalProperties": false, "propertyNames": {"pattern": "^x"},
        "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false,
        "contains": {"const": 1}, "minContains": 2, "unheard": {"of": 1}, "x-internal": 2,
    }));
    let text: Vec<String> = view
        .notes
        .iter()
        .map(|note| format!("{} {}", note.text, note.code.as_deref().unwrap_or_default()))
        .collect();
    let text = text.join("\n");
    for words in [
        "If it matches {\"required\":[\"a\"]}",
        "then this holds {\"required\":[\"b\"]}",
        "otherwise this holds false",
        "It must not match {\"type\":\"null\"}",
        "With card these are required too: name, zip.",
        "No other properties.",
        "Names of properties match {\"pattern\":\"^x\"}",
        "No further items.",
        "At least 2 of its items match {\"const\":1}",
        "The description also says {\"unheard\":{\"of\":1}}",
    ] {
        assert!(text.contains(words), "{words:?} is missing in\n{text}");
    }
    assert!(!text.contains("x-internal"));
    assert_eq!(names(&view), ["item 1", "item 2"]);
}

#[test]
fn a_reference_below_the_first_level_is_only_named() {
    let schema = json!({"type": "object", "required": ["owner"], "properties": {
        "owner": {"$ref": "#/components/schemas/Person"},
        "friends": {"type": "array", "items": {"$ref": "#/components/schemas/Person"}},
        "maybe": {"oneOf": [{"$ref": "#/components/schemas/Person"}, {"type": "null"}]},
        "wrapped": {"allOf": [{"$ref": "#/components/schemas/Person"}], "description": "Who"},
        "self": {"$ref": "#/components/schemas/Root"},
        "inline": {"type": "object", "properties": {"deep": {"type": "string"}}},
    }});
    let view = alone(&schema);
    let types: Vec<&str> = view.rows.iter().map(|row| row.view.types.as_str()).collect();
    assert_eq!(
        types,
        [
            "Person",
            "array of Person",
            "Person or null",
            "Person",
            "Root",
            "object"
        ]
    );
    assert!(view.rows[0].required && !view.rows[1].required);
    for row in &view.rows[..4] {
        assert_eq!(row.view.links.len(), 1, "{}", row.name);
        assert_eq!(row.view.links[0].pointer, "/components/schemas/Person");
        assert!(row.view.rows.is_empty() && !row.view.links[0].recursive);
    }
    assert_eq!(view.rows[3].view.description.as_deref(), Some("Who"));
    assert!(view.rows[4].view.links[0].recursive);
    assert_eq!(names(&view.rows[5].view), ["deep"]);
}

#[test]
fn siblings_are_never_called_recursive() {
    let pair = json!({"properties": {
        "a": {"$ref": "#/components/schemas/X"}, "b": {"$ref": "#/components/schemas/X"},
    }});
    let view = alone(&pair);
    assert!(view.rows.iter().all(|row| !row.view.links[0].recursive));
}

#[test]
fn parts_are_merged_and_say_where_they_come_from() {
    let schema = json!({
        "allOf": [
            {"$ref": "#/components/schemas/Base"},
            {"required": ["name"], "properties": {"name": {"type": "string"}, "id": {"type": "integer", "minimum": 9}}},
        ],
        "description": "Own words",
    });
    let others = json!({"Base": {
        "type": "object", "description": "Base words", "required": ["id"],
        "properties": {"id": {"type": "integer"}, "made": {"type": "string", "readOnly": true}},
    }});
    let merged = view(&schema, &others, Direction::Both);
    assert_eq!(names(&merged), ["id", "made", "name"]);
    assert_eq!(merged.description.as_deref(), Some("Own words"));
    assert_eq!(merged.composed_of[0].name, "Base");
    assert_eq!(merged.rows[1].origin.as_deref(), Some("Base"));
    assert!(merged.rows[0].required && merged.rows[2].required);
    assert_eq!(merged.rows[1].view.access, Access::ReadOnly);
    assert_eq!(names(&view(&schema, &others, Direction::Request)), ["id", "name"]);
}

#[test]
fn parts_stand_apart_when_asked_for() {
    let schema = json!({
        "allOf": [
            {"$ref": "#/components/schemas/Base"},
            {"title": "Names", "required": ["name"], "properties": {"name": {"type": "string"}, "id": {"minimum": 9}}},
        ],
        "description": "Own words", "properties": {"own": {"type": "boolean"}},
    });
    let others = json!({
        "Base": {"allOf": [{"$ref": "#/components/schemas/Old"}, {"properties": {"id": {"type": "integer"}}}]},
        "Old": {"properties": {"age": {"type": "integer"}, "again": {"$ref": "#/components/schemas/Root"}}},
    });
    let merged = view(&schema, &others, Direction::Both);
    assert_eq!(names(&merged), ["age", "again", "id", "name", "own"]);
    assert_eq!(merged.composition.as_deref(), Some(ROOT));
    assert!(!merged.is_apart());

    let apart = shown(&schema, &others, Direction::Both, Form::Apart);
    assert!(apart.is_apart());
    assert_eq!(apart.composition.as_deref(), Some(ROOT));
    assert_eq!(
        (names(&apart), apart.description.as_deref()),
        (vec!["own"], Some("Own words"))
    );
    let parts = &apart.choices[0];
    assert_eq!(parts.how, Combined::All);
    let titles: Vec<&str> = parts.choices.iter().map(|part| part.title.as_str()).collect();
    assert_eq!(titles, ["Base", "Names"]);
    // A part is itself merged, and can be taken apart in its turn.
    let base = &parts.choices[0].view;
    assert_eq!(names(base), ["age", "again", "id"]);
    assert_eq!(base.composition.as_deref(), Some("/components/schemas/Base"));
    assert!(
        base.rows[1].view.links[0].recursive,
        "it leads back to what is taken apart"
    );
    assert_eq!(names(&parts.choices[1].view), ["name", "id"]);
}

#[test]
fn what_has_no_parts_cannot_be_taken_apart() {
    for schema in [
        json!({"properties": {"a": {}}}),
        json!({"allOf": [{"$ref": "#/components/schemas/Base"}], "description": "Only words of its own"}),
        json!({"$ref": "#/components/schemas/Base"}),
    ] {
        let others = json!({"Base": {"properties": {"id": {}}}});
        let merged = view(&schema, &others, Direction::Both);
        assert_eq!(merged.composition, None, "{schema}");
        assert_eq!(
            shown(&schema, &others, Direction::Both, Form::Apart),
            merged,
            "{schema}"
        );
    }
    // A list shows what its items are put together from.
    let list = json!({"type": "array", "items": {"$ref": "#/components/schemas/Pair"}});
    let others = json!({"Pair": {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}});
    let merged = view(&list, &others, Direction::Both);
    assert_eq!(merged.composition.as_deref(), Some("/components/schemas/Pair"));
}

#[test]
fn circles_of_parts_end() {
    let schema = json!({"allOf": [{"$ref": "#/components/schemas/B"}], "properties": {"a": {}}});
    let others = json!({"B": {"allOf": [{"$ref": "#/components/schemas/Root"}], "properties": {"b": {}}}});
    assert_eq!(names(&view(&schema, &others, Direction::Both)), ["b", "a"]);
}

#[test]
fn one_of_several_shapes_is_opened_with_its_title() {
    let schema = json!({
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"},
                  {"title": "Other", "type": "object", "properties": {"name": {}}}],
        "discriminator": {"propertyName": "kind", "mapping": {"meow": "#/components/schemas/Cat"}},
    });
    let others = json!({
        "Cat": {"type": "object", "properties": {"claws": {"type": "integer"}}},
        "Dog": {"type": "object", "properties": {"owner": {"$ref": "#/components/schemas/Root"}}},
    });
    let view = view(&schema, &others, Direction::Both);
    let group = &view.choices[0];
    assert_eq!(
        (group.how, group.decided_by.as_deref()),
        (Combined::One, Some("kind"))
    );
    let titles: Vec<(&str, Option<&str>)> = group
        .choices
        .iter()
        .map(|choice| (choice.title.as_str(), choice.value.as_deref()))
        .collect();
    assert_eq!(
        titles,
        [("Cat", Some("meow")), ("Dog", Some("Dog")), ("Other", None)]
    );
    assert_eq!(names(&group.choices[0].view), ["claws"]);
    assert!(group.choices[1].view.rows[0].view.links[0].recursive);
}

#[test]
fn maps_have_rows_for_their_names() {
    let view = alone(&json!({
        "type": "object",
        "patternProperties": {"^x-": {"type": "string"}},
        "additionalProperties": {"type": "object", "properties": {"n": {"type": "integer"}}},
    }));
    let kinds: Vec<RowKind> = view.rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [RowKind::Pattern, RowKind::Others]);
    assert_eq!(names(&view.rows[1].view), ["n"]);
}

#[test]
fn a_list_shows_what_its_items_are() {
    let schema = json!({"type": "array", "items": {"$ref": "#/components/schemas/Pet"}, "maxItems": 3});
    let view = view(
        &schema,
        &json!({"Pet": {"type": "object", "properties": {"name": {}}}}),
        Direction::Both,
    );
    assert_eq!(
        (view.types.as_str(), names(&view)),
        ("array of Pet", vec!["name"])
    );
    assert_eq!(rule(&view, "items"), ["at most 3 items"]);
}

#[test]
fn rows_are_bounded_and_the_rest_is_counted() {
    let properties: serde_json::Map<String, Value> = (0..400).map(|n| (format!("p{n}"), json!({}))).collect();
    let view = alone(&json!({ "properties": properties }));
    assert_eq!((view.rows.len(), view.left_out), (250, 150));
}

#[test]
fn what_is_not_there_is_said() {
    let view = alone(&json!({"$ref": "#/components/schemas/Gone"}));
    assert!(
        view.notes[0].text.contains("not in the document"),
        "{:?}",
        view.notes
    );
}
