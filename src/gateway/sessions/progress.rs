//! `Progress`: how far the media of a session has come, over all its allocations, and how it goes.

use serde::Serialize;

use crate::media::{LegQuality, Quality, Stage};
use crate::telemetry::{SessionMilestone, SessionState};

/// What the relay has seen of a session.
#[derive(Debug, Default)]
pub(super) struct Progress {
    is_connected: bool,
    has_media: bool,
    /// Allocations through which media flows now.
    flowing: u32,
    /// Of allocations that have ended.
    before: Quality,
    /// Of the one that carries most.
    present: Quality,
}

/// How the media of a session goes, as operators see it; at most a second old.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, utoipa::ToSchema)]
pub struct QualityView {
    /// From the client to the relay.
    pub client: LegView,
    /// From its peers, which are the backend, to the relay.
    pub peer: LegView,
}

/// How the media of one end gets to the relay; what is not known is missing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LegView {
    /// RTP packets that came.
    pub packets: u64,
    /// RTP packets that did not come.
    pub lost: u64,
    /// Interarrival jitter in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<f64>,
    /// Video frames a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    /// RTP in bits a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_second: Option<f64>,
    /// Time to this end and back in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
}

impl Progress {
    /// An allocation has come so far; what that is the first time for.
    pub(super) fn reach(&mut self, stage: Stage) -> Option<SessionMilestone> {
        match stage {
            Stage::Waiting => None,
            Stage::Connected => {
                (!std::mem::replace(&mut self.is_connected, true)).then_some(SessionMilestone::Connected)
            }
            Stage::Media => {
                self.flowing += 1;
                (!std::mem::replace(&mut self.has_media, true)).then_some(SessionMilestone::Media)
            }
            Stage::Stalled => {
                self.flowing = self.flowing.saturating_sub(1);
                None
            }
        }
    }

    /// The media of an allocation goes like this.
    pub(super) fn measured(&mut self, quality: Quality) {
        let packets = |quality: &Quality| quality.client.packets + quality.peer.packets;
        if packets(&quality) >= packets(&self.present) {
            self.present = quality;
        }
    }

    /// An allocation has ended, which had come so far, and went like this in all.
    pub(super) fn allocation_ended(&mut self, stage: Stage, quality: Quality) {
        if stage == Stage::Media {
            self.flowing = self.flowing.saturating_sub(1);
        }
        self.before = self.before.merged(quality);
        // Another one is told of within a second.
        self.present = Quality::default();
    }

    /// The state of a session that has been answered and has allocations.
    pub(super) fn state(&self) -> SessionState {
        match *self {
            Self { has_media: true, flowing: 0, .. } => SessionState::Stalled,
            Self { has_media: true, .. } => SessionState::Media,
            Self { is_connected: true, .. } => SessionState::Connected,
            Self { .. } => SessionState::Claimed,
        }
    }

    /// How it goes, or went, once something was seen.
    pub(super) fn quality(&self) -> Option<Quality> {
        (self.is_connected || self.has_media).then(|| self.before.merged(self.present))
    }
}

impl From<Quality> for QualityView {
    fn from(Quality { client, peer }: Quality) -> Self {
        Self { client: client.into(), peer: peer.into() }
    }
}

impl From<LegQuality> for LegView {
    fn from(leg: LegQuality) -> Self {
        let LegQuality { packets, lost, jitter, frame_rate, bits_per_second, round_trip } = leg;
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        let (jitter_ms, round_trip_ms) = (jitter.map(ms), round_trip.map(ms));
        Self { packets, lost, jitter_ms, frame_rate, bits_per_second, round_trip_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(packets: u64, frame_rate: f64) -> Quality {
        let client = LegQuality { packets, frame_rate: Some(frame_rate), ..LegQuality::default() };
        Quality { client, ..Quality::default() }
    }

    #[test]
    fn goes_from_stage_to_stage_and_back_from_a_stall() {
        let mut progress = Progress::default();
        assert_eq!((progress.state(), progress.quality()), (SessionState::Claimed, None));
        assert_eq!(progress.reach(Stage::Connected), Some(SessionMilestone::Connected));
        assert_eq!(progress.reach(Stage::Connected), None, "the second allocation");
        assert_eq!(progress.state(), SessionState::Connected);
        assert_eq!(progress.reach(Stage::Media), Some(SessionMilestone::Media));
        assert_eq!(progress.state(), SessionState::Media);
        assert_eq!(progress.reach(Stage::Stalled), None);
        assert_eq!(progress.state(), SessionState::Stalled);
        assert_eq!(progress.reach(Stage::Media), None);
        assert_eq!(progress.state(), SessionState::Media);
    }

    #[test]
    fn stalls_when_no_allocation_of_its_own_carries_media() {
        let mut progress = Progress::default();
        progress.reach(Stage::Media);
        progress.reach(Stage::Media);
        progress.reach(Stage::Stalled);
        assert_eq!(progress.state(), SessionState::Media);
        progress.allocation_ended(Stage::Media, Quality::default());
        assert_eq!(progress.state(), SessionState::Stalled);
    }

    #[test]
    fn counts_of_all_allocations_add_up_and_the_largest_stands_for_the_rest() {
        let mut progress = Progress::default();
        progress.reach(Stage::Media);
        progress.measured(quality(500, 30.0));
        progress.measured(quality(20, 50.0));
        assert_eq!(progress.quality(), Some(quality(500, 30.0)));
        progress.allocation_ended(Stage::Media, quality(600, 29.0));
        progress.measured(quality(40, 15.0));
        assert_eq!(progress.quality(), Some(quality(640, 29.0)));
    }
}
