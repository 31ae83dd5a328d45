//! `FlowWatch`: how far an allocation's session has come, and how well it goes.

use std::time::{Duration, Instant};

use super::checks::Checks;
use super::leg::Leg;
use super::packet::{Check, Packet, Rtp};
use super::quality::{LegQuality, Quality};

/// How far a flow has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was seen of it yet.
    Waiting,
    /// A connectivity check was answered through it.
    Connected,
    /// Media flows.
    Media,
    /// The client has sent media, and does so no more.
    Stalled,
}

/// Looks at the payloads of one allocation. No packet makes it allocate but the first of each source.
#[derive(Debug)]
pub struct FlowWatch {
    stage: Stage,
    from_client: Leg,
    from_peer: Leg,
    /// Of the client, which the peer answers.
    client_checks: Checks,
    /// Of the peer, which the client answers.
    peer_checks: Checks,
}

impl Default for FlowWatch {
    fn default() -> Self {
        Self {
            stage: Stage::Waiting,
            from_client: Leg::default(),
            from_peer: Leg::default(),
            client_checks: Checks::default(),
            peer_checks: Checks::default(),
        }
    }
}

impl FlowWatch {
    /// How far it has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Looks at a payload that the client sends; returns the stage that begins with it.
    #[inline]
    pub fn from_client(&mut self, payload: &[u8], now: Instant) -> Option<Stage> {
        match Packet::read(payload) {
            Packet::Rtp(rtp) => {
                self.from_client.take(rtp, payload.len(), now);
                if self.stage == Stage::Media { None } else { self.enter(Stage::Media) }
            }
            Packet::Check(check) => {
                let Self { client_checks, peer_checks, .. } = self;
                note(check, client_checks, peer_checks, now);
                self.connected(check)
            }
            Packet::Other => None,
        }
    }

    /// Looks at a payload that a peer sends; returns the stage that begins with it.
    #[inline]
    pub fn from_peer(&mut self, payload: &[u8], now: Instant) -> Option<Stage> {
        match Packet::read(payload) {
            Packet::Rtp(rtp) => self.media_from_peer(rtp, payload.len(), now),
            Packet::Check(check) => {
                let Self { client_checks, peer_checks, .. } = self;
                note(check, peer_checks, client_checks, now);
                self.connected(check)
            }
            Packet::Other => None,
        }
    }

    #[inline]
    fn media_from_peer(&mut self, rtp: Rtp, len: usize, now: Instant) -> Option<Stage> {
        self.from_peer.take(rtp, len, now);
        match self.stage {
            Stage::Waiting | Stage::Connected => self.enter(Stage::Media),
            // What the peer sends does not make a silent client's media flow.
            Stage::Media | Stage::Stalled => None,
        }
    }

    fn connected(&mut self, check: Check) -> Option<Stage> {
        if check.is_success && self.stage == Stage::Waiting { self.enter(Stage::Connected) } else { None }
    }

    /// Looks at the time; returns [`Stage::Stalled`] when it begins. Media that only a peer sends never stalls.
    pub fn look(&mut self, now: Instant, stalled_after: Duration) -> Option<Stage> {
        let is_silent = self.from_client.heard_at().is_some_and(|heard| heard + stalled_after <= now);
        if is_silent && self.stage == Stage::Media { self.enter(Stage::Stalled) } else { None }
    }

    fn enter(&mut self, stage: Stage) -> Option<Stage> {
        self.stage = stage;
        Some(stage)
    }

    /// How it goes since the last time; counts are of all its life.
    pub fn quality(&mut self, now: Instant) -> Quality {
        let (client, peer) = (self.from_client.look(now), self.from_peer.look(now));
        self.with_round_trips(client, peer)
    }

    /// How it went, in all.
    pub fn whole_quality(&self) -> Quality {
        self.with_round_trips(self.from_client.whole(), self.from_peer.whole())
    }

    fn with_round_trips(&self, client: LegQuality, peer: LegQuality) -> Quality {
        Quality {
            client: LegQuality { round_trip: self.peer_checks.round_trip(), ..client },
            peer: LegQuality { round_trip: self.client_checks.round_trip(), ..peer },
        }
    }
}

/// Notes a check of one end, or its answer to a check of the other's.
fn note(check: Check, own: &mut Checks, of_other: &mut Checks, now: Instant) {
    if check.is_success {
        of_other.answered(check, now);
    } else {
        own.asked(check, now);
    }
}
