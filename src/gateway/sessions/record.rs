//! Sessions as records have them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::session::{Opening, Session};
use super::usage::Usage;
use crate::records::{SessionOpening, SessionRecord, Traffic};
use crate::telemetry::SessionEnd;

/// How a session began.
pub(super) fn opening(session: &Session) -> SessionOpening {
    let Opening { id, client, key, user_id, .. } = &session.opening;
    SessionOpening {
        session: id.to_string(),
        client: client.to_string(),
        key: key.to_string(),
        user_id: user_id.as_deref().map(str::to_owned),
        backend: session.backend.as_deref().map(str::to_owned),
        began_at_ms: unix_ms(session.began_at),
    }
}

/// A session that has ended.
pub(super) fn of(session: &Session, reason: SessionEnd, age: Duration, now: SystemTime) -> SessionRecord {
    SessionRecord {
        opening: opening(session),
        ended_at_ms: unix_ms(now),
        duration_ms: i64::try_from(age.as_millis()).unwrap_or(i64::MAX),
        reason: reason.label().to_owned(),
        state: session.state.label().to_owned(),
        traffic: traffic(&session.usage),
    }
}

pub(super) fn traffic(usage: &Usage) -> Traffic {
    let Usage { packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client } = *usage;
    Traffic { packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client }
}

fn unix_ms(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
