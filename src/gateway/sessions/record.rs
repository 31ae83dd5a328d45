//! Sessions as records have them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::session::{Opening, Session};
use super::usage::Usage;
use crate::media::{LegQuality, Quality};
use crate::records::{RecordQuality, SessionOpening, SessionRecord, Traffic};
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
        quality: session.progress.quality().map(|quality| self::quality(&quality)).unwrap_or_default(),
    }
}

pub(super) fn traffic(usage: &Usage) -> Traffic {
    let Usage { packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client } = *usage;
    Traffic { packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client }
}

fn quality(Quality { client, peer }: &Quality) -> RecordQuality {
    let ms = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
    let of = |leg: &LegQuality| (leg.loss(), ms(leg.jitter), leg.frame_rate, ms(leg.round_trip));
    let (client_loss, client_jitter_ms, client_frame_rate, client_round_trip_ms) = of(client);
    let (peer_loss, peer_jitter_ms, peer_frame_rate, peer_round_trip_ms) = of(peer);
    RecordQuality {
        client_loss,
        client_jitter_ms,
        client_frame_rate,
        client_round_trip_ms,
        peer_loss,
        peer_jitter_ms,
        peer_frame_rate,
        peer_round_trip_ms,
    }
}

fn unix_ms(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
