//! The list of operations: each handler is added once and, read off its
//! signature, described once.

use std::collections::BTreeMap;
use std::future::Future;

use axum::extract::State;
use axum::handler::Handler;
use axum::middleware::from_fn;
use gatewright_control::Control;
use gatewright_webkit::authorized::{Authorized, Public, SignedIn};
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::{At, PathParts};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{INVALID_QUERY, Listing, Query};
use gatewright_webkit::routes::{Access, Arguments, Routes};
use gatewright_webkit::rules::Bounds;
use http::Method;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, Paths,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, HeaderBuilder, Required};

use crate::answer::Answer;
use crate::filters::Filter;
use crate::input::{Field, INVALID_FIELDS, Json, without_body};
use crate::refusals;
use crate::router::{ManagementSettings, PREFIX};
use crate::schema::{Schemas, Shape, integer, text};

/// The name of the security scheme in the description.
pub(crate) const BEARER: &str = "token";

/// What a person reads about an operation, and what a program cannot read off
/// its signature.
#[derive(Clone, Copy)]
pub(crate) struct About {
    id: &'static str,
    summary: &'static str,
    conflicts: &'static [&'static str],
    invalid: &'static [&'static str],
    too_often: &'static [&'static str],
    heavy: bool,
}

/// An operation with a stable id and one sentence about it.
pub(crate) const fn about(id: &'static str, summary: &'static str) -> About {
    About {
        id,
        summary,
        conflicts: &[],
        invalid: &[],
        too_often: &[],
        heavy: false,
    }
}

impl About {
    /// The codes of its 409 answers.
    pub(crate) const fn conflicts(self, codes: &'static [&'static str]) -> Self {
        Self {
            conflicts: codes,
            ..self
        }
    }

    /// Takes a password: who guesses has to wait.
    pub(crate) const fn guessable(self) -> Self {
        Self {
            too_often: &["too_many_attempts", "too_busy"],
            ..self
        }
    }

    /// Takes an API description: more bytes, more time, findings.
    pub(crate) const fn heavy(self) -> Self {
        Self {
            heavy: true,
            invalid: &["document_invalid"],
            ..self
        }
    }
}

/// What the arguments of a handler say about its operation.
pub(crate) struct Sketch<'s> {
    schemas: &'s mut Schemas,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    refusals: BTreeMap<u16, Vec<&'static str>>,
}

impl Sketch<'_> {
    fn refuses(&mut self, status: u16, codes: &[&'static str]) {
        let known = self.refusals.entry(status).or_default();
        for code in codes {
            if !known.contains(code) {
                known.push(code);
            }
        }
    }

    /// A verb that takes no body refuses one that is no JSON or has members.
    fn refuses_bad_bodies(&mut self) {
        self.refuses(400, &["malformed_json", "body_incomplete"]);
        self.refuses(413, &["body_too_large"]);
        self.refuses(415, &["unsupported_media_type"]);
        self.refuses(422, &[INVALID_FIELDS]);
    }

    fn path(&mut self, name: &'static str, kind: &str) {
        let about = format!("Which {kind}: its {}.", naming(name));
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .description(Some(about));
        self.parameters.push(
            parameter
                .required(Required::True)
                .schema(Some(text(None)))
                .build(),
        );
        self.refuses(404, &["not_found"]);
    }

    fn header(&mut self, name: &str, about: &str) {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .description(Some(about));
        self.parameters.push(
            parameter
                .required(Required::False)
                .schema(Some(text(None)))
                .build(),
        );
    }
}

fn naming(name: &str) -> &'static str {
    match name {
        "api" | "application" | "team" | "tenant" => "id or its slug",
        "version" => "id or its label",
        "seq" => "number",
        "role" => "name",
        _ => "id",
    }
}

