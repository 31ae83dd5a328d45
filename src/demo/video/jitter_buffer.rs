//! `JitterBuffer`: packets of a video as they come → its frames, whole and in order.
//!
//! The marker bit ends a frame (RFC 3550 §5.1), so a frame is there with its own last packet and need not wait for the next
//! one. What is missing is waited for a moment, as its sender may send it again (RFC 4585); then it is given up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// What counts of an RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::demo) struct RtpPacket {
    pub(in crate::demo) sequence_number: u16,
    pub(in crate::demo) timestamp: u32,
    pub(in crate::demo) marker: bool,
    pub(in crate::demo) payload: Bytes,
}

/// The payloads of a frame, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::demo) struct RtpFrame {
    pub(in crate::demo) timestamp: u32,
    pub(in crate::demo) payloads: Vec<Bytes>,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::demo) enum Popped {
    /// The next frame.
    Frame(RtpFrame),
    /// Something is missing from here on, and does not come any more. The next frame may lack its beginning.
    Gap,
}

/// Packets of one stream; see the file's head.
#[derive(Debug, Default)]
pub(in crate::demo) struct JitterBuffer {
    /// By their numbers, which go on where those of RTP begin anew.
    packets: BTreeMap<u64, RtpPacket>,
    bytes: usize,
    /// The number that comes out next, once there was a packet.
    next: Option<u64>,
    highest: u64,
    /// When it was seen first that something is missing.
    missing_since: Option<Instant>,
    /// Whether frames have come out: until then packets may come before the first one.
    has_begun: bool,
    is_behind_gap: bool,
}

impl JitterBuffer {
    /// Takes a packet; a repeated or late one changes nothing.
    pub(in crate::demo) fn insert(&mut self, packet: RtpPacket) {
        let number = match self.next {
            None => {
                // Far enough from zero that earlier ones have numbers too.
                let first = (1 << 32) + u64::from(packet.sequence_number);
                (self.next, self.highest) = (Some(first), first);
                first
            }
            Some(_) => {
                let step = packet.sequence_number.wrapping_sub(self.highest as u16) as i16;
                if i64::from(step).abs() > FARTHEST {
                    return self.begin_anew(packet);
                }
                self.highest.saturating_add_signed(i64::from(step))
            }
        };
        if !self.has_begun && !self.is_behind_gap {
            self.next = self.next.map(|next| next.min(number));
        }
        if self.next.is_some_and(|next| number < next) {
            return;
        }
        self.highest = self.highest.max(number);
        let length = packet.payload.len();
        if self.packets.insert(number, packet).is_none() {
            self.bytes += length;
        }
    }

    /// Returns what is next; nothing if that has not come yet.
    pub(in crate::demo) fn pop(&mut self, now: Instant) -> Option<Popped> {
        if std::mem::take(&mut self.is_behind_gap) {
            return Some(Popped::Gap);
        }
        if let Some(frame) = self.pop_frame() {
            self.has_begun = true;
            self.missing_since = None;
            return Some(Popped::Frame(frame));
        }
        let Some(behind) = self.behind_gap() else {
            // An unfinished frame whose sender goes on is no loss, unless it grows without end.
            if self.is_full() {
                self.drop_until(u64::MAX);
                return Some(Popped::Gap);
            }
            self.missing_since = None;
            return None;
        };
        let since = *self.missing_since.get_or_insert(now);
        if now < since + PATIENCE && !self.is_full() {
            return None;
        }
        self.drop_until(behind);
        self.missing_since = None;
        Some(Popped::Gap)
    }

    /// When what is missing is given up.
    pub(in crate::demo) fn deadline(&self) -> Option<Instant> {
        self.missing_since.map(|since| since + PATIENCE)
    }

    fn is_full(&self) -> bool {
        self.packets.len() > MOST_PACKETS || self.bytes > MOST_BYTES
    }

    /// Another stream goes on under the same name, or somebody makes numbers up.
    fn begin_anew(&mut self, packet: RtpPacket) {
        *self = Self { is_behind_gap: true, ..Self::default() };
        self.insert(packet);
    }

    fn pop_frame(&mut self) -> Option<RtpFrame> {
        let start = self.next?;
        let (mut timestamp, mut end, mut is_whole) = (None, start, false);
        for (&number, packet) in self.packets.range(start..) {
            if number != end {
                break;
            }
            let is_padding = packet.payload.is_empty();
            match timestamp {
                // Senders that probe the network send packets of nothing but padding.
                None if is_padding => {}
                None => timestamp = Some(packet.timestamp),
                // Its sender sets no markers.
                Some(timestamp) if timestamp != packet.timestamp => {
                    is_whole = true;
                    break;
                }
                Some(_) => {}
            }
            end += 1;
            if packet.marker && timestamp.is_some() {
                is_whole = true;
                break;
            }
        }
        let timestamp = timestamp.filter(|_| is_whole)?;
        let payloads =
            self.take_until(end).map(|packet| packet.payload).filter(|payload| !payload.is_empty());
        Some(RtpFrame { timestamp, payloads: payloads.collect() })
    }

    /// The number of the first packet behind what is missing.
    fn behind_gap(&self) -> Option<u64> {
        let mut numbers = (self.next?..).zip(self.packets.keys());
        numbers.find(|(expected, number)| expected != *number).map(|(_, &number)| number)
    }

    fn drop_until(&mut self, end: u64) {
        let end = end.min(self.highest + 1);
        self.take_until(end).for_each(drop);
    }

