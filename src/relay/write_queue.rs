//! `WriteQueue`: the frames that wait until a client reads; when it reads too slowly, the oldest media goes.

use std::collections::VecDeque;
use std::io::IoSlice;

use super::outbox::Cargo;

/// Whole frames in their order; only the first may have been sent in part.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    frames: VecDeque<Frame>,
    /// How much of the first frame is sent.
    sent_of_first: usize,
    /// What all frames cost.
    bytes: usize,
    /// What the frames that are never dropped cost.
    answer_bytes: usize,
}

#[derive(Debug)]
struct Frame {
    bytes: Box<[u8]>,
    cargo: Cargo,
}

impl WriteQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether the client must read before it may ask more: answers are not dropped, so they need another bound.
    pub(super) fn is_full_of_answers(&self) -> bool {
        self.answer_bytes > MAX_ANSWER_BYTES
    }

    /// Adds a frame of which `sent` bytes are sent already, and tells what was dropped to make room.
    pub(super) fn push(&mut self, bytes: &[u8], sent: usize, cargo: Cargo, mut dropped: impl FnMut(Cargo)) {
        if sent > 0 {
            debug_assert!(self.is_empty(), "only the first frame may be sent in part");
            self.sent_of_first = sent;
        }
        let frame = Frame { bytes: bytes.into(), cargo };
        while self.bytes + frame.cost() > MAX_BYTES {
            let Some(oldest) = self.oldest_media() else {
                break;
            };
            dropped(self.remove(oldest).cargo);
        }
        let must_stay = sent > 0 || !frame.cargo.is_media();
        if self.bytes + frame.cost() > MAX_BYTES && !must_stay {
            return dropped(frame.cargo);
        }
        self.bytes += frame.cost();
        if !frame.cargo.is_media() {
            self.answer_bytes += frame.cost();
        }
        self.frames.push_back(frame);
    }

    /// Points at the bytes that are to be sent next; returns at how many slices.
    pub(super) fn gather<'q>(&'q self, slices: &mut [IoSlice<'q>]) -> usize {
        let mut skip = self.sent_of_first;
        let mut gathered = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(&frame.bytes[skip..]);
            skip = 0;
            gathered += 1;
        }
        gathered
    }

    /// Takes note of what was sent, and tells which frames are through.
    pub(super) fn advance(&mut self, mut sent: usize, mut done: impl FnMut(Cargo)) {
        while let Some(first) = self.frames.front() {
            let left = first.bytes.len() - self.sent_of_first;
            if sent < left {
                self.sent_of_first += sent;
                return;
            }
            sent -= left;
            self.sent_of_first = 0;
            done(self.remove(0).cargo);
        }
        // A queue that was long once must not keep its room for ever.
        self.frames = VecDeque::new();
    }

    /// What is still sent counts for no allocation any more, since theirs ended.
    pub(super) fn disown(&mut self) {
        for frame in &mut self.frames {
            frame.cargo = frame.cargo.disowned();
        }
    }

    /// The place of the oldest frame that may be dropped: the stream would fall out of step after half a frame.
    fn oldest_media(&self) -> Option<usize> {
        let begun = usize::from(self.sent_of_first > 0);
        self.frames.iter().skip(begun).position(|frame| frame.cargo.is_media()).map(|place| place + begun)
    }

    fn remove(&mut self, place: usize) -> Frame {
        let frame = self.frames.remove(place).expect("the place was just found");
        self.bytes -= frame.cost();
        if !frame.cargo.is_media() {
            self.answer_bytes -= frame.cost();
        }
        frame
    }
}

impl Frame {
    fn cost(&self) -> usize {
        self.bytes.len() + FRAME_OVERHEAD_BYTES
    }
}

