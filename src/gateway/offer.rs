//! `POST /skin/webrtc/offer`: key, body, backend, in this order.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::Method;

use super::backend::Forwarded;
use super::body;
use super::ids::{RequestId, SessionId, X_SESSION_ID};
use super::offer_body::OfferBody;
use super::offer_record::OfferRecord;
use super::reject::Reject;
use super::routes::{OFFER, Shared};

pub(super) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Reject> {
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
