//! What a worker looks at in the payloads of sessions' allocations, as they come in.
//!
//! It looks before limits of bandwidth are applied, so what these drop is no loss of the network's.

use std::net::SocketAddr;

use super::crossings::Payload;
use super::ring::Piece;
use super::session_events::{CheckSeen, SessionEvent};
use super::worker::Worker;
use crate::media::{Check, Packet, Stage};
use crate::wire::AddressFamily;

impl Worker {
    /// Looks at what a client sends; for allocations of no session only at their first checks.
    #[inline]
    pub(super) fn observe_client(&mut self, index: u32, payload: &Payload) {
        let Self { fast_path, ring, streams, .. } = self;
        let Some(flow) = fast_path.flow_mut(index) else { return };
        if flow.watch.is_none() && flow.checks_to_tell == 0 {
            return;
        }
        let payload = match payload {
            Payload::Ring(piece) => ring.bytes(piece.whole()),
            Payload::Intake(range) => streams.intake.bytes(range.clone()),
        };
        let Some(watch) = &mut flow.watch else {
            if matches!(Packet::read(payload), Packet::Check(Check { is_success: false, .. })) {
                flow.checks_to_tell -= 1;
                let (client, message) = (flow.client.client, payload.into());
                self.saw_check(index, client, message);
            }
            return;
        };
        if let Some(stage) = watch.from_client(payload, self.now.instant) {
            self.reached(index, stage);
        }
    }

    /// Tells the sessions of a check on an allocation that is nobody's: one of them may know who sends it.
    #[cold]
    fn saw_check(&self, index: u32, client: SocketAddr, message: Box<[u8]>) {
        let relayed = [AddressFamily::Ipv4, AddressFamily::Ipv6]
            .into_iter()
            .find_map(|family| Some(self.relays.get(index, family)?.local_addr()));
        if let Some(relayed) = relayed {
            self.claims.tell(SessionEvent::CheckSeen(CheckSeen { relayed, client, message }));
        }
    }

    /// Looks at what a peer sends.
    #[inline]
    pub(super) fn observe_peer(&mut self, index: u32, piece: Piece) {
        let Self { fast_path, ring, .. } = self;
        let Some(watch) = fast_path.flow_mut(index).and_then(|flow| flow.watch.as_mut()) else { return };
        if let Some(stage) = watch.from_peer(ring.bytes(piece.whole()), self.now.instant) {
            self.reached(index, stage);
        }
    }

    /// Tells a session at once how far it has come: a few times in its life.
    #[cold]
    fn reached(&self, index: u32, stage: Stage) {
        let session = self.fast_path.flow(index).and_then(|flow| flow.session.clone());
        if let Some(session) = session {
            self.claims.tell(SessionEvent::Reached(session, stage));
        }
    }
}
