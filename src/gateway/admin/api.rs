//! The admin API under `/admin/v1`, and its description by OpenAPI.

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Shared, backends, events, keys, limits, process, sessions, usage, users};

/// The routes, and the document that describes them.
pub(super) fn api() -> (Router<Shared>, String) {
    let (routes, document) = OpenApiRouter::with_openapi(Document::openapi())
        .nest(
            ROOT,
            OpenApiRouter::new()
                .routes(routes!(sessions::list))
                .routes(routes!(sessions::show, sessions::end))
                .routes(routes!(keys::list))
                .routes(routes!(keys::revoke))
                .routes(routes!(backends::list))
                .routes(routes!(backends::drain))
                .routes(routes!(backends::resume))
                .routes(routes!(process::show, process::set_drain))
                .routes(routes!(process::show_log_level, process::set_log_level))
                .routes(routes!(process::reload))
                .routes(routes!(usage::show))
                .routes(routes!(users::list))
                .routes(routes!(events::watch_state))
                .routes(routes!(limits::list)),
        )
        .split_for_parts();
    let document = document.to_json().expect("a document of strings and lists is always JSON");
    (routes, document)
}

/// Serves the document, which holds no secret.
pub(super) fn show_document(document: &str) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], document.to_owned()).into_response()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "turnpike admin API",
        description = "Sessions, keys, backends and the process itself, for operators.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(sessions::WantedState, usage::WantedGroup)),
    modifiers(&Token)
)]
struct Document;

/// Says that the API wants a token where one is set.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

pub(super) const ROOT: &str = "/admin/v1";
