//! What is told of a session of which all is known: in its trace, its record, the counts and a line of the log.

use tracing::info;

use super::record;
use super::session::{Opening, Session};
use super::store::{Sessions, present};
use super::usage::Usage;
use crate::media::{LegQuality, Quality};
use crate::telemetry::{RedactedUser, SessionEnd, SessionLeg, SessionQuality};

impl Sessions {
    /// Tells of a session of which all is known.
    pub(super) fn record(&self, session: &Session) {
        let Opening { id, client, key, user_id, .. } = &session.opening;
        let Some((reason, age)) = session.ended else { return };
        session.span.end(session, reason);
        // What became of an offer without an answer stands in its own line.
        if reason == SessionEnd::Failed {
            return;
        }
        if let Some(records) = self.shared.records.get() {
            records.ended(record::of(session, reason, age, present()));
        }
        let quality = session.progress.quality();
        if let Some(Quality { client, peer }) = quality {
            self.shared.metrics.quality(SessionLeg::Client, measures(&client));
            self.shared.metrics.quality(SessionLeg::Peer, measures(&peer));
        }
        let Usage { packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client } = session.usage;
        info!(
            session = %id,
            user_id = user_id.as_deref().map(|user_id| display(RedactedUser(user_id))),
            client = &**client,
            key = &**key,
            backend = session.backend.as_deref(),
            reason = reason.label(),
            state = session.state.label(),
            duration_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            packets_to_peer,
            bytes_to_peer,
            packets_to_client,
            bytes_to_client,
            client_loss = quality.and_then(|quality| quality.client.loss()),
            client_frame_rate = quality.and_then(|quality| quality.client.frame_rate),
            peer_loss = quality.and_then(|quality| quality.peer.loss()),
            peer_frame_rate = quality.and_then(|quality| quality.peer.frame_rate),
            trace_id = session.span.trace_id().map(display),
            "session ended"
        );
    }
}

fn measures(leg: &LegQuality) -> SessionQuality {
    let LegQuality { jitter, frame_rate, round_trip, .. } = *leg;
    SessionQuality { loss: leg.loss(), jitter, frame_rate, round_trip }
}
