//! Claims: a session says that an allocation is its own, and which peers it has.
//!
//! An allocation may have to wait for that: it then reaches nobody, and that of a client without credentials ends when no
//! session claims it in time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::auth::User;
use super::five_tuple::{AllocationId, Now};
use super::reach::Reach;
use super::server::Server;

impl Server {
    /// A session has claimed an allocation, which waits for nobody any more.
    pub fn claim(&mut self, now: Now, id: AllocationId) {
        self.begin_input();
        self.update(id, now, |allocation| allocation.unclaimed_until = None);
    }

    /// The session of an allocation has its peers: from now on it reaches these, if its peers are to be named at all.
    pub fn name_peers(&mut self, now: Now, id: AllocationId, peers: &Arc<[SocketAddr]>) {
        self.begin_input();
        self.set_reach(id, now, Reach::Named(Arc::clone(peers)));
    }

    /// An allocation is no session's any more, and waits again if it did so at its beginning.
    pub fn release(&mut self, now: Now, id: AllocationId) {
        self.begin_input();
        let Some(user) = self.table.get(id).map(|allocation| allocation.user.clone()) else { return };
        let unclaimed_until = self.unclaimed_until(now, &user);
        self.set_reach(id, now, Reach::Nowhere);
        self.update(id, now, |allocation| allocation.unclaimed_until = unclaimed_until);
    }

    /// How far a user's allocation reaches at its beginning.
    pub(super) fn first_reach(&self, user: &User) -> Reach {
        match user.is_anonymous() {
            true if self.settings.anonymous_await_claims => Reach::Nowhere,
            true => Reach::Backends,
            false if self.settings.sessions_name_peers => Reach::Nowhere,
            false => Reach::Policy,
        }
    }

    /// How long a user's allocation may be without a session.
    pub(super) fn unclaimed_until(&self, now: Now, user: &User) -> Option<Instant> {
        let awaits_claim = user.is_anonymous() && self.settings.anonymous_await_claims;
        awaits_claim.then(|| now.instant + self.settings.claim_patience)
    }

    /// Whether no session has claimed an allocation in time.
    pub(super) fn is_left_unclaimed(&self, id: AllocationId, now: Now) -> bool {
        let allocation = self.table.get(id);
        let until = allocation.and_then(|allocation| allocation.unclaimed_until);
        until.is_some_and(|until| until <= now.instant)
    }

    /// Changes how far an allocation reaches that is bound to the peers of its session; what it loses by that ends.
    fn set_reach(&mut self, id: AllocationId, now: Now, reach: Reach) {
        match self.table.get(id).map(|allocation| &allocation.reach) {
            Some(Reach::Nowhere | Reach::Named(_)) => {}
            Some(Reach::Policy | Reach::Backends) | None => return,
        }
        let policy = self.settings.peer_policy.clone();
        self.update(id, now, |allocation| {
            allocation.reach = reach.clone();
            allocation.end_forbidden(&policy, now.instant);
        });
        self.end_connections(id, now, |connection| !reach.covers(&policy, connection.peer));
    }
}
