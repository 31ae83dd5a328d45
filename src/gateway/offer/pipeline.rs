//! The way of an offer, whichever route it comes by: key, body, checks, idempotency, backend, in this order.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::Method;
use http::request::Parts;
use tokio::time::Instant;

use super::answer::{checks_of, peers_of};
use super::offer_record::OfferRecord;
use super::relay_only::relay_only;
use super::sdp_check::{Relayed, SdpCheck};
use crate::gateway::admission::{Admitted, source};
use crate::gateway::backends::{
    BackendError, Claim as Answerable, Claimed, Exchange, ForwardError, Forwarded,
};
use crate::gateway::front::Origin;
use crate::gateway::http::body;
use crate::gateway::http::headers::name_key;
use crate::gateway::http::ids::{RequestId, SessionId, X_SESSION_ID};
use crate::gateway::http::reject::Reject;
use crate::gateway::keys::{Identity, Scope};
use crate::gateway::relay_link::Claim;
use crate::gateway::routes::{OFFER, Shared};
use crate::gateway::sessions::{Bounds, Opening};
use crate::telemetry::{KeyRefusal, Span, TraceId};
use crate::turn::Grant;

/// How a route writes offers and answers.
pub(in crate::gateway) trait Form: 'static {
    /// What a key must be for.
    const SCOPE: Scope;

    /// Whether its answers tell where the relay is.
    const NAMES_ICE_SERVERS: bool;

    /// Judges a request by its head, before its body is read.
    fn admit(head: &Parts) -> Result<(), Reject>;

    /// Reads an offer, and makes the request's head into the one of what is forwarded.
    fn read(head: &mut Parts, body: Bytes, check: &SdpCheck) -> Result<Offer, Reject>;

    /// Makes the backend's answer into the client's.
    fn write(answer: Response<Bytes>, session: &SessionId) -> Result<Response<Bytes>, BackendError>;
}

/// An offer that may be forwarded.
pub(in crate::gateway) struct Offer {
    pub(in crate::gateway) user_id: Option<String>,
    /// The JSON that the backend gets.
    pub(in crate::gateway) body: Bytes,
    /// The relayed addresses of its client.
    pub(in crate::gateway) relayed: Vec<Relayed>,
}

/// Forwards an offer and brings its answer.
pub(in crate::gateway) async fn forward<F: Form>(
    shared: &Arc<Shared>,
    request: Request,
) -> Result<Response, Reject> {
    let (head, body) = request.into_parts();
    // Before the body is read: who has no key shall cost no memory.
    let mut admitted = match admit::<F>(shared, &head) {
        Ok(admitted) => admitted,
        Err(reject) => {
            body::discard_unread(&head.headers, body);
            return Err(reject);
        }
    };
    let mut response = forward_admitted::<F>(shared, &mut admitted, head, body).await.into_response();
    admitted.tell(response.headers_mut());
    Ok(response)
}

/// What can be told from the head alone.
fn admit<F: Form>(shared: &Shared, head: &Parts) -> Result<Admitted, Reject> {
    let admitted = shared.gate.admit(head, F::SCOPE)?;
    if shared.drain.is_on() {
        return Err(Reject::Draining);
    }
    F::admit(head)?;
    Ok(admitted)
}

/// Takes everything that the client sent, and what it may ask for.
async fn forward_admitted<F: Form>(
    shared: &Arc<Shared>,
    admitted: &mut Admitted,
    mut head: Parts,
    body: Body,
) -> Result<Response, Reject> {
    let session = SessionId::random();
    let request_id = head.extensions.get::<RequestId>().cloned();
    let Identity { key, client, .. } = admitted.identity.clone();
    let mut record = OfferRecord::begin(session.clone(), Arc::clone(&key), request_id);
    record.set_trace(head.extensions.get::<TraceId>().copied(), span_of(&head));
    name_key(&mut head.headers, &key);

    let body =
        match body::read(&head.headers, body, shared.body_limit_bytes, shared.timeouts.request_body).await {
            Ok(body) => body,
            Err(reject) => return Err(record.refused(reject)),
        };
    let (path, sent) = (head.uri.path().to_owned(), body.clone());
    let offer = match F::read(&mut head, body, &shared.sdp_check) {
        Ok(offer) => offer,
        Err(reject) => return Err(record.refused(reject)),
    };
    record.set_user(offer.user_id.clone());
    let offer = match admitted.identity.force_relay.then(|| relay_only(&offer.body)) {
        Some(Ok(body)) => Offer { body, ..offer },
        Some(Err(reject)) => return Err(record.refused(reject)),
        None => offer,
    };
    if let Some(user_id) = &offer.user_id
        && let Err(reject) = admitted.take_user(user_id)
    {
        return Err(record.refused(reject));
    }
    let content = [path.as_bytes(), &sent];
    let claim = match shared.backends.idempotency().claim(&client, &head.headers, &content, Instant::now()) {
        Ok(Claimed::Unasked) => None,
        Ok(Claimed::First(claim)) => Some(claim),
        Ok(Claimed::Replay(answer)) => {
            record.replayed(answer.headers());
            return Ok(answer.map(Body::from));
        }
        Err(refusal) => return Err(record.refused(Reject::Idempotency(refusal))),
    };
    let is_claimed = claim.is_some();
    let identity = admitted.identity.clone();
    let exchange =
        exchange::<F>(Arc::clone(shared), Pending { session, identity, head, offer, claim }, record);
    if is_claimed {
        // Whoever leaves and comes again shall find the answer.
        tokio::spawn(exchange).await.unwrap_or(Err(Reject::Internal))
    } else {
        exchange.await
    }
}

