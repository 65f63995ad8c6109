//! OpenAPI documents of the tests' own.

use serde_json::{Value, json};

/// A pet shop in OpenAPI 3.0: list, create, read, remove.
pub(crate) fn pets() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Petstore", "version": "1.0.0"},
        "servers": [{"url": "http://petstore.example.com/v1"}],
        "paths": {
            "/pets": {
                "get": {
                    "operationId": "listPets",
                    "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                    "responses": {"200": {"description": "All pets.", "content": {"application/json":
                        {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}}}}}
                },
                "post": {
                    "operationId": "createPet",
                    "requestBody": {"content": {"application/json":
                        {"schema": {"$ref": "#/components/schemas/Pet"}}}},
                    "responses": {"201": {"description": "Created."}}
                }
            },
            "/pets/{petId}": {
                "parameters": [{"name": "petId", "in": "path", "required": true, "schema": {"type": "string"}}],
                "get": {"operationId": "showPetById", "responses": {"200": {"description": "One pet."}}},
                "delete": {"operationId": "removePet", "responses": {"204": {"description": "Gone."}}}
            }
        },
        "components": {"schemas": {"Pet": {
            "type": "object",
            "required": ["id", "name"],
            "properties": {
                "id": {"type": "integer", "format": "int64"},
                "name": {"type": "string"},
                "friend": {"$ref": "#/components/schemas/Pet"}
            }
        }}}
    })
}

/// The pet shop with this reference in the place of a parameter.
pub(crate) fn pets_with_reference(reference: &str) -> Value {
    let mut document = pets();
    document["paths"]["/pets"]["get"]["parameters"][0] = json!({"$ref": reference});
    document
}

/// Where [`pets_with_reference`] puts it.
pub(crate) const REFERENCE_AT: &str = "/paths/~1pets/get/parameters/0";

/// The same shop in Swagger 2.0.
pub(crate) fn pets_2_0() -> Value {
    json!({
        "swagger": "2.0",
        "info": {"title": "Petstore 2", "version": "1.0.0"},
        "host": "petstore.example.com",
        "basePath": "/v1",
        "schemes": ["http"],
        "produces": ["application/json"],
        "paths": {"/pets": {
            "get": {"operationId": "listPets", "responses": {"200":
                {"description": "All pets.", "schema": {"type": "array", "items": {"$ref": "#/definitions/Pet"}}}}},
            "post": {
                "operationId": "createPet",
                "parameters": [{"name": "pet", "in": "body", "schema": {"$ref": "#/definitions/Pet"}}],
                "responses": {"201": {"description": "Created."}}
            }
        }},
        "definitions": {"Pet": {"type": "object", "properties": {"name": {"type": "string"}}}}
    })
}

/// The same shop in OpenAPI 3.1, with what only 3.1 has.
pub(crate) fn pets_3_1() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Petstore 3.1", "version": "1.0.0", "summary": "Pets", "license": {"name": "MIT", "identifier": "MIT"}},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": "http://petstore.example.com"}],
        "paths": {"/pets": {"get": {"operationId": "listPets", "responses": {"200": {
            "description": "All pets.",
            "content": {"application/json": {"schema": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/Pet"}}}}
        }}}}},
        "webhooks": {"newPet": {"post": {"responses": {"200": {"description": "Seen."}}}}},
        "components": {"schemas": {"Pet": {
            "type": "object",
            "properties": {"name": {"type": ["string", "null"], "examples": ["Rex"]}}
        }}}
    })
}

/// The same shop in YAML.
pub(crate) const PETS_YAML: &str = "\
openapi: 3.0.3
info:
  title: Petstore YAML
  version: 1.0.0
servers:
  - url: http://petstore.example.com/v1
paths:
  /pets:
    get:
      operationId: listPets
      responses:
        '200':
          description: All pets.
";

/// Nine aliases of nine aliases of … : 10⁹ nodes in a few lines.
pub(crate) fn yaml_bomb() -> String {
    let mut text =
        String::from("openapi: 3.0.3\ninfo: {title: Bomb, version: '1'}\npaths: {}\nx-a0: &a0 [boom]\n");
    for level in 1..=9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("x-a{level}: &a{level} [{aliases}]\n"));
    }
    text
}
