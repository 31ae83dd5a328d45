//! The biggest users as the whole gateway asks for them: with names for operators, without for metrics.

use std::sync::Arc;

use tokio::time::Instant;

use super::store::Sessions;
use super::user_traffic::BiggestUsers;
use crate::telemetry::{USER_RANKS, UserBytes};

impl Sessions {
    /// At most so many users, the one for whom the most was relayed of late first.
    pub(in crate::gateway) fn biggest_users(&self, most: usize) -> BiggestUsers {
        self.registry().biggest_users(most, Instant::now())
    }

    /// Has metrics ask for them from now on.
    pub(super) fn show_biggest_users(&self) {
        // The metrics are part of what they ask.
        let shared = Arc::downgrade(&self.shared);
        self.shared.metrics.users().watch(move || {
            let sessions = shared.upgrade().map(|shared| Self { shared });
            sessions.map_or_else(UserBytes::default, |sessions| sessions.user_bytes())
        });
    }

    fn user_bytes(&self) -> UserBytes {
        let BiggestUsers { total_bytes, users, .. } = self.biggest_users(USER_RANKS);
        let mut ranks = [0; USER_RANKS];
        for (rank, user) in ranks.iter_mut().zip(&users) {
            *rank = user.bytes;
        }
        UserBytes { ranks, other: total_bytes.saturating_sub(ranks.iter().sum()) }
    }
}