/// One argument of a handler.
pub(crate) trait Argument {
    fn describe(sketch: &mut Sketch<'_>);
}

impl<D> Argument for Authorized<D> {
    fn describe(_: &mut Sketch<'_>) {}
}

impl Argument for SignedIn {
    fn describe(_: &mut Sketch<'_>) {}
}

impl Argument for Public {
    fn describe(_: &mut Sketch<'_>) {}
}

impl Argument for State<Control> {
    fn describe(_: &mut Sketch<'_>) {}
}

impl<T: PathParts> Argument for At<T> {
    fn describe(sketch: &mut Sketch<'_>) {
        for (name, kind) in T::PARTS {
            sketch.path(name, kind);
        }
    }
}

impl Argument for Expected {
    fn describe(sketch: &mut Sketch<'_>) {
        sketch.header("If-Match", "The ETag of the object that the change is meant for.");
        sketch.refuses(400, &["invalid_if_match"]);
        sketch.refuses(412, &["precondition_failed"]);
    }
}

impl<F: Filter> Argument for Query<F> {
    fn describe(sketch: &mut Sketch<'_>) {
        let parameters = F::parameters(sketch.schemas);
        sketch.parameters.extend(parameters);
        sketch.refuses(422, &[INVALID_QUERY, INVALID_FIELDS]);
    }
}

impl<F: Filter> Argument for Listing<F> {
    fn describe(sketch: &mut Sketch<'_>) {
        let query = |name: &str, about: &str| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .description(Some(about))
        };
        let limit =
            query("limit", "How many items, 50 when absent.").schema(Some(integer(Some(1), Some(200))));
        let cursor = query("cursor", "The next_cursor of the page before.")
            .schema(Some(String::schema(sketch.schemas)));
        sketch.parameters.push(limit.required(Required::False).build());
        sketch.parameters.push(cursor.required(Required::False).build());
        <Query<F> as Argument>::describe(sketch);
    }
}

impl<T: Field> Argument for Json<T> {
    fn describe(sketch: &mut Sketch<'_>) {
        let schema = T::schema(sketch.schemas);
        let content = Content::new(Some(schema));
        sketch.body = Some(
            RequestBodyBuilder::new()
                .content("application/json", content)
                .build(),
        );
        sketch.refuses_bad_bodies();
    }
}

/// The arguments of a handler, all of them.
pub(crate) trait Signature: Arguments {
    fn describe(sketch: &mut Sketch<'_>);
}

/// A handler whose answer is described by its type.
pub(crate) trait Endpoint<T> {
    type Answer: Answer;
}

macro_rules! signatures {
    ($($($name:ident),+;)+) => {$(
        impl<M, $($name: Argument),+> Signature for (M, $($name,)+)
        where
            (M, $($name,)+): Arguments,
        {
            fn describe(sketch: &mut Sketch<'_>) {
                $($name::describe(sketch);)+
            }
        }

        impl<F, Fut, R, M, $($name),+> Endpoint<(M, $($name,)+)> for F
        where
            F: Fn($($name),+) -> Fut,
            Fut: Future<Output = Result<R, Problem>>,
            R: Answer,
        {
            type Answer = R;
        }
    )+};
}

signatures! {
    A;
    A, B;
    A, B, C;
    A, B, C, D;
    A, B, C, D, E;
    A, B, C, D, E, G;
}

/// Operations under construction: what is routed and what is described.
pub(crate) struct Api {
    pub(crate) routes: Routes<Control>,
    pub(crate) paths: Paths,
    pub(crate) schemas: Schemas,
    settings: ManagementSettings,
    tag: &'static str,
}

impl Api {
    pub(crate) fn new(settings: ManagementSettings) -> Self {
        let (routes, paths, schemas) = (Routes::default(), Paths::new(), Schemas::default());
        Self {
            routes,
            paths,
            schemas,
            settings,
            tag: "",
        }
    }

    /// The collection that the following operations are listed under.
    pub(crate) fn tag(self, tag: &'static str) -> Self {
        Self { tag, ..self }
    }

    pub(crate) fn get<H, T>(self, path: &str, about: About, handler: H) -> Self
    where
        H: Handler<T, Control> + Endpoint<T>,
        T: Signature + 'static,
    {
        self.on(Method::GET, path, about, handler)
    }

    pub(crate) fn post<H, T>(self, path: &str, about: About, handler: H) -> Self
    where
        H: Handler<T, Control> + Endpoint<T>,
        T: Signature + 'static,
    {
        self.on(Method::POST, path, about, handler)
    }

    pub(crate) fn put<H, T>(self, path: &str, about: About, handler: H) -> Self
    where
        H: Handler<T, Control> + Endpoint<T>,
        T: Signature + 'static,
    {
        self.on(Method::PUT, path, about, handler)
    }

    pub(crate) fn patch<H, T>(self, path: &str, about: About, handler: H) -> Self
    where
        H: Handler<T, Control> + Endpoint<T>,
        T: Signature + 'static,
    {
        self.on(Method::PATCH, path, about, handler)
    }

    pub(crate) fn delete<H, T>(self, path: &str, about: About, handler: H) -> Self
    where
        H: Handler<T, Control> + Endpoint<T>,
        T: Signature + 'static,
    {
        self.on(Method::DELETE, path, about, handler)
    }

