//! Objects of answers, declared once for serde and for the description.

/// Declares an object: a struct that serialises, and its schema under a name of
/// its own. Every member is always there, null when it has no value, unless it
/// carries `#[serde(skip_serializing_if = …)]`.
macro_rules! output {
    ($(#[doc = $about:literal])+ $name:ident as $schema:literal {
        $($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)+)])? $field:ident : $type:ty,)+
    }) => {
        $(#[doc = $about])+
        #[derive(::serde::Serialize)]
        pub(crate) struct $name {
            $($(#[doc = $doc])+ $(#[serde($($serde)+)])? pub(crate) $field: $type,)+
        }

        impl $crate::schema::Shape for $name {
            fn schema(
                schemas: &mut $crate::schema::Schemas,
            ) -> ::utoipa::openapi::RefOr<::utoipa::openapi::schema::Schema> {
                schemas.named($schema, |schemas| {
                    $crate::schema::ObjectShape::new(schemas, concat!($($about),+))
                        $(.member::<$type>(
                            stringify!($field),
                            concat!($($doc),+),
                            $crate::output::output!(@presence $($($serde)+)?),
                        ))+
                        .build()
                })
            }
        }
    };
    (@presence) => { $crate::schema::Presence::Always };
    (@presence $($serde:tt)+) => { $crate::schema::Presence::Sometimes };
}

pub(crate) use output;
