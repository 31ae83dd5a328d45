//! What a worker looks at in the payloads of sessions' allocations, as they come in.
//!
//! It looks before limits of bandwidth are applied, so what these drop is no loss of the network's.

use super::claims::SessionEvent;
use super::crossings::Payload;
use super::ring::Piece;
use super::worker::Worker;
use crate::media::Stage;

impl Worker {
    /// Looks at what a client sends; no more than a look-up for allocations of no session.
    #[inline]
    pub(super) fn observe_client(&mut self, index: u32, payload: &Payload) {
        let Self { fast_path, ring, streams, .. } = self;
        let Some(watch) = fast_path.flow_mut(index).and_then(|flow| flow.watch.as_mut()) else { return };
        let payload = match payload {
            Payload::Ring(piece) => ring.bytes(piece.whole()),
            Payload::Intake(range) => streams.intake.bytes(range.clone()),
        };
        if let Some(stage) = watch.from_client(payload, self.now.instant) {
            self.reached(index, stage);
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