    fn on<H, T>(mut self, method: Method, path: &str, about: About, handler: H) -> Self
    where
        H: Handler<T, Control> + Endpoint<T>,
        T: Signature + 'static,
    {
        let path = [PREFIX, path].concat();
        let operation = self.describe::<H, T>(&method, about);
        let takes_body = operation.request_body.is_some();
        self.paths
            .add_path_operation(&path, vec![described_method(&method)], operation);
        let bounds = if about.heavy {
            self.settings.imports
        } else {
            self.settings.requests
        };
        let routes = if method == Method::POST && !takes_body {
            let guarded = handler.layer(from_fn(without_body));
            self.routes.on(method, &path, guarded, bounds)
        } else {
            self.routes.on(method, &path, handler, bounds)
        };
        Self { routes, ..self }
    }

    fn describe<H: Endpoint<T>, T: Signature>(&mut self, method: &Method, about: About) -> Operation {
        let (parameters, body, refusals) = (Vec::new(), None, BTreeMap::new());
        let mut sketch = Sketch {
            schemas: &mut self.schemas,
            parameters,
            body,
            refusals,
        };
        T::describe(&mut sketch);
        conventions(&mut sketch, method, T::ACCESS, about);
        let answer = <H::Answer as Answer>::describe(sketch.schemas);
        let mut operation = OperationBuilder::new()
            .tag(self.tag)
            .operation_id(Some(about.id))
            .summary(Some(about.summary))
            .description(Some(format!("Who may: {}.", T::ACCESS)))
            .parameters(Some(std::mem::take(&mut sketch.parameters)))
            .request_body(sketch.body.take())
            .response(answer.status.as_str().to_owned(), success(answer));
        for (status, codes) in &sketch.refusals {
            operation = operation.response(status.to_string(), refusals::response(sketch.schemas, codes));
        }
        secured(operation, T::ACCESS).build()
    }
}

fn described_method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// What holds for every operation of a kind.
fn conventions(sketch: &mut Sketch<'_>, method: &Method, access: Access, about: About) {
    if access != Access::Public {
        sketch.header(
            "Gatewright-Tenant",
            "The slug of the tenant, for a platform admin's token.",
        );
        sketch.refuses(401, &["token_missing", "token_invalid"]);
        sketch.refuses(403, &["permission_missing"]);
        sketch.refuses(404, &["not_found"]);
        sketch.refuses(503, &["store_unavailable", "timeout"]);
    }
    if *method == Method::POST {
        sketch.refuses_bad_bodies();
        sketch.header(
            "Idempotency-Key",
            "Makes a repeated request have one effect, for 24 hours.",
        );
        sketch.refuses(400, &["invalid_idempotency_key"]);
        sketch.refuses(409, &["request_in_progress"]);
        sketch.refuses(422, &["idempotency_key_reused"]);
    }
    if *method != Method::GET {
        sketch.refuses(409, about.conflicts);
        sketch.refuses(409, &["conflict"]);
    }
    if !about.too_often.is_empty() {
        sketch.refuses(429, about.too_often);
    }
    if !about.invalid.is_empty() {
        sketch.refuses(422, about.invalid);
    }
    sketch.refuses(500, &["internal"]);
}

fn secured(operation: OperationBuilder, access: Access) -> OperationBuilder {
    match access {
        Access::Public => operation.securities(Some(Vec::new())),
        Access::SignedIn => operation.security(SecurityRequirement::new::<_, [&str; 0], &str>(BEARER, [])),
        Access::AnyOf(permissions) => permissions.iter().fold(operation, |operation, permission| {
            operation.security(SecurityRequirement::new(BEARER, [permission.to_string()]))
        }),
    }
}

fn success(answer: crate::answer::Described) -> Response {
    let mut response = ResponseBuilder::new().description(answer.about);
    if answer.schema.is_some() || answer.media_type == "*/*" {
        response = response.content(answer.media_type, Content::new(answer.schema));
    }
    for (name, about) in answer.headers {
        response = response.header(
            *name,
            HeaderBuilder::new()
                .schema(Some(text(None)))
                .description(Some(*about))
                .build(),
        );
    }
    response.build()
}

/// Bounds of one kind of route, for the settings.
pub(crate) const fn bounds(seconds: u64, body_bytes: usize) -> Bounds {
    let timeout = std::time::Duration::from_secs(seconds);
    Bounds {
        timeout,
        body: gatewright_webkit::body::BodyLimit(body_bytes),
    }
}
