//! `OpenSession`: a session between its offer and its answer.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::bounds::Refusal;
use super::expected_checks::ExpectedCheck;
use super::record;
use super::store::Sessions;
use crate::gateway::backends::MediaSlot;
use crate::gateway::http::ids::SessionId;
use crate::gateway::relay_link::Claim;
use crate::telemetry::SessionEnd;

/// A session whose offer has not been answered; dropped, it has failed.
#[derive(Debug)]
pub(in crate::gateway) struct OpenSession {
    pub(super) sessions: Sessions,
    pub(super) id: SessionId,
    pub(super) is_answered: bool,
}

impl OpenSession {
    #[cfg(test)]
    pub(in crate::gateway) fn id(&self) -> &SessionId {
        &self.id
    }

    /// Names allocations of the relay as the session's. A client that has none, where there are none left, is refused before
    /// a backend works for it.
    pub(in crate::gateway) fn claim(&self, claims: impl IntoIterator<Item = Claim>) -> Result<(), Refusal> {
        // Most offers name addresses of other relays too, and many no others.
        let relay = &self.sessions.shared.relay;
        if !relay.has_bandwidth() {
            self.sessions.shared.metrics.refused(Refusal::RelayBusy.cause());
            return Err(Refusal::RelayBusy);
        }
        let ours = claims.into_iter().filter(|claim| self.sessions.claim(&self.id, claim.clone())).count();
        if ours == 0 && !relay.has_room() {
            self.sessions.shared.metrics.refused(Refusal::RelayFull.cause());
            return Err(Refusal::RelayFull);
        }
        Ok(())
    }

    /// Lets the session's allocations reach the peers that its answer names, and returns once they do.
    pub(in crate::gateway) async fn name_peers(&self, peers: impl FnOnce() -> Vec<SocketAddr>) {
        let relay = &self.sessions.shared.relay;
        if !relay.wants_peers() {
            return;
        }
        self.sessions.registry().claims(&self.id);
        relay.name_peers(&self.id, &peers()).await;
    }

    /// Where the offer names no allocation of ours, as its client sends it before it has any, the checks that this client
    /// will send tell which ones are the session's.
    pub(in crate::gateway) fn expect_checks(&self, checks: impl FnOnce() -> Vec<ExpectedCheck>) {
        let Sessions { shared } = &self.sessions;
        let has_claims = self.sessions.registry().get(&self.id).is_none_or(|session| session.has_claims);
        if shared.relay.is_there() && !has_claims {
            let checks = checks();
            self.sessions.registry().expect_checks(&self.id, checks);
        }
    }

    /// The client gets its answer; false if the session was ended while the backend thought.
    pub(in crate::gateway) fn answered(mut self, backend: Arc<str>, slot: Option<MediaSlot>) -> bool {
        self.is_answered = true;
        let records = self.sessions.shared.records.get();
        let mut opening = None;
        let is_live = self.sessions.change(|registry| {
            let is_live = registry.answered(&self.id, (backend, slot), Instant::now());
            if let Some(span) = registry.span_of(&self.id).filter(|_| is_live) {
                span.answered();
            }
            opening = records.and_then(|_| registry.get(&self.id).map(record::opening));
            is_live
        });
        if let Some((records, opening)) = records.zip(opening) {
            records.began(opening);
        }
        is_live
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        if !self.is_answered {
            self.sessions.end(&self.id, SessionEnd::Failed);
        }
    }
}
