//! `Intake`: the buffer that streams are read into, and that their payloads are sent from without being copied.

use std::ops::Range;

use crate::wire::stream::MAX_FRAME_LEN;

/// What was read from streams since the last flush, one piece after the other.
#[derive(Debug)]
pub(super) struct Intake {
    /// Zeroed by the system on first use, so that it costs only what was read.
    bytes: Vec<u8>,
    used: usize,
}

impl Intake {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; LEN], used: 0 }
    }

    /// Whether the beginning of a frame, a whole read, and what TLS may have held back before it fit.
    pub(super) fn has_room(&self) -> bool {
        LEN - self.used >= MAX_FRAME_LEN + 2 * MAX_READ_LEN
    }

    /// Where the next bytes will lie.
    pub(super) fn end(&self) -> usize {
        self.used
    }

    /// Adds bytes.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes[self.used..][..bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }

    /// Where a read may put its bytes; [`filled`](Self::filled) then tells how many it put.
    pub(super) fn free(&mut self) -> &mut [u8] {
        let end = (self.used + MAX_READ_LEN).min(LEN);
        &mut self.bytes[self.used..end]
    }

    /// Takes note of bytes that were put into [`free`](Self::free).
    pub(super) fn filled(&mut self, len: usize) {
        debug_assert!(len <= MAX_READ_LEN);
        self.used += len;
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }
}

/// How much is read from a stream before others have their turn: a burst of 26 video packets.
pub(super) const MAX_READ_LEN: usize = 32 << 10;
/// Several streams that are read before anything is sent.
const LEN: usize = 512 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_pieces_until_it_is_cleared() {
        let mut intake = Intake::new();
        intake.extend(b"rest");
        intake.free()[..3].copy_from_slice(b"new");
        intake.filled(3);
        assert_eq!((intake.bytes(0..7), intake.end()), (&b"restnew"[..], 7));
        intake.clear();
        assert_eq!(intake.end(), 0);
    }

    #[test]
    fn has_room_for_the_beginning_of_the_longest_frame_and_two_reads() {
        let mut intake = Intake::new();
        while intake.has_room() {
            intake.extend(&[0; MAX_FRAME_LEN]);
            for _ in 0..2 {
                assert_eq!(intake.free().len(), MAX_READ_LEN);
                intake.filled(MAX_READ_LEN);
            }
        }
    }
}
