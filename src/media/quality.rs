//! `Quality`: how well the media of a flow gets here from both ends.

use std::time::Duration;

/// What was measured on the ways from both ends to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// From the client.
    pub client: LegQuality,
    /// From its peers.
    pub peer: LegQuality,
}

/// What was measured on the way from one end to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LegQuality {
    /// RTP packets that came, without repetitions.
    pub packets: u64,
    /// RTP packets that did not come, by the gaps in their sequence numbers.
    pub lost: u64,
    /// The interarrival jitter of the largest source (RFC 3550 §6.4.1), of the first packets of its frames.
    pub jitter: Option<Duration>,
    /// Video frames a second of the largest source of video.
    pub frame_rate: Option<f64>,
    /// RTP of all sources, with its headers.
    pub bits_per_second: Option<f64>,
    /// The time between the relay and this end and back, from connectivity checks that the other end sent.
    pub round_trip: Option<Duration>,
}

impl Quality {
    /// The quality of two flows of one session: what was counted adds up, and the larger one stands for the rest.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self { client: self.client.merged(other.client), peer: self.peer.merged(other.peer) }
    }

    /// Whether media came from either end.
    pub fn has_media(&self) -> bool {
        self.client.packets + self.peer.packets > 0
    }
}

impl LegQuality {
    /// The share of packets that did not come, once some have.
    pub fn loss(&self) -> Option<f64> {
        (self.packets > 0).then(|| self.lost as f64 / (self.packets + self.lost) as f64)
    }

    fn merged(self, other: Self) -> Self {
        let (larger, smaller) = if self.packets >= other.packets { (self, other) } else { (other, self) };
        Self {
            packets: larger.packets + smaller.packets,
            lost: larger.lost + smaller.lost,
            jitter: larger.jitter.or(smaller.jitter),
            frame_rate: larger.frame_rate.or(smaller.frame_rate),
            bits_per_second: larger.bits_per_second.or(smaller.bits_per_second),
            round_trip: larger.round_trip.or(smaller.round_trip),
        }
    }
}