/// Half a second of video at 4 Mbit/s: what is older than that is of no use to anybody.
const MAX_BYTES: usize = 256 << 10;
/// More than a client has answers outstanding that has not stopped reading.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// What a frame costs besides its bytes: its place in the queue, and what the allocator adds. Else empty frames would
/// be free.
const FRAME_OVERHEAD_BYTES: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Direction;
    use crate::turn::Transport;

    fn media(number: u64) -> Cargo {
        Cargo::Data {
            flow: Some(0),
            transport: Transport::Tcp,
            direction: Direction::ToClient,
            payload_bytes: number,
        }
    }

    /// Pushes frames of 1000 bytes; returns the numbers of those that were dropped.
    fn push(queue: &mut WriteQueue, numbers: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut dropped = Vec::new();
        for number in numbers {
            queue.push(&[number as u8; 1000], 0, media(number), |cargo| match cargo {
                Cargo::Data { payload_bytes, .. } => dropped.push(payload_bytes),
                Cargo::Answer => panic!("an answer was dropped"),
            });
        }
        dropped
    }

    /// Sends everything, in pieces; returns the bytes.
    fn drain(queue: &mut WriteQueue, piece: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while !queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); 8];
            let count = queue.gather(&mut slices);
            let bytes: Vec<u8> =
                slices[..count].iter().flat_map(|slice| slice.to_vec()).take(piece).collect();
            queue.advance(bytes.len(), |_| ());
            sent.extend_from_slice(&bytes);
        }
        sent
    }

    #[test]
    fn sends_frames_in_order_whatever_the_pieces() {
        let mut queue = WriteQueue::default();
        queue.push(b"first", 2, media(0), |_| panic!("dropped"));
        queue.push(b"", 0, Cargo::Answer, |_| panic!("dropped"));
        queue.push(b"second", 0, Cargo::Answer, |_| panic!("dropped"));
        assert_eq!(drain(&mut queue, 3), b"rstsecond");
        assert_eq!((queue.bytes, queue.answer_bytes), (0, 0));
    }

    #[test]
    fn drops_the_oldest_media_and_never_answers() {
        let mut queue = WriteQueue::default();
        queue.push(b"answer", 0, Cargo::Answer, |_| panic!("dropped"));
        let dropped = push(&mut queue, 0..400);
        assert_eq!(dropped, (0..dropped.len() as u64).collect::<Vec<_>>(), "the oldest, in order");
        assert!(queue.bytes <= MAX_BYTES && queue.frames.len() > 200);
        let sent = drain(&mut queue, 777);
        assert_eq!((&sent[..6], sent.len()), (&b"answer"[..], 6 + (400 - dropped.len()) * 1000));
        assert_eq!(sent.last(), Some(&(399_u64 as u8)));
    }

    #[test]
    fn a_frame_that_was_begun_is_finished() {
        let mut queue = WriteQueue::default();
        queue.push(&[0xaa; 1000], 400, media(1000), |_| panic!("dropped"));
        assert_eq!(push(&mut queue, 0..400)[0], 0);
        assert_eq!(&drain(&mut queue, 1 << 20)[..600], [0xaa; 600]);
    }

    #[test]
    fn empty_frames_are_bounded_too() {
        let mut queue = WriteQueue::default();
        for _ in 0..100_000 {
            queue.push(&[0x40, 0, 0, 0], 0, media(0), |_| ());
        }
        assert!(queue.frames.len() < 3000, "{}", queue.frames.len());
    }

    #[test]
    fn answers_that_nobody_reads_fill_it() {
        let mut queue = WriteQueue::default();
        for _ in 0..1000 {
            queue.push(&[0; 100], 0, Cargo::Answer, |_| panic!("dropped"));
        }
        assert!(queue.is_full_of_answers());
        drain(&mut queue, 1 << 20);
        assert!(!queue.is_full_of_answers());
    }

    #[test]
    fn what_waited_when_the_allocation_ended_counts_for_none() {
        let mut queue = WriteQueue::default();
        queue.push(b"x", 0, media(1), |_| ());
        queue.disown();
        queue.advance(1, |cargo| {
            let (transport, direction) = (Transport::Tcp, Direction::ToClient);
            assert_eq!(cargo, Cargo::Data { flow: None, transport, direction, payload_bytes: 1 });
        });
    }
}
