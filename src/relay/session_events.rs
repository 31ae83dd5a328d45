//! `SessionEvents`: what sessions are told of their allocations.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::fast_path::Traffic;
use crate::media::{Quality, Stage};
use crate::turn::FiveTuple;

/// What the gateway calls a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionTag(pub Arc<str>);

/// Tells the allocations of a process apart, wherever they move: their ids are those of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllocationTag(pub u64);

impl AllocationTag {
    /// One that no other allocation has.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What became of the allocations of sessions.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEvent {
    /// An allocation is the session's from now on.
    Claimed(SessionTag, AllocationTag),
    /// One claim of the session was judged, whichever way; where it was proven, that was told before.
    Judged(SessionTag),
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
    /// Which one.
    pub allocation: AllocationTag,
    /// Its client, where it was seen last.
    pub client: FiveTuple,
    /// How long it was there.
    pub lived: Duration,
    /// What was relayed since the session was told last.
    pub untold: Traffic,
    /// What was relayed for it, in all.
    pub traffic: Traffic,
    /// How far it had come.
    pub stage: Stage,
    /// How its media went, in all.
    pub quality: Quality,
}

/// Is told what becomes of the allocations of sessions; called by the workers, so it must not block.
#[derive(Clone)]
pub struct SessionEvents(Arc<dyn Fn(SessionEvent) + Send + Sync>);

impl SessionEvents {
    /// Has a function called for each event.
    pub fn new(tell: impl Fn(SessionEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(super) fn tell(&self, event: SessionEvent) {
        self.0(event);
    }
}

impl fmt::Debug for SessionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEvents").finish_non_exhaustive()
    }
}
