//! Ties the sessions of the gateway to the allocations of the relay: the gate.

use std::net::SocketAddr;

use tokio::sync::mpsc;

use crate::gateway::{self, AllocationEnd, RelayView, SessionId, SessionsHandle, UntilDone, Usage};
use crate::relay::{
    AllocationReport, AllocationTag, CheckSeen, Claim, ClaimsHandle, SessionEvent, SessionEvents, SessionTag,
    Traffic,
};

/// What the workers tell, and where it arrives. There are no more events under way than a few for each allocation that has
/// lived since the last look.
pub(super) fn events() -> (SessionEvents, mpsc::UnboundedReceiver<SessionEvent>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let tell = move |event| {
        // Without a receiver the process is about to end.
        let _ = sender.send(event);
    };
    (SessionEvents::new(tell), receiver)
}

/// Brings what the workers tell to the sessions, until no worker is left.
pub(super) async fn keep(mut events: mpsc::UnboundedReceiver<SessionEvent>, sessions: SessionsHandle) {
    while let Some(event) = events.recv().await {
        match event {
            SessionEvent::Claimed(SessionTag(session), AllocationTag(allocation)) => {
                let allocation = gateway::AllocationTag(allocation);
                sessions.allocation_claimed(&SessionId::from(session), allocation);
            }
            SessionEvent::Judged(SessionTag(session)) => {
                sessions.claim_judged(&SessionId::from(session));
            }
            SessionEvent::Relayed(SessionTag(session), traffic) => {
                sessions.relayed(&SessionId::from(session), usage(&traffic));
            }
            SessionEvent::Reached(SessionTag(session), stage) => {
                sessions.reached(&SessionId::from(session), stage);
            }
            SessionEvent::Measured(SessionTag(session), quality) => {
                sessions.measured(&SessionId::from(session), *quality);
            }
            SessionEvent::Ended(SessionTag(session), report) => {
                let AllocationReport { allocation, client, lived, untold, traffic, stage, quality } = *report;
                let last = AllocationEnd {
                    allocation: gateway::AllocationTag(allocation.0),
                    client,
                    lived,
                    usage: usage(&untold),
                    traffic: usage(&traffic),
                    stage,
                    quality,
                };
                sessions.allocation_ended(&SessionId::from(session), last);
            }
            SessionEvent::CheckSeen(CheckSeen { relayed, client, message }) => {
                sessions.check_seen(&gateway::CheckSeen { relayed, client, message });
            }
        }
    }
}

impl RelayView for ClaimsHandle {
    fn claim(&self, session: &SessionId, claim: gateway::Claim) -> bool {
        let gateway::Claim { relayed, related, offered_from, client, user } = claim;
        self.present(Claim {
            session: tag(session),
            relayed,
            related,
            claimed_from: offered_from,
            client,
            user,
        })
    }

    fn has_room(&self) -> bool {
        Self::has_room(self)
    }

    fn has_bandwidth(&self) -> bool {
        Self::has_bandwidth(self)
    }

    fn revoke_key(&self, key: &str) {
        Self::revoke_key(self, &key.into());
    }

    fn wants_peers(&self) -> bool {
        Self::wants_peers(self)
    }

    fn name_peers(&self, session: &SessionId, peers: &[SocketAddr], until_done: UntilDone) {
        Self::name_peers(self, &tag(session), &peers.into(), until_done);
    }

    fn release(&self, session: &SessionId) {
        Self::release(self, &tag(session));
    }

    fn close(&self, session: &SessionId) {
        self.end(&tag(session));
    }
}

fn usage(traffic: &Traffic) -> Usage {
    let Traffic { to_peer, to_client } = traffic;
    Usage {
        packets_to_peer: to_peer.packets,
        bytes_to_peer: to_peer.bytes,
        packets_to_client: to_client.packets,
        bytes_to_client: to_client.bytes,
    }
}

fn tag(session: &SessionId) -> SessionTag {
    SessionTag(session.to_shared())
}
