//! Request bodies. A body is read member by member into types that cannot be
//! wrong; everything that is wrong with it is told at once, each fault with the
//! JSON pointer of its place. Members are cut out of the text before they are
//! read, so that a large document is not parsed on the way.

use std::fmt;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_webkit::body::{malformed, read_json};
use gatewright_webkit::problem::Problem;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::fields::Scalar;
use crate::schema::{Schemas, Shape};

/// The code of a problem with the body; its `errors` name the members.
pub(crate) const INVALID_FIELDS: &str = "invalid_fields";

/// Bodies above this size are read off the async threads.
const READ_INLINE_UP_TO: usize = 256 * 1024;

/// A value of a member.
pub(crate) trait Field: Shape + Sized {
    /// Reads it. Pointers are relative to the value.
    fn read(raw: &RawValue) -> Result<Self, FieldErrors>;

    /// What an absent member means; `None` when it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T: Scalar> Field for T {
    fn read(raw: &RawValue) -> Result<Self, FieldErrors> {
        let text: String = typed(raw, "must be a string")?;
        T::parse(&text).map_err(|invalid| FieldErrors::one("", invalid))
    }
}

macro_rules! plain {
    ($($type:ty: $rule:literal;)+) => {$(
        impl Field for $type {
            fn read(raw: &RawValue) -> Result<Self, FieldErrors> {
                typed(raw, $rule)
            }
        }
    )+};
}

plain! {
    bool: "must be true or false";
    u32: "must be a whole number from 0 to 4,294,967,295";
    u64: "must be a whole number from 0 on";
}

fn typed<'a, T: serde::Deserialize<'a>>(raw: &'a RawValue, rule: &'static str) -> Result<T, FieldErrors> {
    serde_json::from_str(raw.get()).map_err(|_| FieldErrors::one("", Invalid::new("wrong_type", rule)))
}

impl<T: Field> Field for Option<T> {
    fn read(raw: &RawValue) -> Result<Self, FieldErrors> {
        if raw.get() == "null" {
            Ok(None)
        } else {
            T::read(raw).map(Some)
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// The longest list that a body may hold. No list here is about more things.
const MAX_ITEMS: usize = 1_000;

impl<T: Field> Field for Vec<T> {
    fn read(raw: &RawValue) -> Result<Self, FieldErrors> {
        let items: Vec<&RawValue> = typed(raw, "must be a list")?;
        if items.len() > MAX_ITEMS {
            return Err(FieldErrors::one(
                "",
                Invalid::new("too_many_items", "must hold at most 1,000 items"),
            ));
        }
        let mut errors = FieldErrors::default();
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match T::read(item) {
                Ok(value) => values.push(value),
                Err(inner) => errors.nest(&pointer(&index.to_string()), inner),
            }
        }
        errors.finish(Some(values))
    }
}

/// A change of a member that can be emptied: absent leaves it, null empties it.
#[derive(Debug)]
pub(crate) struct Change<T>(pub(crate) Option<Option<T>>);

impl<T: Shape> Shape for Change<T> {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        <Option<T>>::schema(schemas)
    }
}

impl<T: Field> Field for Change<T> {
    fn read(raw: &RawValue) -> Result<Self, FieldErrors> {
        <Option<T>>::read(raw).map(|value| Self(Some(value)))
    }

    fn absent() -> Option<Self> {
        Some(Self(None))
    }
}

fn pointer(name: &str) -> String {
    let mut pointer = String::from("/");
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
    pointer
}

/// Reads the members of one object.
pub(crate) struct ObjectReader<'a> {
    members: Vec<(String, &'a RawValue)>,
    errors: FieldErrors,
}

impl<'a> ObjectReader<'a> {
    pub(crate) fn new(raw: &'a RawValue) -> Result<Self, FieldErrors> {
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        let members = deserializer.deserialize_map(Members);
        let members =
            members.map_err(|_| FieldErrors::one("", Invalid::new("wrong_type", "must be an object")))?;
        Ok(Self {
            members,
            errors: FieldErrors::default(),
        })
    }

