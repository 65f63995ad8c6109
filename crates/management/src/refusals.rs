//! How refusals look in the description: one answer for each set of codes, to
//! which the operations refer.

use gatewright_webkit::problem::MEDIA_TYPE;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Content, RefOr};

use crate::schema::{ObjectShape, Presence, Schemas, Shape};

/// A refusal with one of these codes.
pub(crate) fn response(schemas: &mut Schemas, codes: &[&'static str]) -> RefOr<Response> {
    let problem = ProblemBody::schema(schemas);
    let code = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes.iter().copied()));
    let narrowed = ObjectBuilder::new().property("code", RefOr::from(code));
    let schema = AllOfBuilder::new().item(problem).item(narrowed);
    let content = Content::new(Some(RefOr::from(schema)));
    let response = ResponseBuilder::new()
        .description(codes.join(", "))
        .content(MEDIA_TYPE, content);
    schemas.refusal(&codes.join("."), response.build())
}

/// A problem, for the description; it is written by webkit.
struct ProblemBody;

impl Shape for ProblemBody {
    fn schema(schemas: &mut Schemas) -> RefOr<utoipa::openapi::schema::Schema> {
        schemas.named("Problem", |schemas| {
            ObjectShape::new(schemas, "Why a request was refused (RFC 9457).")
                .member::<String>("type", "urn:gatewright:problem: and the code.", Presence::Always)
                .member::<String>("code", "Stable, for programs.", Presence::Always)
                .member::<String>("title", "The code as words.", Presence::Always)
                .member::<u16>("status", "The HTTP status.", Presence::Always)
                .member::<String>(
                    "detail",
                    "What is wrong and what to do about it.",
                    Presence::Always,
                )
                .member::<String>("instance", "The request id.", Presence::Always)
                .member::<Vec<FieldFault>>("errors", "The faults of the fields.", Presence::Sometimes)
                .member::<String>("state", "The state that does not allow it.", Presence::Sometimes)
                .member::<Vec<String>>(
                    "allowed",
                    "The states that can be reached instead.",
                    Presence::Sometimes,
                )
                .member::<String>("field", "The field that clashes.", Presence::Sometimes)
                .member::<String>(
                    "existing",
                    "The id of what is there already.",
                    Presence::Sometimes,
                )
                .member::<Vec<crate::routes::FindingShape>>(
                    "findings",
                    "What is wrong with the document.",
                    Presence::Sometimes,
                )
                .member::<String>(
                    "permission",
                    "The permission that is missing.",
                    Presence::Sometimes,
                )
                .build()
        })
    }
}

struct FieldFault;

impl Shape for FieldFault {
    fn schema(schemas: &mut Schemas) -> RefOr<utoipa::openapi::schema::Schema> {
        schemas.named("FieldError", |schemas| {
            ObjectShape::new(schemas, "One fault of one field.")
                .member::<String>(
                    "pointer",
                    "JSON pointer into the body, or / and the parameter's name.",
                    Presence::Always,
                )
                .member::<String>("code", "Stable, for programs.", Presence::Always)
                .member::<String>(
                    "message",
                    "Names the rule and the fix; reads on from the field's name.",
                    Presence::Always,
                )
                .build()
        })
    }
}
