//! `POST /skin/webrtc/offer`, and the way that offers of every route go.

mod answer;
mod field_error;
mod fields;
mod offer_body;
mod offer_record;
mod pipeline;
mod relay_only;
mod sdp_check;
mod settings;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;

use super::backends::BackendError;
use super::http::ids::SessionId;
use super::http::reject::Reject;
use super::keys::Scope;
use super::routes::Shared;
use offer_body::OfferBody;

pub(in crate::gateway) use field_error::{FieldError, USER_ID_CHARACTERS};
pub(in crate::gateway) use pipeline::{Form, Offer, forward};
pub(in crate::gateway) use sdp_check::SdpCheck;
pub use settings::OfferSettings;

pub(in crate::gateway) async fn answer(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Reject> {
    forward::<Json>(&shared, request).await
}

/// Offer and answer are the backend's JSON, passed on byte for byte.
struct Json;

impl Form for Json {
    const SCOPE: Scope = Scope::Offer;
    /// What is in its answers is the backend's affair.
    const NAMES_ICE_SERVERS: bool = false;

    /// Whether a body is JSON is seen by reading it; what the backend thinks of its `Content-Type` is its own affair.
    fn admit(_: &Parts) -> Result<(), Reject> {
        Ok(())
    }

    fn read(_: &mut Parts, body: Bytes, check: &SdpCheck) -> Result<Offer, Reject> {
        let mut relayed = Vec::new();
        let checked = OfferBody::parse(&body, |sdp| check.check(sdp).map(|found| relayed = found));
        let OfferBody { user_id } = checked.map_err(Reject::BodyInvalid)?;
        Ok(Offer { user_id, body, relayed })
    }

    fn write(answer: Response<Bytes>, _: &SessionId) -> Result<Response<Bytes>, BackendError> {
        Ok(answer)
    }
}
