//! Brings every version into the shape of OpenAPI 3.x, which the index and the
//! pages work on. 3.x documents stay as they are; differences between 3.0 and
//! 3.1 inside of schemas are left to those who read schemas.

mod hoist;
mod message;
mod parameters;
mod security;
mod servers;
mod swagger;

use crate::bounds::Bounds;
use crate::clone_budget::CloneBudget;
use crate::document::{Document, Draft};
use crate::finding::{Code, Findings};
use crate::shape;
use crate::version::SpecVersion;

/// Checks the references of a bundled draft and gives it its final shape,
/// together with the findings so far.
///
/// # Errors
/// All findings, when one of them is an error.
pub fn normalise(mut draft: Draft, bounds: &Bounds) -> Result<(Document, Findings), Findings> {
    shape::check_references(&draft.root, bounds, &mut draft.findings);
    if draft.refers_outside() {
        draft.findings.add(
            Code::RefUnreachable,
            "",
            "the document refers to others and was not bundled",
        );
    }
    if draft.findings.has_errors() {
        return Err(draft.refused());
    }
    if draft.version == SpecVersion::Swagger20 {
        let mut budget = CloneBudget::new(bounds.nodes);
        if swagger::convert(&mut draft.root, draft.base.as_ref(), &mut budget).is_err() {
            let message = "shared bodies and responses would multiply beyond what is kept";
            draft.findings.add(Code::TooManyCopies, "", message);
            return Err(draft.refused());
        }
    }
    let Draft {
        raw,
        syntax,
        version,
        root,
        base,
        findings,
        ..
    } = draft;
    Ok((
        Document {
            raw,
            syntax,
            version,
            root,
            base,
        },
        findings,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::normalise;
    use crate::bounds::Bounds;
    use crate::document::{Document, Draft};
    use crate::finding::Code;

    fn converted(mut root: Value) -> Document {
        root["swagger"] = json!("2.0");
        root["info"] = json!({"title": "T", "version": "1"});
        let draft = Draft::read(serde_json::to_vec(&root).unwrap(), None, &Bounds::default()).unwrap();
        normalise(draft, &Bounds::default()).unwrap().0
    }

    #[test]
    fn a_swagger_body_becomes_a_request_body() {
        let document = converted(json!({
            "consumes": ["application/json", "application/xml"],
            "paths": {"/pets": {
                "parameters": [{"$ref": "#/parameters/Trace"}, {"$ref": "#/parameters/Pet"}],
                "post": {"parameters": [{"name": "dry", "in": "query", "type": "boolean", "default": false}]},
                "put": {"consumes": ["text/plain"], "parameters": [
                    {"name": "b", "in": "body", "description": "raw", "schema": {"type": "string"}},
                ]},
            }},
            "parameters": {
                "Trace": {"name": "X-Trace", "in": "header", "type": "string"},
                "Pet": {"name": "pet", "in": "body", "required": true, "schema": {"$ref": "#/definitions/Pet"}},
            },
            "definitions": {"Pet": {"type": "object", "discriminator": "kind", "x-nullable": true}},
        }));
        let item = document.get("/paths/~1pets").unwrap();
        assert_eq!(
            item["parameters"],
            json!([{"$ref": "#/components/parameters/Trace"}])
        );
        let pet = json!({"schema": {"$ref": "#/components/schemas/Pet"}});
        assert_eq!(
            item["post"]["requestBody"],
            json!({"required": true, "content": {"application/json": pet, "application/xml": pet}, "x-body-name": "pet"})
        );
        assert_eq!(
            item["post"]["parameters"],
            json!([{"name": "dry", "in": "query", "schema": {"type": "boolean", "default": false}}])
        );
        assert_eq!(
            item["put"]["requestBody"],
            json!({"description": "raw", "content": {"text/plain": {"schema": {"type": "string"}}}, "x-body-name": "b"})
        );
        let components = document.get("/components").unwrap();
        assert_eq!(
            components["parameters"],
            json!({"Trace": {"name": "X-Trace", "in": "header", "schema": {"type": "string"}}})
        );
        assert_eq!(
            components["schemas"]["Pet"],
            json!({"type": "object", "discriminator": {"propertyName": "kind"}, "nullable": true})
        );
    }

    #[test]
    fn form_fields_become_one_schema() {
        let document = converted(json!({"paths": {"/f": {"post": {"parameters": [
            {"name": "name", "in": "formData", "type": "string", "required": true, "description": "who"},
            {"name": "photo", "in": "formData", "type": "file"},
        ]}, "put": {"parameters": [{"name": "tags", "in": "formData", "type": "array", "items": {"type": "string"}}]}}}}));
        assert_eq!(
            document.get("/paths/~1f/post/requestBody").unwrap(),
            &json!({"required": true, "content": {"multipart/form-data": {"schema": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "who"},
                    "photo": {"type": "string", "format": "binary"},
                },
                "required": ["name"],
            }}}})
        );
        assert!(
            document
                .get("/paths/~1f/put/requestBody/content/application~1x-www-form-urlencoded/schema")
                .is_some()
        );
    }

    #[test]
    fn collection_formats_become_styles() {
        let list = |place: &str, format: &str| json!({"name": format, "in": place, "type": "array", "items": {"type": "string"}, "collectionFormat": format});
        let document = converted(json!({"paths": {"/c/{csv}": {"get": {"parameters": [
            list("query", "csv"), list("query", "multi"), list("query", "pipes"), list("path", "csv"),
        ]}}}}));
        let parameters = document
            .get("/paths/~1c~1{csv}/get/parameters")
            .unwrap()
            .as_array()
            .unwrap()
            .clone();
        let styles: Vec<(&Value, &Value)> = parameters
            .iter()
            .map(|parameter| (&parameter["style"], &parameter["explode"]))
            .collect();
        assert_eq!(
            styles,
            [
                (&json!("form"), &json!(false)),
                (&json!("form"), &json!(true)),
                (&json!("pipeDelimited"), &json!(false)),
                (&json!("simple"), &json!(false)),
            ]
        );
        assert_eq!(
            parameters[0]["schema"],
            json!({"type": "array", "items": {"type": "string"}})
        );
    }

    #[test]
    fn responses_get_their_content() {
        let document = converted(json!({
            "produces": ["application/json"],
            "paths": {"/r": {"get": {"responses": {
                "200": {"description": "ok", "schema": {"type": "object"}, "examples": {"application/json": {"a": 1}},
                    "headers": {"X-Left": {"type": "integer", "description": "left"}}},
                "204": {"description": "none"},
                "404": {"$ref": "#/responses/Gone"},
            }}}},
            "responses": {"Gone": {"description": "gone", "schema": {"type": "string"}}},
        }));
        let responses = document.get("/paths/~1r/get/responses").unwrap();
        assert_eq!(
            responses["200"],
            json!({
                "description": "ok",
                "headers": {"X-Left": {"description": "left", "schema": {"type": "integer"}}},
                "content": {"application/json": {"schema": {"type": "object"}, "example": {"a": 1}}},
            })
        );
        assert_eq!(responses["204"], json!({"description": "none"}));
        assert_eq!(responses["404"], json!({"$ref": "#/components/responses/Gone"}));
        assert_eq!(
            document.get("/components/responses/Gone/content/application~1json/schema"),
            Some(&json!({"type": "string"}))
        );
    }

    #[test]
    fn references_into_paths_survive_the_move() {
        let document = converted(json!({"paths": {
            "/a": {"post": {"parameters": [
                {"name": "b", "in": "body", "schema": {"type": "object", "title": "Shared"}},
                {"name": "q", "in": "query", "type": "integer"},
            ], "responses": {"400": {"description": "bad", "schema": {"type": "string"}}}}},
            "/b": {"post": {
                "parameters": [{"$ref": "#/paths/~1a/post/parameters/1"}, {"$ref": "#/paths/~1a/post/parameters/0"}],
                "responses": {
                    "200": {"description": "", "schema": {"$ref": "#/paths/~1a/post/parameters/0/schema"}},
                    "400": {"$ref": "#/paths/~1a/post/responses/400"},
                },
            }},
        }}));
        let post = document.get("/paths/~1b/post").unwrap();
        assert_eq!(
            post["parameters"],
            json!([{"name": "q", "in": "query", "schema": {"type": "integer"}}])
        );
        assert_eq!(
            post["requestBody"]["content"]["application/json"]["schema"]["title"],
            "Shared"
        );
        let shared = post["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
            .as_str()
            .unwrap();
        assert_eq!(document.resolve(shared).unwrap().1["title"], "Shared");
        assert!(post["responses"]["400"]["content"]["application/json"].is_object());
    }

    #[test]
    fn security_and_servers_take_the_new_form() {
        let document = converted(json!({
            "host": "api.test", "basePath": "/v1", "schemes": ["https", "http", "wss"], "paths": {},
            "securityDefinitions": {
                "b": {"type": "basic"},
                "k": {"type": "apiKey", "in": "header", "name": "X"},
                "o": {"type": "oauth2", "flow": "accessCode", "authorizationUrl": "https://a", "tokenUrl": "https://t",
                    "scopes": {"read": "Read"}},
            },
        }));
        assert_eq!(
            document.get("/servers").unwrap(),
            &json!([{"url": "https://api.test/v1"}, {"url": "http://api.test/v1"}])
        );
        let schemes = document.get("/components/securitySchemes").unwrap();
        assert_eq!(schemes["b"], json!({"type": "http", "scheme": "basic"}));
        assert_eq!(
            schemes["k"],
            json!({"type": "apiKey", "in": "header", "name": "X"})
        );
        assert_eq!(
            schemes["o"],
            json!({"type": "oauth2", "flows": {"authorizationCode": {
                "authorizationUrl": "https://a", "tokenUrl": "https://t", "scopes": {"read": "Read"}}}})
        );
        for gone in [
            "/swagger",
            "/host",
            "/basePath",
            "/schemes",
            "/securityDefinitions",
            "/definitions",
            "/produces",
        ] {
            assert_eq!(document.get(gone), None, "{gone}");
        }
        assert_eq!(document.get("/openapi"), Some(&json!("3.0.3")));
    }

    #[test]
    fn copies_are_bounded() {
        let types: Vec<String> = (0..500).map(|n| format!("application/t{n}")).collect();
        let properties: Value = (0..500)
            .map(|n| (format!("p{n}"), json!({"type": "string"})))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let root = json!({"swagger": "2.0", "info": {"title": "T"}, "consumes": types, "paths": {"/a": {"post": {
            "parameters": [{"name": "b", "in": "body", "schema": {"properties": properties}}]}}}});
        let bounds = Bounds {
            nodes: 20_000,
            ..Bounds::default()
        };
        let draft = Draft::read(serde_json::to_vec(&root).unwrap(), None, &bounds).unwrap();
        let refusal = normalise(draft, &bounds).unwrap_err();
        assert_eq!(refusal.listed()[0].code, Code::TooManyCopies);
    }

    #[test]
    fn a_draft_that_was_not_bundled_is_refused() {
        let root = json!({"openapi": "3.0.0", "info": {"title": "T"}, "paths": {}, "components": {"$ref": "a.json"}});
        let draft = Draft::read(serde_json::to_vec(&root).unwrap(), None, &Bounds::default()).unwrap();
        assert_eq!(
            normalise(draft, &Bounds::default()).unwrap_err().listed()[0].code,
            Code::RefUnreachable
        );
    }
}
