//! `Stamp`: what each payload tells about itself.

use std::time::Duration;

/// The first bytes of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Which run it belongs to, so that latecomers of one are not counted in the next.
    pub(super) run: u32,
    /// The sender's flow, by its number in the thread.
    pub(super) flow: u32,
    /// When it was sent, since the run began.
    pub(super) sent: Duration,
}

impl Stamp {
    /// How long it is.
    pub(super) const LEN: usize = 24;

    pub(super) fn write(&self, payload: &mut [u8]) {
        payload[..8].copy_from_slice(&MAGIC);
        payload[8..12].copy_from_slice(&self.run.to_be_bytes());
        payload[12..16].copy_from_slice(&self.flow.to_be_bytes());
        payload[16..24].copy_from_slice(&(self.sent.as_nanos() as u64).to_be_bytes());
    }

    /// Reads what was written; `None` if it is somebody else's packet.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let rest = payload.strip_prefix(&MAGIC)?;
        let (run, rest) = rest.split_first_chunk()?;
        let (flow, rest) = rest.split_first_chunk()?;
        let (sent, _) = rest.split_first_chunk()?;
        Some(Self {
            run: u32::from_be_bytes(*run),
            flow: u32::from_be_bytes(*flow),
            sent: Duration::from_nanos(u64::from_be_bytes(*sent)),
        })
    }
}

/// No client of a TURN server sends this by chance; nor does it look like STUN or ChannelData.
const MAGIC: [u8; 8] = *b"\xfftpbench";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_written() {
        let stamp = Stamp { run: 7, flow: 9, sent: Duration::from_nanos(123_456_789_012) };
        let mut payload = [0xee; Stamp::LEN + 1];
        stamp.write(&mut payload);
        assert_eq!(Stamp::read(&payload), Some(stamp));
        assert_eq!(payload[Stamp::LEN], 0xee);
        assert_eq!(Stamp::read(&payload[..Stamp::LEN - 1]), None);
        payload[1] ^= 1;
        assert_eq!(Stamp::read(&payload), None);
    }
}
