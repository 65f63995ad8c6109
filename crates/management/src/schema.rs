//! How the types of the wire look in OpenAPI. A type describes itself once,
//! and every operation that uses it refers to that.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::schema::{
    Array, KnownFormat, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr, Response};

/// What the operations of the description refer to.
#[derive(Default)]
pub(crate) struct Schemas {
    pub(crate) schemas: BTreeMap<String, RefOr<Schema>>,
    pub(crate) refusals: BTreeMap<String, RefOr<Response>>,
}

impl Schemas {
    /// A reference to a named schema, which is made when it is first asked for.
    pub(crate) fn named(
        &mut self,
        name: &str,
        make: impl FnOnce(&mut Self) -> RefOr<Schema>,
    ) -> RefOr<Schema> {
        if !self.schemas.contains_key(name) {
            // The place is taken first, so that a type may hold itself.
            self.schemas
                .insert(name.to_owned(), RefOr::T(Schema::Object(Object::new())));
            let made = make(self);
            self.schemas.insert(name.to_owned(), made);
        }
        RefOr::Ref(Ref::from_schema_name(name))
    }

    /// A reference to a refusal.
    pub(crate) fn refusal(&mut self, name: &str, response: Response) -> RefOr<Response> {
        self.refusals.insert(name.to_owned(), RefOr::T(response));
        RefOr::Ref(Ref::from_response_name(name))
    }
}

/// A type of the wire.
pub(crate) trait Shape {
    /// Its schema.
    fn schema(schemas: &mut Schemas) -> RefOr<Schema>;
}

/// Whether a member is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Always,
    Sometimes,
}

/// An object under construction.
pub(crate) struct ObjectShape<'s> {
    schemas: &'s mut Schemas,
    object: ObjectBuilder,
}

impl<'s> ObjectShape<'s> {
    pub(crate) fn new(schemas: &'s mut Schemas, about: &str) -> Self {
        let object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(tidy(about)));
        Self { schemas, object }
    }

    pub(crate) fn member<T: Shape>(mut self, name: &str, about: &str, presence: Presence) -> Self {
        let schema = described(T::schema(self.schemas), about);
        self.object = self.object.property(name, schema);
        if presence == Presence::Always {
            self.object = self.object.required(name);
        }
        self
    }

    pub(crate) fn build(self) -> RefOr<Schema> {
        self.object.into()
    }
}

/// A doc comment as one line.
pub(crate) fn tidy(about: &str) -> String {
    about.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The schema with a description of the place where it stands.
pub(crate) fn described(schema: RefOr<Schema>, about: &str) -> RefOr<Schema> {
    let text = tidy(about);
    let about = Some(text.clone());
    match schema {
        RefOr::Ref(mut reference) => {
            reference.description = text;
            RefOr::Ref(reference)
        }
        RefOr::T(Schema::Object(mut object)) => {
            object.description = about;
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.description = about;
            RefOr::T(Schema::Array(array))
        }
        RefOr::T(Schema::OneOf(mut one_of)) => {
            one_of.description = about;
            RefOr::T(Schema::OneOf(one_of))
        }
        other => other,
    }
}

/// The schema, or null.
fn nullable(schema: RefOr<Schema>) -> RefOr<Schema> {
    let or_null = |schema_type: SchemaType| match schema_type {
        SchemaType::Type(one) => SchemaType::Array(vec![one, Type::Null]),
        other => other,
    };
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.schema_type = or_null(object.schema_type);
            if let Some(values) = &mut object.enum_values {
                values.push(Value::Null);
            }
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = or_null(array.schema_type);
            RefOr::T(Schema::Array(array))
        }
        other => {
            let null = ObjectBuilder::new().schema_type(Type::Null);
            OneOfBuilder::new().item(other).item(null).into()
        }
    }
}

/// A text that matches a pattern.
pub(crate) fn text(pattern: Option<&str>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(pattern)
        .into()
}

/// A text of a known format.
pub(crate) fn formatted(format: KnownFormat) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(format)))
        .into()
}

/// A whole number.
pub(crate) fn integer(minimum: Option<i64>, maximum: Option<i64>) -> RefOr<Schema> {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
    let object = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(format));
    object.minimum(minimum).maximum(maximum).into()
}

impl<T: Shape> Shape for Option<T> {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        nullable(T::schema(schemas))
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        Array::new(T::schema(schemas)).into()
    }
}

impl Shape for String {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        text(None)
    }
}

impl Shape for bool {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Boolean).into()
    }
}

impl Shape for f64 {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Number).into()
    }
}

impl Shape for i64 {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        integer(None, None)
    }
}

impl Shape for u64 {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        integer(Some(0), None)
    }
}

impl Shape for u32 {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        integer(Some(0), Some(i64::from(u32::MAX)))
    }
}

impl Shape for u16 {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        integer(Some(0), Some(i64::from(u16::MAX)))
    }
}

/// Any JSON value.
impl Shape for Value {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(SchemaType::AnyValue).into()
    }
}

/// Describes a type that serialises itself: names, types and meanings of its members.
macro_rules! shape {
    ($type:ty as $name:literal, $about:literal { $($(#[doc = $doc:literal])+ $field:ident : $member:ty,)+ }) => {
        impl $crate::schema::Shape for $type {
            fn schema(
                schemas: &mut $crate::schema::Schemas,
            ) -> ::utoipa::openapi::RefOr<::utoipa::openapi::schema::Schema> {
                schemas.named($name, |schemas| {
                    $crate::schema::ObjectShape::new(schemas, $about)
                        $(.member::<$member>(
                            stringify!($field),
                            concat!($($doc),+),
                            $crate::schema::Presence::Always,
                        ))+
                        .build()
                })
            }
        }
    };
}

pub(crate) use shape;
