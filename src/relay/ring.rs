//! `Ring`: the buffers of a worker, which datagrams are read into and sent from without being copied.

use std::ops::Range;

/// A datagram in the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: usize,
    pub(super) len: usize,
    /// Whether there is room around it, as there is nothing else in its slot.
    pub(super) is_alone: bool,
}

/// A row of slots; each has room in front of its payload for the header that a client must see.
#[derive(Debug)]
pub(super) struct Ring {
    /// Zeroed by the system on first use, so that slots cost only what was read into them.
    bytes: Vec<u8>,
    used: usize,
}

impl Piece {
    /// Where a part of it lies in the ring.
    pub(super) fn part(self, range: Range<usize>) -> Range<usize> {
        debug_assert!(range.end <= self.len);
        self.start + range.start..self.start + range.end
    }

    /// A part of it as a piece of its own, which has the room around this one if the rest is no longer needed.
    pub(super) fn narrow(self, range: Range<usize>) -> Self {
        let Range { start, end } = self.part(range);
        Self { start, len: end - start, is_alone: self.is_alone }
    }

    /// Where all of it lies in the ring.
    pub(super) fn whole(self) -> Range<usize> {
        self.start..self.start + self.len
    }
}

impl Ring {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; SLOTS * SLOT_LEN], used: 0 }
    }

    /// The payload buffers of up to `limit` free slots.
    pub(super) fn free_slots(&mut self, limit: usize) -> impl Iterator<Item = &mut [u8]> {
        self.bytes
            .chunks_exact_mut(SLOT_LEN)
            .skip(self.used)
            .take(limit)
            .map(|slot| &mut slot[HEADROOM..HEADROOM + MAX_PAYLOAD])
    }

    /// Takes the first free slots, which were just read into.
    pub(super) fn take(&mut self, count: usize) -> Range<usize> {
        let first = self.used;
        self.used += count;
        debug_assert!(self.used <= SLOTS);
        first..self.used
    }

    /// Puts a datagram into a free slot.
    pub(super) fn put(&mut self, datagram: &[u8]) -> Piece {
        let start = self.used * SLOT_LEN + HEADROOM;
        self.bytes[start..start + datagram.len()].copy_from_slice(datagram);
        self.used += 1;
        Piece { start, len: datagram.len(), is_alone: true }
    }

    /// How many slots are free.
    pub(super) fn free(&self) -> usize {
        SLOTS - self.used
    }

    /// Frees every slot.
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// The datagrams in a slot: one, or several of the same length, of which the last may be shorter.
    pub(super) fn pieces(slot: usize, len: usize, segment_len: usize) -> impl Iterator<Item = Piece> {
        let start = slot * SLOT_LEN + HEADROOM;
        let is_alone = segment_len >= len;
        // An empty datagram is one too.
        let offsets = (0..len.max(1)).step_by(segment_len.max(1));
        offsets.map(move |offset| Piece {
            start: start + offset,
            len: segment_len.min(len - offset),
            is_alone,
        })
    }

    /// Writes a header in front of a datagram that is alone in its slot, and zeros up to a multiple of four behind it,
    /// if asked. Returns where the whole lies.
    pub(super) fn wrap(&mut self, piece: Piece, header: &[u8], pads: bool) -> Range<usize> {
        debug_assert!(piece.is_alone, "others lie around it");
        let Piece { start: payload, len, .. } = piece;
        let start = payload - header.len();
        self.bytes[start..payload].copy_from_slice(header);
        let end = payload + if pads { len.next_multiple_of(4) } else { len };
        self.bytes[payload + len..end].fill(0);
        start..end
    }

    /// Some of what was read.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }
}

/// How many datagrams are gathered before they are sent. More save no system calls, as one takes 64 at most; fewer do
/// not fill it.
pub(super) const SLOTS: usize = 64;
/// The longest header: that of a Data indication from an IPv6 peer has 48 bytes.
const HEADROOM: usize = 64;
/// The longest datagram that UDP can carry, and padding for it.
const MAX_PAYLOAD: usize = 65_535;
/// A multiple of 64, so that slots begin on cache lines.
const SLOT_LEN: usize = (HEADROOM + MAX_PAYLOAD + 3).next_multiple_of(64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_a_payload_without_moving_it() {
        let mut ring = Ring::new();
        ring.free_slots(2).nth(1).unwrap()[..5].copy_from_slice(b"hello");
        assert_eq!(ring.take(2), 0..2);
        let pieces: Vec<Piece> = Ring::pieces(1, 5, 5).collect();
        let [piece] = pieces[..] else { panic!("{pieces:?}") };
        assert_eq!(ring.bytes(piece.whole()), b"hello");
        assert_eq!(ring.bytes(piece.part(1..3)), b"el");
        let plain = ring.wrap(piece, b"head", false);
        assert_eq!(ring.bytes(plain), b"headhello");
        let padded = ring.wrap(piece, b"head", true);
        assert_eq!(ring.bytes(padded), b"headhello\0\0\0");
    }

    #[test]
    fn tells_the_datagrams_of_a_slot_apart() {
        let mut ring = Ring::new();
        ring.free_slots(1).next().unwrap()[..8].copy_from_slice(b"aaabbbcc");
        let pieces: Vec<Piece> = Ring::pieces(0, 8, 3).collect();
        assert_eq!(
            pieces.iter().map(|piece| ring.bytes(piece.whole())).collect::<Vec<_>>(),
            [&b"aaa"[..], b"bbb", b"cc"]
        );
        assert!(pieces.iter().all(|piece| !piece.is_alone));
        let empty: Vec<Piece> = Ring::pieces(0, 0, 0).collect();
        assert_eq!((empty.len(), empty[0].len, empty[0].is_alone), (1, 0, true));
    }

    #[test]
    fn hands_out_each_slot_once() {
        let mut ring = Ring::new();
        assert_eq!(ring.free_slots(usize::MAX).count(), SLOTS);
        ring.take(SLOTS - 1);
        assert_eq!((ring.free(), ring.free_slots(8).count()), (1, 1));
        ring.clear();
        assert_eq!(ring.free(), SLOTS);
    }
}
