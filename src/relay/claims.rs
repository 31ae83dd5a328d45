//! Claims: which session of the gateway an allocation belongs to.
//!
//! ```text
//! an offer names a relayed address ─▶ ClaimsHandle ─ whose port? ─▶ that worker ─ proven? ─▶ the flow bears the session
//! its answer names peers           ─▶ ClaimsHandle ─ all workers ─▶ its allocations reach them
//! a session ends                   ─▶ ClaimsHandle ─ all workers ─▶ its allocations end
//!                                     SessionEvents ◀─ claimed, judged, ended ─┘
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use tracing::info;

use super::claim::{Claim, Claimant, is_of_same_user, is_proven};
use super::claims_handle::UntilDone;
use super::command::Command;
use super::granted::Unclaimed;
use super::news::TELLING_INTERVAL;
use super::session_events::{SessionEvent, SessionEvents, SessionTag};
use super::worker::Worker;
use crate::telemetry::{ClaimResult, RedactedAddr};
use crate::turn::{AllocationId, EndReason, Grant};
use crate::wire::AddressFamily;

/// The peers that a session has, on their way to the workers.
#[derive(Debug, Clone)]
pub(super) struct PeersOfSession {
    pub(super) session: SessionTag,
    pub(super) peers: Arc<[SocketAddr]>,
    /// Dropped by the last worker that has taken note.
    pub(super) until_done: UntilDone,
}

/// The sessions of one worker's allocations.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) of_sessions: HashMap<SessionTag, OfSession, RandomState>,
    /// Allocations with a grant that no session has.
    pub(super) unclaimed: Unclaimed,
    events: Option<SessionEvents>,
    /// When sessions are told next what was relayed for them.
    pub(super) next_telling: Option<Instant>,
    /// How long a client may send no media before its session has stalled.
    pub(super) media_silence: Duration,
}

/// What one worker knows of a session.
#[derive(Debug, Default)]
pub(super) struct OfSession {
    pub(super) allocations: Vec<AllocationId>,
    /// The peers that it has, also for allocations that are still to come, once they are known.
    peers: Option<Arc<[SocketAddr]>>,
}

impl Claims {
    pub(super) fn new(events: Option<SessionEvents>, media_silence: Duration) -> Self {
        Self { events, media_silence, ..Self::default() }
    }

    /// When [`Worker::tell_sessions`] is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.next_telling
    }

    /// Notes that an allocation is of a session.
    pub(super) fn insert(&mut self, session: &SessionTag, allocation: AllocationId, now: Instant) {
        self.next_telling.get_or_insert(now + TELLING_INTERVAL);
        self.of_sessions.entry(session.clone()).or_default().allocations.push(allocation);
    }

    /// Forgets that.
    pub(super) fn remove(&mut self, session: &SessionTag, allocation: AllocationId) {
        let Some(of_session) = self.of_sessions.get_mut(session) else { return };
        of_session.allocations.retain(|&other| other != allocation);
        // Whoever has named its peers says as well when it has ended.
        if of_session.allocations.is_empty() && of_session.peers.is_none() {
            self.of_sessions.remove(session);
        }
    }

    fn allocations(&self, session: &SessionTag) -> Vec<AllocationId> {
        self.of_sessions.get(session).map_or(Vec::new(), |of_session| of_session.allocations.clone())
    }

    pub(super) fn tell(&self, event: SessionEvent) {
        if let Some(events) = &self.events {
            events.tell(event);
        }
    }
}

impl Worker {
    /// Makes an allocation a session's, if the claimer has shown that it is its client's.
    pub(super) fn judge_claim(&mut self, claim: Claim, index: u32, family: AddressFamily) {
        let result = self.accept_claim(&claim, index, family);
        self.stats.claimed(result);
        info!(
            session = &*claim.session.0,
            relayed = %RedactedAddr(claim.relayed),
            result = result.label(),
            "allocation claimed"
        );
        self.claims.tell(SessionEvent::Judged(claim.session));
    }