/// The span of the request that brought an offer.
fn span_of(head: &Parts) -> Span {
    head.extensions.get::<Span>().cloned().unwrap_or_default()
}

/// An offer that is to be sent to a backend.
struct Pending {
    session: SessionId,
    identity: Identity,
    head: Parts,
    offer: Offer,
    claim: Option<Answerable>,
}

/// Opens the session, sends the offer to a backend, and brings its answer.
async fn exchange<F: Form>(
    shared: Arc<Shared>,
    pending: Pending,
    record: OfferRecord,
) -> Result<Response, Reject> {
    let Pending { session, identity, mut head, offer, claim } = pending;
    let Offer { user_id, body, relayed } = offer;
    let offered_from = source(&head.extensions);
    if identity.force_relay
        && let Some(origin) = head.extensions.get_mut::<Origin>()
    {
        origin.is_hidden = true;
    }
    let Identity { key, client, limits, .. } = &identity;
    let bounds = Bounds { of_client: limits.max_sessions, of_user: limits.max_sessions_per_user };
    let opening = Opening {
        id: session.clone(),
        client: Arc::clone(client),
        key: Arc::clone(key),
        user_id: user_id.as_deref().map(Arc::from),
        address: offered_from,
    };
    let open_session = match shared.sessions.open(opening, bounds, &span_of(&head)) {
        Ok(open_session) => open_session,
        Err(refusal) => return Err(record.refused(Reject::Sessions(refusal))),
    };
    // Whoever revokes a key ends its sessions afterwards, so one that is not among them is noticed here.
    if identity.is_revoked() {
        return Err(record.refused(Reject::Key(KeyRefusal::Revoked)));
    }
    let user = user_id.as_deref().map(|user_id| Arc::from(Grant::user_of(user_id).as_ref()));
    let claims = relayed.into_iter().map(|Relayed { address, related }| Claim {
        relayed: address,
        related,
        offered_from,
        client: Arc::clone(client),
        user: user.clone(),
    });
    if let Err(refusal) = open_session.claim(claims) {
        return Err(record.refused(Reject::Sessions(refusal)));
    }

    let forwarded = Forwarded {
        method: Method::POST,
        path: OFFER,
        session: Some(&session),
        user_id: user_id.as_deref(),
        body: body.clone(),
    };
    let brought = match shared.backends.forward(forwarded, head).await {
        Ok(Exchange { backend, answer, slot }) => {
            // Before the client knows where to send: what it sends first must not be refused.
            if answer.status().is_success() {
                open_session.name_peers(|| peers_of(answer.body())).await;
                open_session.expect_checks(|| checks_of(&body, answer.body()));
            }
            match F::write(answer, &session) {
                Ok(answer) => Ok((backend, answer, slot)),
                Err(cause) => Err(ForwardError::of(backend, cause)),
            }
        }
        Err(error) => Err(error),
    };
    let (backend, mut answer, slot) = match brought {
        Ok(brought) => brought,
        Err(error) => {
            shared.metrics.backend_failed(error.failure());
            return Err(record.failed(&error));
        }
    };
    if answer.status().is_success() && !open_session.answered(Arc::clone(&backend), slot) {
        return Err(record.refused(Reject::SessionEnded));
    }
    if F::NAMES_ICE_SERVERS
        && answer.status().is_success()
        && identity.may(Scope::IceServers)
        && let Some(issued) = shared.ice_servers.issue(&identity, user_id.as_deref(), None)
    {
        issued.write_links(answer.headers_mut());
    }
    answer.headers_mut().insert(X_SESSION_ID, session.to_header());
    record.answered(&backend, answer.status());
    if let Some(claim) = claim {
        claim.keep(&answer, Instant::now());
    }
    Ok(answer.map(Body::from))
}