    fn take_until(&mut self, end: u64) -> impl Iterator<Item = RtpPacket> + use<> {
        let rest = self.packets.split_off(&end);
        let taken = std::mem::replace(&mut self.packets, rest);
        self.bytes -= taken.values().map(|packet| packet.payload.len()).sum::<usize>();
        self.next = Some(end);
        taken.into_values()
    }
}

/// How long a missing packet is waited for: a request for it and itself, over a path of 100 ms.
const PATIENCE: Duration = Duration::from_millis(250);
/// Numbers that are farther from each other are not of one stream.
const FARTHEST: i64 = 3000;
/// More than a second of video at 10 Mbit/s.
const MOST_PACKETS: usize = 2048;
const MOST_BYTES: usize = 2 << 20;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any moment will do")]
mod tests {
    use super::*;

    fn packet(sequence_number: u16, timestamp: u32, marker: bool) -> RtpPacket {
        let payload = Bytes::copy_from_slice(&sequence_number.to_be_bytes());
        RtpPacket { sequence_number, timestamp, marker, payload }
    }

    fn frame(timestamp: u32, numbers: &[u16]) -> Option<Popped> {
        let payloads = numbers.iter().map(|number| Bytes::copy_from_slice(&number.to_be_bytes()));
        Some(Popped::Frame(RtpFrame { timestamp, payloads: payloads.collect() }))
    }

    #[test]
    fn a_frame_is_there_with_its_marker_whatever_the_order() {
        let (mut buffer, now) = (JitterBuffer::default(), Instant::now());
        buffer.insert(packet(65_535, 1, false));
        assert_eq!(buffer.pop(now), None);
        buffer.insert(packet(1, 1, true));
        assert_eq!(buffer.pop(now), None);
        buffer.insert(packet(0, 1, false));
        assert_eq!(buffer.pop(now), frame(1, &[65_535, 0, 1]));
        assert_eq!(buffer.deadline(), None);
    }

    #[test]
    fn the_first_packets_may_come_in_any_order() {
        let (mut buffer, now) = (JitterBuffer::default(), Instant::now());
        buffer.insert(packet(8, 1, false));
        buffer.insert(packet(9, 1, true));
        buffer.insert(packet(7, 1, false));
        assert_eq!(buffer.pop(now), frame(1, &[7, 8, 9]));
        buffer.insert(packet(6, 1, false));
        assert_eq!(buffer.pop(now), None, "too late");
        assert!(buffer.packets.is_empty());
    }

    #[test]
    fn what_is_missing_is_waited_for_and_then_given_up() {
        let (mut buffer, start) = (JitterBuffer::default(), Instant::now());
        buffer.insert(packet(1, 1, true));
        buffer.insert(packet(3, 2, true));
        buffer.insert(packet(4, 3, true));
        assert_eq!(buffer.pop(start), frame(1, &[1]));
        assert_eq!(buffer.pop(start), None);
        assert_eq!(buffer.deadline(), Some(start + PATIENCE));
        assert_eq!(buffer.pop(start + PATIENCE), Some(Popped::Gap));
        assert_eq!(buffer.pop(start + PATIENCE), frame(2, &[3]));
        assert_eq!(buffer.pop(start + PATIENCE), frame(3, &[4]));
    }

    #[test]
    fn what_comes_again_in_time_is_no_loss() {
        let (mut buffer, start) = (JitterBuffer::default(), Instant::now());
        buffer.insert(packet(1, 1, true));
        buffer.insert(packet(3, 2, true));
        assert_eq!(buffer.pop(start), frame(1, &[1]));
        assert_eq!(buffer.pop(start), None);
        buffer.insert(packet(2, 2, false));
        buffer.insert(packet(2, 2, false));
        assert_eq!(buffer.pop(start + PATIENCE), frame(2, &[2, 3]));
        assert_eq!(buffer.bytes, 0);
    }

    #[test]
    fn padding_and_missing_markers_are_no_frames() {
        let (mut buffer, now) = (JitterBuffer::default(), Instant::now());
        let padding = |number| RtpPacket { payload: Bytes::new(), ..packet(number, 1, false) };
        buffer.insert(packet(1, 1, true));
        buffer.insert(padding(2));
        buffer.insert(packet(3, 2, false));
        buffer.insert(packet(4, 3, true));
        assert_eq!(buffer.pop(now), frame(1, &[1]));
        assert_eq!(buffer.pop(now), frame(2, &[3]), "another time begins another frame");
        assert_eq!(buffer.pop(now), frame(3, &[4]));
    }

    #[test]
    fn a_stream_that_jumps_begins_anew() {
        let (mut buffer, now) = (JitterBuffer::default(), Instant::now());
        buffer.insert(packet(1, 1, true));
        assert_eq!(buffer.pop(now), frame(1, &[1]));
        buffer.insert(packet(20_000, 9, true));
        assert_eq!(buffer.pop(now), Some(Popped::Gap));
        assert_eq!(buffer.pop(now), frame(9, &[20_000]));
    }

    #[test]
    fn it_is_bounded_with_a_gap_and_without() {
        for first in [1, 2] {
            let (mut buffer, now) = (JitterBuffer::default(), Instant::now());
            buffer.insert(packet(0, 0, true));
            assert_eq!(buffer.pop(now), frame(0, &[0]));
            let mut gaps = 0;
            for number in first..20_000 {
                buffer.insert(packet(number, 1, false));
                gaps += usize::from(buffer.pop(now) == Some(Popped::Gap));
                assert!(buffer.packets.len() <= MOST_PACKETS + 1);
            }
            assert!(gaps > 1, "{gaps}");
        }
    }
}