    /// Takes one member out. `fallback` is what its absence means.
    pub(crate) fn take<T: Field>(&mut self, name: &str, fallback: Option<T>) -> Option<T> {
        let (found, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.members)
            .into_iter()
            .partition(|(key, _)| key == name);
        self.members = rest;
        let pointer = pointer(name);
        if found.len() > 1 {
            self.errors
                .add(&pointer, Invalid::new("repeated_field", "must stand only once"));
        }
        match found.first() {
            Some((_, raw)) => T::read(raw)
                .map_err(|inner| self.errors.nest(&pointer, inner))
                .ok(),
            None if fallback.is_some() => fallback,
            None => {
                let absent = T::absent();
                if absent.is_none() {
                    self.errors.add(&pointer, Invalid::new("required", "is required"));
                }
                absent
            }
        }
    }

    /// Everything that was wrong, unknown members included.
    pub(crate) fn finish(mut self) -> FieldErrors {
        for (name, _) in &self.members {
            self.errors.add(
                &pointer(name),
                Invalid::new("unknown_field", "is not a field of this object"),
            );
        }
        self.errors
    }
}

struct Members;

impl<'a> Visitor<'a> for Members {
    type Value = Vec<(String, &'a RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

/// Declares a body or a part of one: a struct, its reader, and its schema. A
/// member is required unless its type is an `Option` or a default is given.
macro_rules! input {
    ($(#[doc = $about:literal])+ $name:ident {
        $($(#[doc = $doc:literal])+ $field:ident : $type:ty $(= $default:expr)?,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug)]
        pub(crate) struct $name {
            $($(#[doc = $doc])+ pub(crate) $field: $type,)+
        }

        impl $crate::schema::Shape for $name {
            fn schema(
                schemas: &mut $crate::schema::Schemas,
            ) -> ::utoipa::openapi::RefOr<::utoipa::openapi::schema::Schema> {
                schemas.named(stringify!($name), |schemas| {
                    $crate::schema::ObjectShape::new(schemas, concat!($($about),+))
                        $(.member::<$type>(
                            stringify!($field),
                            concat!($($doc),+),
                            $crate::input::presence::<$type>(&$crate::input::input!(@default $($default)?)),
                        ))+
                        .build()
                })
            }
        }

        impl $crate::input::Field for $name {
            fn read(
                raw: &::serde_json::value::RawValue,
            ) -> Result<Self, ::gatewright_model::invalid::FieldErrors> {
                let mut members = $crate::input::ObjectReader::new(raw)?;
                $(let $field: Option<$type> =
                    members.take(stringify!($field), $crate::input::input!(@default $($default)?));)+
                let errors = members.finish();
                match ($($field,)+) {
                    ($(Some($field),)+) if errors.is_empty() => Ok(Self { $($field,)+ }),
                    _ => Err(errors),
                }
            }
        }
    };
    (@default) => { None };
    (@default $default:expr) => { Some($default) };
}

pub(crate) use input;

/// Whether a member must be there.
pub(crate) fn presence<T: Field>(fallback: &Option<T>) -> crate::schema::Presence {
    if fallback.is_some() || T::absent().is_some() {
        crate::schema::Presence::Sometimes
    } else {
        crate::schema::Presence::Always
    }
}

/// A JSON body. No body at all is read as an empty object: many verbs need nothing.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: Field + Send + 'static> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read_json(request).await?;
        if bytes.len() <= READ_INLINE_UP_TO {
            return read(&bytes).map(Self);
        }
        let work = tokio::task::spawn_blocking(move || read(&bytes));
        work.await
            .map_err(|error| Problem::internal(error.to_string()))?
            .map(Self)
    }
}

/// Before a verb that takes nothing: what is sent all the same is told instead
/// of being ignored. No body, `{}` and an empty one are nothing.
pub(crate) async fn without_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let sent = Request::from_parts(parts.clone(), body);
    match read_json(sent).await.and_then(|bytes| nothing(&bytes)) {
        Ok(()) => next.run(Request::from_parts(parts, Body::empty())).await,
        Err(problem) => problem.into_response(),
    }
}

fn nothing(bytes: &Bytes) -> Result<(), Problem> {
    if bytes.is_empty() {
        return Ok(());
    }
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    let errors = ObjectReader::new(raw).map_or_else(|errors| errors, ObjectReader::finish);
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(INVALID_FIELDS, &errors))
    }
}

fn read<T: Field>(bytes: &Bytes) -> Result<T, Problem> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    let raw: &RawValue = serde_json::from_slice(text).map_err(|error| malformed(&error))?;
    T::read(raw).map_err(|errors| Problem::invalid(INVALID_FIELDS, &errors))
}

#[cfg(test)]
mod tests {
    use gatewright_model::api::Visibility;
    use gatewright_model::text::{Email, Slug};
    use serde_json::{Value, json};

