//! `Ring`: the buffers of a worker, which datagrams are read into and sent from without being copied.

use std::ops::Range;

/// A row of slots; each has room in front of its payload for the header that a client must see.
#[derive(Debug)]
pub(super) struct Ring {
    /// Zeroed by the system on first use, so that slots cost only what was read into them.
    bytes: Vec<u8>,
    used: usize,
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

    /// How many slots are free.
    pub(super) fn free(&self) -> usize {
        SLOTS - self.used
    }

    /// Frees every slot.
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// What was read into a slot.
    pub(super) fn payload(&self, slot: usize, len: usize) -> &[u8] {
        &self.bytes[Self::payload_start(slot)..][..len]
    }

    /// Where the payload of a slot begins in [`bytes`](Self::bytes).
    pub(super) fn payload_start(slot: usize) -> usize {
        slot * SLOT_LEN + HEADROOM
    }

    /// Writes a header in front of the payload of a slot and zeros up to a multiple of four behind it, if asked.
    /// Returns where the whole lies in [`bytes`](Self::bytes).
    pub(super) fn wrap(&mut self, slot: usize, len: usize, header: &[u8], pads: bool) -> Range<usize> {
        let payload = Self::payload_start(slot);
        let start = payload - header.len();
        self.bytes[start..payload].copy_from_slice(header);
        let end = payload + if pads { len.next_multiple_of(4) } else { len };
        self.bytes[payload + len..end].fill(0);
        start..end
    }

    /// All slots, one after the other.
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
        assert_eq!(ring.payload(1, 5), b"hello");
        let plain = ring.wrap(1, 5, b"head", false);
        assert_eq!(ring.bytes(plain), b"headhello");
        let padded = ring.wrap(1, 5, b"head", true);
        assert_eq!(ring.bytes(padded), b"headhello\0\0\0");
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
