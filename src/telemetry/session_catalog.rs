//! The part of the catalogue that tells of sessions.

use super::family::Family;

pub(super) const SESSIONS: Family = Family::new(
    "turnpike_sessions",
    "Live sessions by state: offered, answered, claimed, connected, media, stalled.",
    &["state"],
);
pub(super) const SESSIONS_LIMIT: Family = Family::new(
    "turnpike_sessions_limit",
    "Sessions that there may be at once (gateway.sessions.total).",
    &[],
);
pub(super) const SESSIONS_BEGAN: Family = Family::new(
    "turnpike_sessions_began_total",
    "Sessions that have begun, each with an offer that was let in; those that ended are the others that do not live.",
    &[],
);
pub(super) const SESSIONS_ENDED: Family =
    Family::new("turnpike_sessions_ended_total", "Sessions that have ended, by reason.", &["reason"]);
pub(super) const SESSIONS_REFUSED: Family = Family::new(
    "turnpike_sessions_refused_total",
    "Offers refused because a client, a user, all together or the relay had as much as they may, by whose bound it was.",
    &["cause"],
);
pub(super) const SESSION_DURATION: Family = Family::new(
    "turnpike_session_duration_seconds",
    "Time from a session's offer to its end, by reason of the end.",
    &["reason"],
);
pub(super) const SESSION_SETUP: Family = Family::new(
    "turnpike_session_setup_seconds",
    "Time from a session's offer to the first answered connectivity check through the relay, and to its first media.",
    &["milestone"],
);
pub(super) const SESSION_LOSS: Family = Family::new(
    "turnpike_session_loss_ratio",
    "Share of a session's RTP packets that did not reach the relay, by the end that sent them, at the session's end.",
    &["leg"],
);
pub(super) const SESSION_JITTER: Family = Family::new(
    "turnpike_session_jitter_seconds",
    "Interarrival jitter of a session's media at the relay, by the end that sent it, at the session's end.",
    &["leg"],
);
pub(super) const SESSION_ROUND_TRIP: Family = Family::new(
    "turnpike_session_round_trip_seconds",
    "Time from the relay to an end of a session and back, by connectivity checks, at the session's end.",
    &["leg"],
);
pub(super) const SESSION_FRAME_RATE: Family = Family::new(
    "turnpike_session_frames_per_second",
    "Video frames a second of a session, by the end that sent them, over the session's life.",
    &["leg"],
);
pub(super) const USER_BYTES: Family = Family::new(
    "turnpike_user_relayed_bytes",
    "Payload relayed in the last 5 to 10 minutes for the user that had the most (1), the second most and so on, and the rest.",
    &["rank"],
);
