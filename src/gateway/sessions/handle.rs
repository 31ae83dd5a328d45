//! `SessionsHandle`: where `app` brings what the relay says about the sessions' allocations.

use super::store::Sessions;
use crate::gateway::http::ids::SessionId;

/// Leads to the live sessions of a gateway.
#[derive(Debug, Clone)]
pub struct SessionsHandle {
    pub(in crate::gateway) sessions: Sessions,
}

impl SessionsHandle {
    /// A claim was proven: an allocation belongs to the session from now on.
    pub fn allocation_claimed(&self, session: &SessionId) {
        self.sessions.allocation_claimed(session);
    }

    /// An allocation of the session has ended.
    pub fn allocation_ended(&self, session: &SessionId) {
        self.sessions.allocation_ended(session);
    }
}
