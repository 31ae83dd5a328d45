//! `POST /skin/webrtc/offer`: key, body, backend, in this order.

mod offer_body;
mod offer_record;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::Method;

use super::backends::Forwarded;
use super::http::body;
use super::http::ids::{RequestId, SessionId, X_SESSION_ID};
use super::http::reject::Reject;
use super::routes::{OFFER, Shared};
use offer_body::OfferBody;
use offer_record::OfferRecord;

pub(in crate::gateway) use offer_body::FieldError;

pub(in crate::gateway) async fn answer(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Reject> {
    let (parts, body) = request.into_parts();
    // Before the body is read: who has no key shall cost no memory.
    let key = match shared.check_key(&parts.headers) {
        Ok(key) => key,
        Err(reject) => {
            body::discard_unread(&parts.headers, body);
            return Err(reject);
        }
    };
    let session = SessionId::random();
    let request_id = parts.extensions.get::<RequestId>().cloned();
    let mut record = OfferRecord::begin(session.clone(), key, request_id);

    let body = match body::read(&parts.headers, body, shared.body_limit_bytes, shared.body_deadline).await {
        Ok(body) => body,
        Err(reject) => return Err(record.refused(reject)),
    };
    match OfferBody::parse(&body) {
        Ok(offer) => record.set_user(offer.user_id),
        Err(errors) => return Err(record.refused(Reject::BodyInvalid(errors))),
    }
    let forwarded = Forwarded { method: Method::POST, path: OFFER, session: Some(&session), body };
    match shared.backend.forward(forwarded, parts).await {
        Ok(mut answer) => {
            answer.headers_mut().insert(X_SESSION_ID, session.to_header());
            record.answered(answer.status());
            Ok(answer.map(Body::from))
        }
        Err(error) => {
            shared.metrics.backend_failed(error.failure());
            Err(record.failed(&error))
        }
    }
}
