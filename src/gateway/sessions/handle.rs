//! `SessionsHandle`: where `app` brings what the relay says about the sessions' allocations.

use tracing::debug;

use super::store::Sessions;
use crate::gateway::http::ids::SessionId;
use crate::gateway::relay_link::RelayLink;

/// Leads to the live sessions of a gateway.
#[derive(Debug, Clone)]
pub struct SessionsHandle {
    pub(in crate::gateway) sessions: Sessions,
    pub(in crate::gateway) relay: RelayLink,
}

impl SessionsHandle {
    /// A claim was proven: an allocation belongs to the session from now on.
    pub fn allocation_claimed(&self, session: &SessionId) {
        if !self.sessions.allocation_claimed(session) {
            debug!(%session, "allocation claimed for a session that has ended");
            self.relay.close(session);
        }
    }

    /// An allocation of the session has ended.
    pub fn allocation_ended(&self, session: &SessionId) {
        self.sessions.allocation_ended(session);
    }
}
