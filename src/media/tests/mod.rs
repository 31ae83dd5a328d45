//! Synthetic sessions on a clock of their own.

mod hostile;
mod legs;
mod stages;

use std::time::{Duration, Instant};

use super::{FlowWatch, Quality};

/// A flow, its time, and what its client sends.
struct Bench {
    watch: FlowWatch,
    now: Instant,
}

/// A source of RTP.
#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
}

impl Source {
    fn new(ssrc: u32) -> Self {
        Self { ssrc, payload_type: 96, sequence: 65_500, timestamp: u32::MAX - 9000 }
    }

    /// The next packet.
    fn packet(&mut self, marker: bool) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        rtp(*self, marker)
    }

    fn advance(&mut self, ticks: u32) {
        self.timestamp = self.timestamp.wrapping_add(ticks);
    }
}

impl Bench {
    fn new() -> Self {
        Self { watch: FlowWatch::default(), now: start() }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Has the client send video: `count` frames of three packets, 1/30 s apart, of which some are kept back.
    fn send_video(&mut self, source: &mut Source, count: usize, mut is_lost: impl FnMut(usize) -> bool) {
        for frame in 0..count {
            for part in 0..3 {
                let packet = source.packet(part == 2);
                if !is_lost(frame * 3 + part) {
                    self.watch.from_client(&packet, self.now);
                }
            }
            source.advance(3000);
            self.pass(FRAME);
        }
    }

    fn whole(&self) -> Quality {
        self.watch.whole_quality()
    }
}

fn rtp(source: Source, marker: bool) -> Vec<u8> {
    let mut packet = vec![0x80, source.payload_type | (u8::from(marker) << 7)];
    packet.extend_from_slice(&source.sequence.to_be_bytes());
    packet.extend_from_slice(&source.timestamp.to_be_bytes());
    packet.extend_from_slice(&source.ssrc.to_be_bytes());
    packet.extend_from_slice(&[0; 88]);
    packet
}

fn check(kind: u16, transaction: u8) -> Vec<u8> {
    let mut message = kind.to_be_bytes().to_vec();
    message.extend_from_slice(&[0, 0, 0x21, 0x12, 0xa4, 0x42]);
    message.extend_from_slice(&[transaction; 12]);
    message
}

#[expect(clippy::disallowed_methods, reason = "a moment to count from")]
fn start() -> Instant {
    Instant::now()
}

/// A thirtieth of a second.
const FRAME: Duration = Duration::from_nanos(33_333_333);
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
