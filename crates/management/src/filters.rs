//! Filters of lists: query parameters, declared once for reading and for the
//! description.

use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};

use crate::fields::Param;
use crate::schema::{Schemas, tidy};

/// Parameters that describe themselves.
pub(crate) trait Filter: gatewright_webkit::query::FromQuery {
    /// The parameters, in order.
    fn parameters(schemas: &mut Schemas) -> Vec<Parameter>;
}

impl Filter for gatewright_webkit::query::NoFilter {
    fn parameters(_: &mut Schemas) -> Vec<Parameter> {
        Vec::new()
    }
}

/// One optional parameter.
pub(crate) fn parameter<T: Param>(schemas: &mut Schemas, name: &str, about: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(tidy(about)))
        .schema(Some(T::schema(schemas)))
        .build()
}

/// Declares a set of optional query parameters.
macro_rules! filter {
    ($(#[doc = $about:literal])+ $name:ident {
        $($(#[doc = $doc:literal])+ $field:ident : $type:ty,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug)]
        pub(crate) struct $name {
            $($(#[doc = $doc])+ pub(crate) $field: Option<$type>,)+
        }

        impl ::gatewright_webkit::query::FromQuery for $name {
            fn read(query: &mut ::gatewright_webkit::query::QueryReader<'_>) -> Self {
                Self { $($field: <$type as $crate::fields::Param>::take(query, stringify!($field)),)+ }
            }
        }

        impl $crate::filters::Filter for $name {
            fn parameters(schemas: &mut $crate::schema::Schemas) -> Vec<::utoipa::openapi::path::Parameter> {
                vec![$($crate::filters::parameter::<$type>(schemas, stringify!($field), concat!($($doc),+)),)+]
            }
        }
    };
}

pub(crate) use filter;
