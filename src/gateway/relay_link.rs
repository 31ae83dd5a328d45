//! `RelayLink`: what the gateway asks of the relay. The rooms do not know each other; `app` joins them.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use super::http::ids::SessionId;

/// A relay, as the gateway sees it. None of its functions waits.
pub trait RelayView: Send + Sync {
    /// Makes an allocation belong to a session, if the claim is proven; what came of it, and that it was judged, is told
    /// to [`SessionsHandle`](super::SessionsHandle). False if the address is none of the relay's; then nothing is told.
    fn claim(&self, session: &SessionId, claim: Claim) -> bool;

    /// Whether one more client could get a relayed address.
    fn has_room(&self) -> bool;

    /// Whether there is bandwidth left for one more client.
    fn has_bandwidth(&self) -> bool;

    /// Whether allocations reach only the peers that are named for their session.
    fn wants_peers(&self) -> bool;

    /// Lets the allocations of a session, those to come as well, reach these peers and no others.
    fn name_peers(&self, session: &SessionId, peers: &[SocketAddr], until_done: UntilDone);

    /// Ends the allocations that belong to a session.
    fn close(&self, session: &SessionId);

    /// Leaves the allocations of a session to their clients, so that another session can claim them.
    fn release(&self, session: &SessionId);

    /// Ends what was granted to a key and is no session's, since the key is revoked.
    fn revoke_key(&self, key: &str);
}

/// An offer says that an allocation is its client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The relayed address that the offer names.
    pub relayed: SocketAddr,
    /// The address of the client that the offer names beside it (`raddr` and `rport` of RFC 8839 §5.1).
    pub related: Option<SocketAddr>,
    /// Where the offer came from.
    pub offered_from: IpAddr,
    /// Whose key it came with.
    pub client: Arc<str>,
    /// Its user, as grants write users.
    pub user: Option<Arc<str>>,
}

/// Is dropped by the relay once it does what it was asked.
pub type UntilDone = Arc<dyn Any + Send + Sync>;

/// The way to the relay, which starts after the gateway; clones share it.
#[derive(Clone, Default)]
pub(super) struct RelayLink(Arc<OnceLock<Box<dyn RelayView>>>);

impl RelayLink {
    /// Tells which relay it is; the first one stays.
    pub(super) fn join(&self, relay: Box<dyn RelayView>) {
        let _ = self.0.set(relay);
    }

    pub(super) fn claim(&self, session: &SessionId, claim: Claim) -> bool {
        self.0.get().is_some_and(|relay| relay.claim(session, claim))
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.get().is_some()
    }

    /// Where there is no relay, nobody waits for one.
    pub(super) fn has_room(&self) -> bool {
        self.0.get().is_none_or(|relay| relay.has_room())
    }

    pub(super) fn has_bandwidth(&self) -> bool {
        self.0.get().is_none_or(|relay| relay.has_bandwidth())
    }

    pub(super) fn revoke_key(&self, key: &str) {
        if let Some(relay) = self.0.get() {
            relay.revoke_key(key);
        }
    }

    pub(super) fn wants_peers(&self) -> bool {
        self.0.get().is_some_and(|relay| relay.wants_peers())
    }

    /// Returns when the relay lets the session's media through.
    pub(super) async fn name_peers(&self, session: &SessionId, peers: &[SocketAddr]) {
        let Some(relay) = self.0.get() else { return };
        let (sender, done) = oneshot::channel::<Infallible>();
        relay.name_peers(session, peers, Arc::new(sender));
        // Nothing is ever sent: what counts is that the relay has let go of it.
        let _ = done.await;
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
