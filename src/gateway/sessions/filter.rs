//! `Filter`: which sessions a list is asked for.

use super::session::{Opening, Session};
use crate::telemetry::SessionState;

/// Which sessions are meant; what is not given is not asked about.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::gateway) struct Filter<'a> {
    pub(in crate::gateway) client: Option<&'a str>,
    pub(in crate::gateway) key: Option<&'a str>,
    pub(in crate::gateway) user_id: Option<&'a str>,
    pub(in crate::gateway) backend: Option<&'a str>,
    pub(in crate::gateway) state: Option<SessionState>,
}

impl Filter<'_> {
    pub(super) fn lets_through(&self, session: &Session) -> bool {
        let Opening { client, key, user_id, .. } = &session.opening;
        let agrees = |wanted: Option<&str>, has: Option<&str>| wanted.is_none() || wanted == has;
        agrees(self.client, Some(client))
            && agrees(self.key, Some(key))
            && agrees(self.user_id, user_id.as_deref())
            && agrees(self.backend, session.backend.as_deref())
            && self.state.is_none_or(|state| state == session.state)
    }
}
