//! `POST /skin/webrtc/offer`: key, body, backend, in this order.

mod offer_body;
mod offer_record;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::Method;
use http::request::Parts;

use super::admission::{Admitted, source};
use super::backends::Forwarded;
use super::http::body;
use super::http::ids::{RequestId, SessionId, X_SESSION_ID};
use super::http::reject::Reject;
use super::keys::{Identity, Scope};
use super::routes::{OFFER, Shared};
use super::sessions::{Bounds, Opening};
use crate::telemetry::KeyRefusal;
use offer_body::OfferBody;
use offer_record::OfferRecord;

pub(in crate::gateway) use offer_body::FieldError;

pub(in crate::gateway) async fn answer(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Reject> {
    let (parts, body) = request.into_parts();
    // Before the body is read: who has no key shall cost no memory.
    let mut admitted = match shared.gate.admit(&parts, Scope::Offer) {
        Ok(admitted) => admitted,
        Err(reject) => {
            body::discard_unread(&parts.headers, body);
            return Err(reject);
        }
    };
    if shared.drain.is_on() {
        body::discard_unread(&parts.headers, body);
        return Err(Reject::Draining);
    }
    let mut response = answer_admitted(&shared, &mut admitted, parts, body).await.into_response();
    admitted.tell(response.headers_mut());
    Ok(response)
}

async fn answer_admitted(
    shared: &Shared,
    admitted: &mut Admitted,
    parts: Parts,
    body: Body,
) -> Result<Response, Reject> {
    let session = SessionId::random();
    let request_id = parts.extensions.get::<RequestId>().cloned();
    let mut record = OfferRecord::begin(session.clone(), Arc::clone(&admitted.identity.key), request_id);

    let body = match body::read(&parts.headers, body, shared.body_limit_bytes, shared.body_deadline).await {
        Ok(body) => body,
        Err(reject) => return Err(record.refused(reject)),
    };
    let user_id = match OfferBody::parse(&body) {
        Ok(offer) => offer.user_id,
        Err(errors) => return Err(record.refused(Reject::BodyInvalid(errors))),
    };
    record.set_user(user_id.clone());
    if let Some(user_id) = &user_id
        && let Err(reject) = admitted.take_user(user_id)
    {
        return Err(record.refused(reject));
    }
    let Identity { key, client, limits, .. } = &admitted.identity;
    let bounds = Bounds { of_client: limits.max_sessions, of_user: limits.max_sessions_per_user };
    let opening = Opening {
        id: session.clone(),
        client: Arc::clone(client),
        key: Arc::clone(key),
        user_id: user_id.map(Arc::from),
        address: source(&parts.extensions),
    };
    let open_session = match shared.sessions.open(opening, bounds) {
        Ok(open_session) => open_session,
        Err(refusal) => return Err(record.refused(Reject::Sessions(refusal))),
    };
    // Whoever revokes a key ends its sessions afterwards, so one that is not among them is noticed here.
    if admitted.identity.is_revoked() {
        return Err(record.refused(Reject::Key(KeyRefusal::Revoked)));
    }
    let forwarded = Forwarded { method: Method::POST, path: OFFER, session: Some(&session), body };
    match shared.backend.forward(forwarded, parts).await {
        Ok(mut answer) => {
            if answer.status().is_success() && !open_session.answered(BACKEND.into()) {
                return Err(record.refused(Reject::SessionEnded));
            }
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

/// The name of the one backend there is.
const BACKEND: &str = "default";
