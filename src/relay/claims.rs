//! Claims: which session of the gateway an allocation belongs to.
//!
//! ```text
//! an offer names a relayed address ─▶ ClaimsHandle ─ whose port? ─▶ that worker ─ proven? ─▶ the flow bears the session
//! its answer names peers           ─▶ ClaimsHandle ─ all workers ─▶ its allocations reach them
//! a session ends                   ─▶ ClaimsHandle ─ all workers ─▶ its allocations end
//!                                     SessionEvents ◀─ claimed, refused, ended ─┘
//! ```

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use foldhash::quality::RandomState;
use tracing::info;

use super::bandwidth::SharedBandwidth;
use super::command::Command;
use super::fast_path::{Flow, Traffic};
use super::grants::{Grants, Standing};
use super::handshakes::Mailbox;
use super::news::TELLING_INTERVAL;
use super::relayed_addresses::RelayedAddresses;
use super::worker::Worker;
use crate::media::{Quality, Stage};
use crate::telemetry::{ClaimResult, RedactedAddr};
use crate::turn::{AllocationId, EndReason, FiveTuple, Grant, SourcePrefix};
use crate::wire::AddressFamily;

/// What the gateway calls a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionTag(pub Arc<str>);

/// Somebody says that an allocation is of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The session.
    pub session: SessionTag,
    /// The relayed address, as the client was told it.
    pub relayed: SocketAddr,
    /// Where the claimer says that the allocation's client is seen.
    pub related: Option<SocketAddr>,
    /// Where the claim comes from.
    pub claimed_from: IpAddr,
    /// Whose key the claim came with.
    pub client: Arc<str>,
    /// The user of the claim, as grants write users.
    pub user: Option<Arc<str>>,
}

/// Who has claimed an allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claimant {
    client: Arc<str>,
    user: Option<Arc<str>>,
}

/// The peers that a session has, on their way to the workers.
#[derive(Debug, Clone)]
pub(super) struct PeersOfSession {
    session: SessionTag,
    peers: Arc<[SocketAddr]>,
    /// Dropped by the last worker that has taken note.
    until_done: UntilDone,
}

/// Lives until every worker has done what it was told; whoever waits sees it dropped.
pub type UntilDone = Arc<dyn Any + Send + Sync>;

/// What became of the allocations of sessions.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEvent {
    /// An allocation is the session's from now on.
    Claimed(SessionTag),
    /// This much more was relayed for an allocation of the session.
    Relayed(SessionTag, Traffic),
    /// An allocation of the session has come so far.
    Reached(SessionTag, Stage),
    /// This is how the media of the session's allocation goes at present.
    Measured(SessionTag, Box<Quality>),
    /// An allocation of the session has ended.
    Ended(SessionTag, Box<AllocationReport>),
    /// An allocation is nobody's, and its client has sent a connectivity check.
    CheckSeen(CheckSeen),
}

/// A connectivity check that crosses an allocation of no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSeen {
    /// The allocation's relayed address, as its socket is bound.
    pub relayed: SocketAddr,
    /// Where its client is seen; who names it in a claim has proven that the allocation is its own.
    pub client: SocketAddr,
    /// The Binding request, signed with the password of whom it is for (RFC 8445 §7.1.1).
    pub message: Box<[u8]>,
}

/// What there is to say of an allocation that has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AllocationReport {
    /// Its client, where it was seen last.
    pub client: FiveTuple,
    /// How long it was there.
    pub lived: Duration,
    /// What was relayed since the session was told last.
    pub untold: Traffic,
    /// How far it had come.
    pub stage: Stage,
    /// How its media went, in all.
    pub quality: Quality,
}

/// Is told what becomes of the allocations of sessions; called by the workers, so it must not block.
#[derive(Clone)]
pub struct SessionEvents(Arc<dyn Fn(SessionEvent) + Send + Sync>);

/// Brings claims to the workers; may outlive its relay, and then does nothing.
#[derive(Debug)]
pub struct ClaimsHandle {
    mailboxes: Vec<Mailbox>,
    wants_peers: bool,
    grants: Arc<Grants>,
    bandwidth: Option<Arc<SharedBandwidth>>,
    /// Taken for a look-up by those who make claims, never by a worker.
    addresses: Mutex<RelayedAddresses>,
}

/// The sessions of one worker's allocations.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) of_sessions: HashMap<SessionTag, OfSession, RandomState>,
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

