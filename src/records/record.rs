//! `SessionRecord`: one session, as databases and webhooks get it.

use serde::Serialize;

/// What is known of a session when its offer has been answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionOpening {
    /// The session's id, which is that of its record too.
    pub session: String,
    /// Whose keys opened it.
    pub client: String,
    /// Which of them.
    pub key: String,
    /// The `user_id` of its offer, or what stands for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// When the offer came, in milliseconds of Unix time.
    pub began_at_ms: i64,
}

/// A session that has ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionRecord {
    /// How it began.
    #[serde(flatten)]
    pub opening: SessionOpening,
    /// When it ended, in milliseconds of Unix time.
    pub ended_at_ms: i64,
    /// How long it lived, by a clock that nobody sets.
    pub duration_ms: i64,
    /// Why it ended; `crash` if the process that had it did not live to say.
    pub reason: String,
    /// How far it had come.
    pub state: String,
    /// What was relayed for it.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// How its media went.
    #[serde(flatten)]
    pub quality: RecordQuality,
}

/// Packets and bytes each way, of payloads alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Packets from the client to its peers.
    pub packets_to_peer: u64,
    /// Their bytes.
    pub bytes_to_peer: u64,
    /// Packets from the peers to the client.
    pub packets_to_client: u64,
    /// Their bytes.
    pub bytes_to_client: u64,
}

/// How the media of a session got to the relay, over all its life; what is not known is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct RecordQuality {
    /// Share of RTP packets of the client that did not reach the relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_loss: Option<f64>,
    /// Interarrival jitter of the media of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_jitter_ms: Option<f64>,
    /// Video frames a second of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_frame_rate: Option<f64>,
    /// Time from the relay to the client and back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_round_trip_ms: Option<f64>,
    /// Share of RTP packets of the peer that did not reach the relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_loss: Option<f64>,
    /// Interarrival jitter of the media of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_jitter_ms: Option<f64>,
    /// Video frames a second of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_frame_rate: Option<f64>,
    /// Time from the relay to the peer and back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_round_trip_ms: Option<f64>,
}

/// The record of a session that a killed process left behind.
pub(super) const CRASH: &str = "crash";