    fn accept_claim(&mut self, claim: &Claim, index: u32, family: AddressFamily) -> ClaimResult {
        let Some(allocation) = self.relays.allocation(index) else { return ClaimResult::NoAllocation };
        // Ports change hands, and the claim was under way.
        let is_same = self
            .relays
            .get(index, family)
            .is_some_and(|socket| socket.local_addr().port() == claim.relayed.port());
        let Some(flow) = self.fast_path.flow_mut(index).filter(|_| is_same) else {
            return ClaimResult::NoAllocation;
        };
        let is_new_to = |session: &SessionTag| *session != claim.session;
        let before = flow.session.clone().filter(is_new_to);
        if before.is_some() && !is_of_same_user(claim, flow.claimant.as_deref()) {
            return ClaimResult::Taken;
        }
        if !is_proven(claim, flow.client.client, flow.grant.as_deref()) {
            return ClaimResult::NotProven;
        }
        if flow.session.as_ref() == Some(&claim.session) {
            // By its grant, or since the offer names it twice; of each allocation the session is told once.
            return ClaimResult::Claimed;
        }
        let grant = flow.grant.clone();
        if let Some(grant) = &grant
            && !self.grants.bind(grant, &claim.session, before.as_ref())
        {
            return ClaimResult::Taken;
        }
        if let Some(before) = before {
            // Its user goes on with another offer.
            let report = Box::new(flow.report(self.now.instant));
            flow.watch = None;
            self.claims.remove(&before, allocation);
            self.claims.tell(SessionEvent::Ended(before, report));
        }
        let Some(flow) = self.fast_path.flow_mut(index) else { return ClaimResult::NoAllocation };
        let tag = flow.tag;
        flow.claimant =
            Some(Arc::new(Claimant { client: Arc::clone(&claim.client), user: claim.user.clone() }));
        flow.session = Some(claim.session.clone());
        // Users who share a name share no bandwidth; a grant has named the user already.
        if flow.grant.is_none() && claim.user.is_some() {
            let account = Grant::account_of(&claim.client, claim.user.as_deref());
            if let Some(bandwidth) = &mut self.bandwidth {
                bandwidth.charge(allocation.index, &account);
            }
        }
        self.relays.claimed(allocation.index);
        self.tie(&claim.session, allocation);
        self.claims.tell(SessionEvent::Claimed(claim.session.clone(), tag));
        if let Some(grant) = grant {
            self.claims.unclaimed.remove(&grant, allocation);
            self.settle(&grant);
        }
        ClaimResult::Claimed
    }

    /// Makes an allocation, which is here from now on, one of a session's.
    pub(super) fn tie(&mut self, session: &SessionTag, allocation: AllocationId) {
        if let Some(flow) = self.fast_path.flow_mut(allocation.index) {
            flow.watch.get_or_insert_default();
        }
        self.claims.insert(session, allocation, self.now.instant);
        self.server.claim(self.now, allocation);
        self.carry_out(None);
        let peers = self.claims.of_sessions.get(session).and_then(|of_session| of_session.peers.clone());
        if let Some(peers) = peers {
            self.server.name_peers(self.now, allocation, &peers);
            self.carry_out(None);
        }
    }

    /// Lets the allocations of a session reach its peers, those to come as well.
    pub(super) fn name_peers(&mut self, PeersOfSession { session, peers, until_done }: PeersOfSession) {
        for allocation in self.claims.allocations(&session) {
            self.server.name_peers(self.now, allocation, &peers);
            self.carry_out(None);
        }
        self.claims.of_sessions.entry(session).or_default().peers = Some(peers);
        drop(until_done);
    }

    /// Ends the allocations of a session.
    pub(super) fn close_session(&mut self, session: &SessionTag) {
        for allocation in self.claims.allocations(session) {
            self.server.close(allocation, EndReason::SessionEnded);
            self.carry_out(None);
        }
        self.claims.of_sessions.remove(session);
        // A claim that was under way when the session ended has bound a grant only now, and others may have heard of that.
        if self.grants.block(session, self.now.unix_seconds) {
            self.moves.tell_others(|| Command::CloseSession(session.clone()));
        }
    }

    /// Leaves the allocations of a session to their clients.
    pub(super) fn release_session(&mut self, session: &SessionTag) {
        for allocation in self.claims.of_sessions.remove(session).unwrap_or_default().allocations {
            if let Some(flow) = self.fast_path.flow_mut(allocation.index) {
                (flow.session, flow.watch) = (None, None);
                if let Some(grant) = &flow.grant {
                    self.claims.unclaimed.insert(grant, allocation);
                }
            }
            self.server.release(self.now, allocation);
            self.carry_out(None);
        }
        // As when it ends.
        self.grants.release(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_a_session_with_its_last_allocation() {
        let mut claims = Claims::default();
        let session = SessionTag("s".into());
        let [first, second] = [0, 1].map(|index| AllocationId { index, generation: 0 });
        claims.insert(&session, first, Instant::now());
        claims.insert(&session, second, Instant::now());
        claims.remove(&session, first);
        assert_eq!(claims.allocations(&session), [second]);
        claims.remove(&session, second);
        claims.remove(&session, second);
        assert!(claims.of_sessions.is_empty());
    }
}
