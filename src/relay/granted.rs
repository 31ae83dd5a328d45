//! Allocations with a grant: a grant serves one session, so once that is known they are all of it.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::claim::Claimant;
use super::command::Command;
use super::grants::Standing;
use super::session_events::SessionEvent;
use super::worker::Worker;
use crate::telemetry::ClaimResult;
use crate::turn::{AllocationId, EndReason, Grant, GrantId};

/// One worker's allocations with a grant that no session has claimed yet.
#[derive(Debug, Default)]
pub(super) struct Unclaimed(HashMap<GrantId, OfGrant, RandomState>);

#[derive(Debug)]
struct OfGrant {
    grant: Arc<Grant>,
    allocations: Vec<AllocationId>,
}

impl Unclaimed {
    pub(super) fn insert(&mut self, grant: &Arc<Grant>, allocation: AllocationId) {
        let new = || OfGrant { grant: Arc::clone(grant), allocations: Vec::new() };
        self.0.entry(grant.id).or_insert_with(new).allocations.push(allocation);
    }

    pub(super) fn remove(&mut self, grant: &Grant, allocation: AllocationId) {
        let Some(of_grant) = self.0.get_mut(&grant.id) else { return };
        of_grant.allocations.retain(|&other| other != allocation);
        if of_grant.allocations.is_empty() {
            self.0.remove(&grant.id);
        }
    }

    fn take(&mut self, grant: &Grant) -> Vec<AllocationId> {
        self.0.remove(&grant.id).map_or(Vec::new(), |of_grant| of_grant.allocations)
    }

    fn grants(&self) -> impl Iterator<Item = &Arc<Grant>> {
        self.0.values().map(|of_grant| &of_grant.grant)
    }
}

impl Worker {
    /// An allocation has begun here with a grant, or has moved here.
    pub(super) fn began_with(&mut self, allocation: AllocationId, grant: Arc<Grant>) {
        let Some(flow) = self.fast_path.flow_mut(allocation.index) else { return };
        flow.grant = Some(Arc::clone(&grant));
        self.claims.unclaimed.insert(&grant, allocation);
        self.take_note(&grant);
    }

    /// A session has got a grant here: allocations with it may be anywhere.
    pub(super) fn settle(&mut self, grant: &Arc<Grant>) {
        self.take_note(grant);
        self.moves.tell_others(|| Command::TakeNote(Arc::clone(grant)));
    }

    /// Makes the unclaimed allocations with a grant its session's, or ends them if that is over.
    pub(super) fn take_note(&mut self, grant: &Arc<Grant>) {
        match self.grants.standing(grant) {
            Standing::Free => {}
            Standing::Of(session) => {
                for allocation in self.claims.unclaimed.take(grant) {
                    let Some(flow) = self.fast_path.flow_mut(allocation.index) else { continue };
                    let (client, user) = (Arc::clone(&grant.client), grant.user.clone());
                    flow.claimant = Some(Arc::new(Claimant { client, user }));
                    flow.session = Some(session.clone());
                    let tag = flow.tag;
                    self.tie(&session, allocation);
                    self.stats.claimed(ClaimResult::Claimed);
                    self.claims.tell(SessionEvent::Claimed(session.clone(), tag));
                }
            }
            Standing::Blocked => {
                for allocation in self.claims.unclaimed.take(grant) {
                    self.server.close(allocation, EndReason::SessionEnded);
                    self.carry_out(None);
                }
            }
        }
    }

    /// Ends the unclaimed allocations whose grants are of a key that was revoked.
    pub(super) fn close_revoked(&mut self) {
        let is_revoked = |grant: &&Arc<Grant>| self.grants.is_revoked(grant);
        let revoked: Vec<_> = self.claims.unclaimed.grants().filter(is_revoked).cloned().collect();
        for grant in revoked {
            self.take_note(&grant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_a_grant_with_its_last_allocation() {
        let grant = Arc::new(Grant {
            id: GrantId([7; 16]),
            issued: 0,
            expires: 1,
            key: "key".into(),
            client: "app".into(),
            user: None,
        });
        let mut unclaimed = Unclaimed::default();
        let [first, second] = [0, 1].map(|index| AllocationId { index, generation: 0 });
        unclaimed.insert(&grant, first);
        unclaimed.insert(&grant, second);
        unclaimed.remove(&grant, first);
        assert_eq!(unclaimed.grants().count(), 1);
        assert_eq!(unclaimed.take(&grant), [second]);
        unclaimed.remove(&grant, second);
        assert_eq!(unclaimed.grants().count(), 0);
    }
}