impl SessionEvents {
    /// Has a function called for each event.
    pub fn new(tell: impl Fn(SessionEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl ClaimsHandle {
    pub(super) fn new(
        mailboxes: Vec<Mailbox>,
        addresses: RelayedAddresses,
        wants_peers: bool,
        grants: Arc<Grants>,
        bandwidth: Option<Arc<SharedBandwidth>>,
    ) -> Self {
        Self { mailboxes, wants_peers, grants, bandwidth, addresses: Mutex::new(addresses) }
    }

    /// Whether allocations reach only the peers that are named for their session.
    pub fn wants_peers(&self) -> bool {
        self.wants_peers
    }

    /// Whether one more client could get a relayed address.
    pub fn has_room(&self) -> bool {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).has_room(Instant::now())
    }

    /// Whether the total bandwidth, if it is limited, has anything left for one more client.
    pub fn has_bandwidth(&self) -> bool {
        self.bandwidth.as_ref().is_none_or(|bandwidth| !bandwidth.is_exhausted(Instant::now()))
    }

    /// Has the worker judge whose address it is; false if it is none of ours.
    pub fn present(&self, claim: Claim) -> bool {
        let found = self.addresses.lock().unwrap_or_else(PoisonError::into_inner).find(claim.relayed);
        let Some(neighbour) = found else { return false };
        let Some(mailbox) = self.mailboxes.get(usize::from(neighbour.owner.worker)) else { return false };
        let family = AddressFamily::of(neighbour.local.ip());
        let command = Command::Claim { claim: Box::new(claim), index: neighbour.owner.index, family };
        let is_sent = mailbox.commands.send(command).is_ok();
        mailbox.waker.wake();
        is_sent
    }

    /// Lets the allocations of a session reach these peers and no others, where sessions name their peers. What is given is
    /// dropped once every worker obeys.
    pub fn name_peers(&self, session: &SessionTag, peers: &Arc<[SocketAddr]>, until_done: UntilDone) {
        let named = PeersOfSession { session: session.clone(), peers: Arc::clone(peers), until_done };
        self.tell(|| Command::NamePeers(Box::new(named.clone())));
    }

    /// Ends the allocations of a session, and what its grants are good for.
    pub fn end(&self, session: &SessionTag) {
        self.grants.block(session, unix_seconds());
        self.tell(|| Command::CloseSession(session.clone()));
    }

    /// A key of the gateway was revoked: nothing begins with its grants any more, and what has begun with them ends.
    pub fn revoke_key(&self, key: &Arc<str>) {
        self.grants.revoke(key, unix_seconds());
        self.tell(|| Command::CloseRevoked);
    }

    /// Leaves the allocations of a session to their clients, so that another session can claim them. Of this no event
    /// tells.
    pub fn release(&self, session: &SessionTag) {
        self.grants.release(session);
        self.tell(|| Command::ReleaseSession(session.clone()));
    }

    fn tell(&self, command: impl Fn() -> Command) {
        for mailbox in &self.mailboxes {
            // A worker that is gone has no allocations.
            let _ = mailbox.commands.send(command());
            mailbox.waker.wake();
        }
    }
}

impl Claims {
    pub(super) fn new(events: Option<SessionEvents>, media_silence: Duration) -> Self {
        Self { of_sessions: HashMap::default(), events, next_telling: None, media_silence }
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
        if let Some(SessionEvents(tell)) = &self.events {
            tell(event);
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
        if flow.grant.as_ref().is_some_and(|grant| !self.grants.bind(grant, &claim.session, before.as_ref()))
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
        self.claims.tell(SessionEvent::Claimed(claim.session.clone()));
        ClaimResult::Claimed
    }

    /// An allocation has begun with a grant, which may be a session's already.
    pub(super) fn began_with(&mut self, allocation: AllocationId, grant: Arc<Grant>) {
        let standing = self.grants.standing(&grant);
        let Some(flow) = self.fast_path.flow_mut(allocation.index) else { return };
        flow.grant = Some(grant);
        let Standing::Of(session) = standing else { return };
        flow.claimant = flow
            .grant
            .as_ref()
            .map(|grant| Arc::new(Claimant { client: Arc::clone(&grant.client), user: grant.user.clone() }));
        flow.session = Some(session.clone());
        self.tie(&session, allocation);
        self.stats.claimed(ClaimResult::Claimed);
        self.claims.tell(SessionEvent::Claimed(session));
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
        // A claim that was under way when the session ended has bound them only now.
        self.grants.block(session, self.now.unix_seconds);
    }

    /// Ends the allocations that no session has claimed and whose grants are of a key that was revoked.
    pub(super) fn close_revoked(&mut self) {
        let is_revoked = |flow: &Flow| {
            let grant = flow.grant.as_ref().filter(|_| flow.session.is_none());
            grant.is_some_and(|grant| self.grants.is_revoked(grant))
        };
        let revoked = self.fast_path.flows().filter(|(_, flow)| is_revoked(flow));
        let indices: Vec<u32> = revoked.map(|(index, _)| index).collect();
        for allocation in
            indices.into_iter().filter_map(|index| self.relays.allocation(index)).collect::<Vec<_>>()
        {
            self.server.close(allocation, EndReason::SessionEnded);
            self.carry_out(None);
        }
    }

    /// Leaves the allocations of a session to their clients.
    pub(super) fn release_session(&mut self, session: &SessionTag) {
        for allocation in self.claims.of_sessions.remove(session).unwrap_or_default().allocations {
            if let Some(flow) = self.fast_path.flow_mut(allocation.index) {
                (flow.session, flow.watch) = (None, None);
            }
            self.server.release(self.now, allocation);
            self.carry_out(None);
        }
        // As when it ends.
        self.grants.release(session);
    }
}

/// Whether a claim is of the user whose claim an allocation is, of whom there is a name.
fn is_of_same_user(claim: &Claim, claimant: Option<&Claimant>) -> bool {
    let is_same = |claimant: &Claimant| claimant.client == claim.client && claimant.user == claim.user;
    claim.user.is_some() && claimant.is_some_and(is_same)
}

/// Whether the claimer is the allocation's client: it has the grant's client and user; or, where nothing was granted, it
/// comes from where that is, or knows where we see it.
fn is_proven(claim: &Claim, client: SocketAddr, grant: Option<&Grant>) -> bool {
    if let Some(grant) = grant {
        let is_of_user = grant.user.is_none() || grant.user == claim.user;
        return grant.client == claim.client && is_of_user;
    }
    let canonical = |address: SocketAddr| (address.ip().to_canonical(), address.port());
    SourcePrefix::of(claim.claimed_from) == SourcePrefix::of(client.ip())
        || claim.related.is_some_and(|related| canonical(related) == canonical(client))
}

#[expect(clippy::disallowed_methods, reason = "the relay owns a clock; grants expire by the wall's")]
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl fmt::Debug for SessionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEvents").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::GrantId;

    #[test]
    fn a_claim_is_proven_by_the_address_it_comes_from_or_by_the_one_it_names() {
        for (claimed_from, related, client, is_right) in [
            ("198.51.100.7", None, "198.51.100.7:4000", true),
            ("::ffff:198.51.100.7", None, "198.51.100.7:4000", true),
            ("198.51.100.8", None, "198.51.100.7:4000", false),
            ("2001:db8::1", None, "[2001:db8::2]:4000", true),
            ("2001:db8:0:1::1", None, "[2001:db8::2]:4000", false),
            ("203.0.113.1", Some("198.51.100.7:4000"), "198.51.100.7:4000", true),
            ("203.0.113.1", Some("198.51.100.7:4001"), "198.51.100.7:4000", false),
            ("203.0.113.1", Some("0.0.0.0:0"), "198.51.100.7:4000", false),
        ] {
            let claim = Claim {
                session: SessionTag("s".into()),
                relayed: "192.0.2.1:50000".parse().unwrap(),
                related: related.map(|related| related.parse().unwrap()),
                claimed_from: claimed_from.parse().unwrap(),
                client: "app".into(),
                user: None,
            };
            assert_eq!(is_proven(&claim, client.parse().unwrap(), None), is_right, "{claim:?} of {client}");
        }
    }

    #[test]
    fn a_grant_is_worth_more_than_addresses() {
        let address: SocketAddr = "198.51.100.7:4000".parse().unwrap();
        let grant = |client: &str, user: Option<&str>| Grant {
            id: GrantId([7; 16]),
            issued: 0,
            expires: 1,
            key: "key".into(),
            client: client.into(),
            user: user.map(Arc::from),
        };
        for (claimed_from, granted, is_right) in [
            ("203.0.113.1", grant("app", Some("ann")), true),
            ("203.0.113.1", grant("app", None), true),
            ("198.51.100.7", grant("app", Some("bob")), false),
            ("198.51.100.7", grant("web", Some("ann")), false),
        ] {
            let claim = Claim {
                session: SessionTag("s".into()),
                relayed: "192.0.2.1:50000".parse().unwrap(),
                related: Some(address),
                claimed_from: claimed_from.parse().unwrap(),
                client: "app".into(),
                user: Some("ann".into()),
            };
            assert_eq!(is_proven(&claim, address, Some(&granted)), is_right, "{granted:?}");
        }
    }

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
