//! `RelayLink`: what the gateway asks of the relay. The rooms do not know each other; `app` joins them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use super::http::ids::SessionId;

/// A relay, as the gateway sees it. None of its functions waits.
pub trait RelayView: Send + Sync {
    /// Makes an allocation belong to a session, if the claim is proven; what came of it is told to
    /// [`SessionsHandle`](super::SessionsHandle).
    fn claim(&self, session: &SessionId, claim: Claim);

    /// Ends the allocations that belong to a session.
    fn close(&self, session: &SessionId);

    /// Leaves the allocations of a session to their clients, so that another session can claim them.
    fn release(&self, session: &SessionId);
}

/// An offer says that an allocation is its client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The relayed address that the offer names.
    pub relayed: SocketAddr,
    /// The address of the client that the offer names beside it (`raddr` and `rport` of RFC 8839 §5.1).
    pub related: Option<SocketAddr>,
    /// Where the offer came from.
    pub offered_from: IpAddr,
}

/// The way to the relay, which starts after the gateway; clones share it.
#[derive(Clone, Default)]
pub(super) struct RelayLink(Arc<OnceLock<Box<dyn RelayView>>>);

impl RelayLink {
    /// Tells which relay it is; the first one stays.
    pub(super) fn join(&self, relay: Box<dyn RelayView>) {
        let _ = self.0.set(relay);
    }

    pub(super) fn claim(&self, session: &SessionId, claim: Claim) {
        if let Some(relay) = self.0.get() {
            relay.claim(session, claim);
        }
    }

    pub(super) fn release(&self, session: &SessionId) {
        if let Some(relay) = self.0.get() {
            relay.release(session);
        }
    }

    pub(super) fn close(&self, session: &SessionId) {
        if let Some(relay) = self.0.get() {
            relay.close(session);
        }
    }
}

impl fmt::Debug for RelayLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RelayLink").field(&self.0.get().is_some()).finish()
    }
}
