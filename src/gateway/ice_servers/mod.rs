//! `GET /skin/webrtc/ice-servers`: where the relay is, and credentials for it, for whoever has a key.
//!
//! In: a key, perhaps a user and a lifetime. Out: the list that `RTCPeerConnection` takes, in one of several shapes. WHIP
//! answers carry the same in `Link`.

mod asked;
mod issuer;
mod link;
mod settings;
mod shape;
mod url;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, header};
use tracing::debug;

use super::admission::Admitted;
use super::http::reject::Reject;
use super::keys::Scope;
use super::routes::Shared;
use crate::telemetry::RedactedUser;
use asked::Asked;
pub(in crate::gateway) use issuer::IceServers;
pub use settings::{IceServerSettings, UsernameForm};
pub use url::{IceUrl, IceUrlError};

pub(in crate::gateway) const PATH: &str = "/skin/webrtc/ice-servers";

/// Hands out credentials.
pub(in crate::gateway) async fn list(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Reject> {
    let (head, _) = request.into_parts();
    let mut admitted = shared.gate.admit(&head, Scope::IceServers)?;
    let mut response = issue(&shared, &mut admitted, &head).into_response();
    admitted.tell(response.headers_mut());
    // Whatever it says, it says it to one user, and not for long.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn issue(shared: &Shared, admitted: &mut Admitted, head: &Parts) -> Result<Response, Reject> {
    // Clients are better served by another relay than by one that stops.
    if shared.drain.is_on() {
        return Err(Reject::Draining);
    }
    let asked = Asked::read(head.uri.query().unwrap_or_default()).map_err(Reject::ParameterInvalid)?;
    if let Some(user_id) = &asked.user_id {
        admitted.take_user(user_id)?;
    }
    let user_id = asked.user_id.as_deref();
    let issued = shared.ice_servers.issue(&admitted.identity, user_id, asked.ttl);
    let issued = issued.ok_or(Reject::NoIceServers)?;
    debug!(
        grant = issued.grant.as_ref().map(|grant| display(grant.id)),
        client = &*admitted.identity.client,
        key = &*admitted.identity.key,
        user_id = user_id.map(|user_id| display(RedactedUser(user_id))),
        ttl_seconds = issued.ttl.as_secs(),
        "credentials handed out"
    );
    Ok(Json(asked.shape.of(&issued)).into_response())
}
