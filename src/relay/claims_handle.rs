//! `ClaimsHandle`: brings to the workers what sessions claim, name and end.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::bandwidth::SharedBandwidth;
use super::claim::Claim;
use super::claims::PeersOfSession;
use super::command::Command;
use super::grants::Grants;
use super::handshakes::Mailbox;
use super::relayed_addresses::RelayedAddresses;
use super::session_events::SessionTag;
use crate::wire::AddressFamily;

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

/// Lives until every worker has done what it was told; whoever waits sees it dropped.
pub type UntilDone = Arc<dyn Any + Send + Sync>;

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

#[expect(clippy::disallowed_methods, reason = "the relay owns a clock; grants expire by the wall's")]
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
