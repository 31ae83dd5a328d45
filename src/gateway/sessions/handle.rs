//! `SessionsHandle`: where `app` brings what the relay says about the sessions' allocations.

use super::store::Sessions;
use super::usage::Usage;
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

    /// This much more was relayed for the session.
    pub fn relayed(&self, session: &SessionId, usage: Usage) {
        self.sessions.relayed(session, usage);
    }

    /// An allocation of the session has ended, and this is what was not told of it yet.
    pub fn allocation_ended(&self, session: &SessionId, usage: Usage) {
        self.sessions.allocation_ended(session, usage);
    }
}
