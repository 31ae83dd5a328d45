//! `Stream`: the packets of one source of RTP, by their headers.

use std::time::{Duration, Instant};

use super::packet::Rtp;

/// One source.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) ssrc: u32,
    highest: u16,
    /// Whether the packet so many before the highest came, for the last 64. What was before the first counts as come.
    came: u64,
    /// The sequence number that would show that the source has begun anew.
    anew_at: Option<u16>,
    pub(super) received: u64,
    expected: u64,
    pub(super) bytes: u64,
    /// Frames of video, or packets of sound: what has a timestamp of its own.
    frames: u64,
    markers: u64,
    timestamp: u32,
    first_frame_at: Instant,
    last_frame_at: Instant,
    /// When a packet came last.
    pub(super) heard_at: Instant,
    clock: Clock,
    /// In seconds.
    jitter: f64,
    /// Frames, and when the last one came, at the last look.
    looked: (u64, Instant),
}

/// What a source counts its time in; only the session description tells, so it is guessed.
#[derive(Debug, Clone, Copy)]
enum Clock {
    Unknown { since: Instant, timestamp: u32 },
    Known { hertz: f64 },
}

impl Stream {
    pub(super) fn new(rtp: Rtp, len: usize, now: Instant) -> Self {
        Self {
            ssrc: rtp.ssrc,
            highest: rtp.sequence,
            came: u64::MAX,
            anew_at: None,
            received: 1,
            expected: 1,
            bytes: len as u64,
            frames: 1,
            markers: u64::from(rtp.marker),
            timestamp: rtp.timestamp,
            first_frame_at: now,
            last_frame_at: now,
            heard_at: now,
            clock: Clock::Unknown { since: now, timestamp: rtp.timestamp },
            jitter: 0.0,
            looked: (1, now),
        }
    }

    /// Takes the next packet in the order of arrival.
    #[inline]
    pub(super) fn take(&mut self, rtp: Rtp, len: usize, now: Instant) {
        self.heard_at = now;
        self.bytes += len as u64;
        let ahead = rtp.sequence.wrapping_sub(self.highest);
        if (1..MAX_DROPOUT).contains(&ahead) {
            self.came = self.came.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.highest = rtp.sequence;
            self.expected += u64::from(ahead);
            self.received += 1;
            self.anew_at = None;
            self.markers += u64::from(rtp.marker);
            if rtp.timestamp != self.timestamp {
                self.begin_frame(rtp.timestamp, now);
            }
        } else {
            self.take_unordered(rtp, now);
        }
    }

    fn take_unordered(&mut self, rtp: Rtp, now: Instant) {
        let behind = self.highest.wrapping_sub(rtp.sequence);
        if let Some(bit) = 1_u64.checked_shl(u32::from(behind)) {
            // Whatever came before is a repetition.
            self.received += u64::from(self.came & bit == 0);
            self.came |= bit;
        } else if behind > MAX_MISORDER {
            if self.anew_at == Some(rtp.sequence) {
                self.begin_anew(rtp, now);
            } else {
                self.anew_at = Some(rtp.sequence.wrapping_add(1));
            }
        }
    }

    /// RFC 3550 §A.1: two packets in order, far from the others, mean that the source has begun anew.
    fn begin_anew(&mut self, rtp: Rtp, now: Instant) {
        (self.highest, self.came, self.anew_at) = (rtp.sequence, u64::MAX, None);
        self.expected += 2;
        self.received += 2;
        self.timestamp = rtp.timestamp;
        self.frames += 1;
        self.last_frame_at = now;
        if let Clock::Unknown { since, timestamp } = &mut self.clock {
            (*since, *timestamp) = (now, rtp.timestamp);
        }
    }

    fn begin_frame(&mut self, timestamp: u32, now: Instant) {
        let ticks = timestamp.wrapping_sub(self.timestamp);
        // The rest of a frame before may come behind it.
        if ticks > u32::MAX / 2 {
            return;
        }
        match self.clock {
            Clock::Known { hertz } => {
                let apart = now.saturating_duration_since(self.last_frame_at).as_secs_f64();
                let off = (apart - f64::from(ticks) / hertz).abs();
                // RFC 3550 §6.4.1; a longer pause is none of the network's.
                if off < MAX_JITTER {
                    self.jitter += (off - self.jitter) / 16.0;
                }
            }
            Clock::Unknown { since, timestamp: first } => {
                let elapsed = now.saturating_duration_since(since);
                if elapsed >= CLOCK_PATIENCE {
                    self.clock = match clock_of(timestamp.wrapping_sub(first), elapsed) {
                        Some(hertz) => Clock::Known { hertz },
                        None => Clock::Unknown { since: now, timestamp },
                    };
                }
            }
        }
        self.timestamp = timestamp;
        self.last_frame_at = now;
        self.frames += 1;
    }

    pub(super) fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// Once its clock is known.
    pub(super) fn jitter(&self) -> Option<Duration> {
        match self.clock {
            Clock::Known { .. } => Some(Duration::from_secs_f64(self.jitter)),
            Clock::Unknown { .. } => None,
        }
    }

    /// Whether it is video: that has a clock of 90 kHz and marks the ends of frames (RFC 3551 §5).
    pub(super) fn is_video(&self) -> bool {
        matches!(self.clock, Clock::Known { hertz: VIDEO_CLOCK }) && self.markers * 2 >= self.frames
    }

    /// Frames a second from the first to the last.
    pub(super) fn mean_frame_rate(&self) -> Option<f64> {
        rate(self.frames - 1, self.last_frame_at - self.first_frame_at)
    }

    /// Frames a second since the last look; zero if none came.
    pub(super) fn frame_rate_since_look(&mut self) -> Option<f64> {
        let (frames, at) = std::mem::replace(&mut self.looked, (self.frames, self.last_frame_at));
        if self.frames == frames { Some(0.0) } else { rate(self.frames - frames, self.last_frame_at - at) }
    }
}

fn rate(count: u64, within: Duration) -> Option<f64> {
    (!within.is_zero()).then(|| count as f64 / within.as_secs_f64())
}

/// The clock that a source must have that counted so far.
fn clock_of(ticks: u32, elapsed: Duration) -> Option<f64> {
    let seen = f64::from(ticks) / elapsed.as_secs_f64();
    CLOCKS.into_iter().find(|hertz| (0.75..1.33).contains(&(seen / hertz)))
}

/// A gap of this many packets is a source that begins anew (RFC 3550 §A.1).
const MAX_DROPOUT: u16 = 3000;
/// A packet this far behind is late, and counts as lost; further behind, a source may begin anew (RFC 3550 §A.1, with
/// room for what is sent again).
const MAX_MISORDER: u16 = 1000;
/// Long enough that packets which come in bursts do not hide the clock.
const CLOCK_PATIENCE: Duration = Duration::from_secs(1);
/// G.711 and G.722, wideband speech, Opus, video (RFC 3551 §6, RFC 7587 §4.1).
const CLOCKS: [f64; 4] = [8000.0, 16_000.0, 48_000.0, VIDEO_CLOCK];
const VIDEO_CLOCK: f64 = 90_000.0;
/// Seconds.
const MAX_JITTER: f64 = 5.0;
