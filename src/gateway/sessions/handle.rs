//! `SessionsHandle`: where `app` brings what the relay says about the sessions' allocations.

use std::net::SocketAddr;
use std::time::Duration;

use super::store::Sessions;
use super::usage::Usage;
use crate::gateway::http::ids::SessionId;
use crate::media::{Quality, Stage};
use crate::turn::FiveTuple;

/// Leads to the live sessions of a gateway.
#[derive(Debug, Clone)]
pub struct SessionsHandle {
    pub(in crate::gateway) sessions: Sessions,
}

/// Tells the allocations of a process apart, wherever they move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllocationTag(pub u64);

/// What there is to say of an allocation that has ended.
#[derive(Debug, Clone, Copy)]
pub struct AllocationEnd {
    /// Which one.
    pub allocation: AllocationTag,
    /// Its client, where it was seen last.
    pub client: FiveTuple,
    /// How long it was there.
    pub lived: Duration,
    /// What was relayed for it, in all.
    pub traffic: Usage,
    /// What was relayed since the session was told last.
    pub usage: Usage,
    /// How far it had come.
    pub stage: Stage,
    /// How its media went, in all.
    pub quality: Quality,
}

/// A connectivity check that crosses an allocation of no session.
#[derive(Debug, Clone)]
pub struct CheckSeen {
    /// The allocation's relayed address.
    pub relayed: SocketAddr,
    /// Where its client is seen.
    pub client: SocketAddr,
    /// The Binding request.
    pub message: Box<[u8]>,
}

impl SessionsHandle {
    /// A client of no session has sent a check, which may tell whose it is.
    pub fn check_seen(&self, check: &CheckSeen) {
        self.sessions.check_seen(check);
    }

    /// A claim was proven: an allocation belongs to the session from now on.
    pub fn allocation_claimed(&self, session: &SessionId, allocation: AllocationTag) {
        self.sessions.allocation_claimed(session, allocation);
    }

    /// One of the session's claims was judged; where it was proven, that was told before.
    pub fn claim_judged(&self, session: &SessionId) {
        self.sessions.claim_judged(session);
    }

    /// This much more was relayed for the session.
    pub fn relayed(&self, session: &SessionId, usage: Usage) {
        self.sessions.relayed(session, usage);
    }

    /// An allocation of the session has come so far.
    pub fn reached(&self, session: &SessionId, stage: Stage) {
        self.sessions.reached(session, stage);
    }

    /// The media of an allocation of the session goes like this.
    pub fn measured(&self, session: &SessionId, quality: Quality) {
        self.sessions.measured(session, quality);
    }

    /// An allocation of the session has ended, and this is what was not told of it yet.
    pub fn allocation_ended(&self, session: &SessionId, last: AllocationEnd) {
        self.sessions.allocation_ended(session, last);
    }
}
