//! The OpenAPI document, made from the rows of the REST API.

use axum::http::StatusCode;
use innkeeper_wire::{
    api::Session,
    endpoints::{Header as AskedHeader, Method, Part, Row, Schemas, Who, rest},
    error::{PROBLEM_JSON, Problem},
};
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Components, Content, HttpMethod, Info, License, OpenApi, PathItem, Paths, Ref, RefOr,
        Required, Response, ResponseBuilder, SecurityRequirement, Server,
        header::Header,
        path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::{AdditionalProperties, Object, ObjectBuilder, Schema, Type},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

const ABOUT: &str = "Customers' API. Errors are RFC 9457 problem documents with a stable `code`; lists are paged by `limit` \
                     and `after`; times are RFC 3339 in UTC; money is in minor units.";
/// How a session's token is called.
const SESSION: &str = "session";
/// How an API token is called.
const TOKEN: &str = "token";
/// What is said of them.
const ABOUT_TOKENS: &str = "An API token (`ink_...`), made in the portal or by `POST /me/tokens`. It is taken for the requests that name \
                            one of its scopes, from its networks, until its end: `read`, `servers`, `keys`, `delete`. None includes \
                            another.";

/// The OpenAPI document, as it is served and checked in (`control-plane/openapi.json`).
#[must_use]
pub fn openapi() -> OpenApi {
    let mut info = Info::new("Innkeeper", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);

    let mut paths = Paths::new();
    let mut schemas = Schemas::new();
    schemas.push(("Problem".to_owned(), Problem::schema()));
    Problem::schemas(&mut schemas);
    // The entries of a page are collected where one of them is answered alone, and these never are.
    schemas.push(("Session".to_owned(), Session::schema()));
    Session::schemas(&mut schemas);
    for row in rest::ALL {
        for part in [row.parameter, row.body, row.answer].into_iter().flatten() {
            let described = part.schema.map(|schema| (part.schema_name(), schema()));
            schemas.extend(described.map(|(name, schema)| (name, closed(schema))));
            (part.collect)(&mut schemas);
        }
        let method = match row.method {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
            Method::Put => HttpMethod::Put,
            Method::Patch => HttpMethod::Patch,
            Method::Delete => HttpMethod::Delete,
        };
        let mut item = PathItem::new(method, operation(row));
        if let Some(known) = paths.paths.remove(row.path) {
            item.merge_operations(known);
        }
        paths.paths.insert(row.path.to_owned(), item);
    }
    let mut components = Components::new();
    components.schemas.extend(schemas);
    components
        .responses
        .insert("Problem".to_owned(), refusal().into());
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme(SESSION, bearer);
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description = Some(ABOUT_TOKENS.to_owned());
    components.add_security_scheme(TOKEN, SecurityScheme::Http(token));

    let mut document = OpenApi::new(info, paths);
    document.servers = Some(vec![Server::new(rest::BASE)]);
    document.components = Some(components);
    document
}

/// Says of each form that something can have that it has no other fields than those: the derived schemas leave that out of
/// enums, which refuse them all the same.
fn closed(schema: RefOr<Schema>) -> RefOr<Schema> {
    let RefOr::T(Schema::OneOf(mut forms)) = schema else {
        return schema;
    };
    for form in &mut forms.items {
        if let RefOr::T(Schema::Object(form)) = form {
            form.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
    RefOr::T(Schema::OneOf(forms))
}

fn operation(row: &Row) -> Operation {
    let about: Vec<_> = row.about.iter().map(|line| line.trim()).collect();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(row.id))
        .summary(Some(about.join("\n")))
        .request_body(row.body.map(|part| {
            RequestBodyBuilder::new()
                .content("application/json", content(part))
                .required(Some(Required::True))
                .build()
        }))
        .response(row.status.to_string(), success(row));
    for tag in row.tag {
        operation = operation.tag(*tag);
    }
    if matches!(row.who, Who::Customer | Who::ProvenCustomer) {
        operation = operation.security(SecurityRequirement::new(SESSION, Vec::<String>::new()));
    }
    if let Some(scope) = row.scope {
        operation = operation.security(SecurityRequirement::new(TOKEN, [scope.as_str()]));
        let needs = format!("An API token needs the scope `{}`.", scope.as_str());
        operation = operation.description(Some(needs));
    }
    let queries = row.query.map(|part| (part.parameters)());
    let parameters = row.parameter.map(|part| in_path(row.path, part));
    let parameters = parameters.into_iter().chain(queries.into_iter().flatten());
    let needed = row.headers.iter().map(|it| in_header(it, Required::True));
    let taken = row.optional_headers.iter();
    let taken = taken.map(|it| in_header(it, Required::False));
    for parameter in parameters.chain(needed).chain(taken) {
        operation = operation.parameter(parameter);
    }
    // On every operation the same ones, since any of them can come of the layers before a handler, too.
    for range in ["4XX", "5XX"] {
        operation = operation.response(range, Ref::from_response_name("Problem"));
    }
    operation.build()
}

fn content(part: Part) -> Content {
    Content::new(Some(Ref::from_schema_name(part.schema_name())))
}

fn success(row: &Row) -> Response {
    // Compulsory, and what is to be said is in the operation's own words.
    let status = StatusCode::from_u16(row.status).ok();
    let reason = status.and_then(|status| status.canonical_reason());
    let answer = ResponseBuilder::new().description(reason.unwrap_or("An answer"));
    match row.answer {
        Some(part) => answer.content(part.media_type(), content(part)).build(),
        None => answer.build(),
    }
}

fn in_path(path: &str, part: Part) -> Parameter {
    let name = path.split(['{', '}']).nth(1).unwrap_or_default();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(Ref::from_schema_name(part.schema_name())))
        .build()
}

fn in_header(header: &AskedHeader, required: Required) -> Parameter {
    let value = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(header.length_max))
        .pattern(Some(header.pattern));
    ParameterBuilder::new()
        .name(header.name)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(header.about))
        .schema(Some(RefOr::T(value.build().into())))
        .build()
}

fn refusal() -> Response {
    let header = |kind: Type, text: &str| {
        let mut header = Header::new(Object::with_type(kind));
        header.description = Some(text.to_owned());
        header
    };
    ResponseBuilder::new()
        .description("It was refused, or failed: `code` says why.")
        .content(
            PROBLEM_JSON,
            Content::new(Some(Ref::from_schema_name("Problem"))),
        )
        .header(
            "WWW-Authenticate",
            header(Type::String, "With 401: `Bearer`."),
        )
        .header(
            "Retry-After",
            header(Type::Integer, "Seconds until another try makes sense."),
        )
        .build()
}