    use super::*;

    input! {
        /// A part.
        Part {
            /// Its weight.
            weight: u32 = 1,
        }
    }

    input! {
        /// A whole.
        Whole {
            /// Its slug.
            slug: Slug,
            /// Who sees it.
            visibility: Visibility = Visibility::Public,
            /// Its parts.
            parts: Vec<Part> = Vec::new(),
            /// Its mail.
            contact: Change<Email>,
            /// Its mark.
            mark: Option<bool>,
        }
    }

    fn faults(body: &str) -> Value {
        let problem = read::<Whole>(&Bytes::copy_from_slice(body.as_bytes()))
            .unwrap_err()
            .to_json(None);
        let errors = problem["errors"].as_array().unwrap();
        errors
            .iter()
            .map(|error| json!([error["pointer"], error["code"]]))
            .collect()
    }

    #[test]
    fn a_good_body_is_read_and_defaults_are_filled_in() {
        let whole: Whole = read(&Bytes::from_static(
            b"{\"slug\":\"a\",\"parts\":[{}, {\"weight\":3}]}",
        ))
        .unwrap();
        assert_eq!(whole.slug.as_str(), "a");
        assert_eq!(whole.visibility, Visibility::Public);
        assert_eq!(
            whole.parts.iter().map(|part| part.weight).collect::<Vec<_>>(),
            [1, 3]
        );
        assert!(whole.contact.0.is_none() && whole.mark.is_none());
        let emptied: Whole = read(&Bytes::from_static(b"{\"slug\":\"a\",\"contact\":null}")).unwrap();
        assert!(matches!(emptied.contact.0, Some(None)));
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let body = r#"{"slug":7,"visibility":"all","parts":[{"weight":-1},{"size":2},[]],"a/b":1,"mark":"yes","mark":true}"#;
        assert_eq!(
            faults(body),
            json!([
                ["/slug", "wrong_type"],
                ["/visibility", "unknown_word"],
                ["/parts/0/weight", "wrong_type"],
                ["/parts/1/size", "unknown_field"],
                ["/parts/2", "wrong_type"],
                ["/mark", "repeated_field"],
                ["/mark", "wrong_type"],
                ["/a~1b", "unknown_field"]
            ])
        );
        assert_eq!(faults(""), json!([["/slug", "required"]]));
        assert_eq!(faults("[]"), json!([["", "wrong_type"]]));
    }

    #[test]
    fn text_that_is_no_json_is_told_by_line_and_column() {
        let problem = read::<Whole>(&Bytes::from_static(b"{\n\"slug\": }")).unwrap_err();
        assert_eq!(
            (problem.status().as_u16(), problem.to_json(None)["line"].clone()),
            (400, json!(2))
        );
        let problem = read::<Whole>(&Bytes::from_static(b"{} {}")).unwrap_err();
        assert_eq!(problem.code(), "malformed_json");
        let problem = read::<Whole>(&Bytes::from_static(b"\xff")).unwrap_err();
        assert_eq!(problem.code(), "malformed_json");
    }

    #[test]
    fn depth_alone_breaks_nothing() {
        let deep = format!("{{\"slug\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(faults(&deep), json!([["/slug", "wrong_type"]]));
    }
}
