//! Errors as one JSON object for two kinds of readers: `detail` for clients of FastAPI, the rest for RFC 9457.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;

use super::ids::{RequestId, X_REQUEST_ID};
use super::reject::Reject;
use crate::gateway::offer::FieldError;

/// Writes what answers need to know of their requests.
pub(in crate::gateway) struct Renderer {
    id: RequestId,
    content_type: &'static str,
}

impl Renderer {
    pub(in crate::gateway) fn of(request: &Request) -> Self {
        let id = request.extensions().get::<RequestId>().cloned();
        let id = id.unwrap_or_else(|| RequestId::of(request.headers()));
        Self { id, content_type: content_type(request.headers()) }
    }

    /// Writes the body of a refused request, and the request's id on every answer.
    pub(in crate::gateway) fn render(&self, response: &mut Response) {
        if let Some(reject) = response.extensions_mut().remove::<Reject>() {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            *response.body_mut() = Body::from(body(&reject, &self.id));
        }
        response.headers_mut().insert(X_REQUEST_ID, self.id.to_header());
    }
}

/// The same as a layer.
pub(in crate::gateway) async fn render(request: Request, next: Next) -> Response {
    let renderer = Renderer::of(&request);
    let mut response = next.run(request).await;
    renderer.render(&mut response);
    response
}

/// RFC 9457 §3, with two members of our own: `code` and `request_id`.
#[derive(Serialize)]
struct Problem<'a> {
    /// RFC 9457 §4.2.1: `about:blank` means no more than the status; `code` is what programs tell apart.
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: Detail<'a>,
    code: &'static str,
    request_id: &'a str,
}

/// The same for the description of the API, which has no lists of fields.
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes what Problem writes")]
pub(in crate::gateway) struct ProblemSchema {
    /// Always `about:blank`; `code` tells problems apart.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// What is wrong, for people.
    detail: String,
    /// What is wrong, for programs.
    code: String,
    /// The id of the request, as in the logs.
    request_id: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Detail<'a> {
    Text(String),
    /// RFC 9457 has only text here and tells readers to ignore what they do not expect; clients of FastAPI expect this.
    Fields(&'a [FieldError]),
}

fn body(reject: &Reject, id: &RequestId) -> Vec<u8> {
    let detail = match reject.fields() {
        Some(errors) => Detail::Fields(errors),
        None => Detail::Text(reject.detail()),
    };
    let status = reject.status();
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail,
        code: reject.code(),
        request_id: id.as_str(),
    };
    serde_json::to_vec(&problem).expect("strings, numbers and lists of them are always JSON")
}

/// What RFC 9457 wants for those who ask for it, and what clients of FastAPI check for else.
fn content_type(headers: &HeaderMap) -> &'static str {
    let asks = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case(PROBLEM_JSON));
    if asks { PROBLEM_JSON } else { "application/json" }
}

const PROBLEM_JSON: &str = "application/problem+json";
