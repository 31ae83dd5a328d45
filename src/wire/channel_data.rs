//! `ChannelNumber` and ChannelData messages (RFC 8656 §12.4).

/// The number of a channel: 0x4000 to 0x7FFF, of which RFC 8656 §12 leaves 0x4000 to 0x4FFF in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelNumber(u16);

impl ChannelNumber {
    /// The last number of RFC 8656; the later ones belong to RFC 5766 alone.
    pub const LAST_OF_RFC8656: Self = Self(0x4fff);

    /// Makes a channel number of a value in the range.
    pub fn new(number: u16) -> Option<Self> {
        matches!(number, 0x4000..=0x7fff).then_some(Self(number))
    }

    /// The number on the wire.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// A ChannelData message, borrowed from its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// The channel that it came on.
    pub channel: ChannelNumber,
    /// The application data, which may be empty.
    pub payload: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// The bytes in front of the payload: channel number and length.
    pub const HEADER_LEN: usize = 4;

    /// Reads a datagram; `None` when it is no ChannelData or announces more than it holds.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (&[n0, n1, l0, l1], rest) = datagram.split_first_chunk::<4>()?;
        let channel = ChannelNumber::new(u16::from_be_bytes([n0, n1]))?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        // RFC 8656 §12.5: over UDP padding is optional, so bytes may follow the payload.
        Some(Self { channel, payload: rest.get(..length)? })
    }

    /// The header for a payload of `length` bytes.
    pub fn header(channel: ChannelNumber, length: u16) -> [u8; 4] {
        let [n0, n1] = channel.0.to_be_bytes();
        let [l0, l1] = length.to_be_bytes();
        [n0, n1, l0, l1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let channel = ChannelNumber::new(0x4001).unwrap();
        let mut datagram = ChannelData::header(channel, 3).to_vec();
        datagram.extend_from_slice(b"abc");
        assert_eq!(ChannelData::parse(&datagram), Some(ChannelData { channel, payload: b"abc" }));
    }

    // RFC 8656 §12.5
    #[test]
    fn leaves_padding_out_of_the_payload() {
        let parsed = ChannelData::parse(&[0x40, 0, 0, 1, b'x', 0, 0, 0]).unwrap();
        assert_eq!(parsed.payload, b"x");
    }

    #[test]
    fn takes_an_empty_payload() {
        assert_eq!(ChannelData::parse(&[0x40, 0, 0, 0]).unwrap().payload, b"");
    }

    // RFC 8656 §12.4
    #[test]
    fn refuses_a_length_beyond_the_datagram() {
        assert_eq!(ChannelData::parse(&[0x40, 0, 0, 2, b'x']), None);
        assert_eq!(ChannelData::parse(&[0x40, 0, 0]), None);
    }

    // RFC 8656 §12
    #[test]
    fn refuses_numbers_out_of_range() {
        assert_eq!(ChannelNumber::new(0x3fff), None);
        assert_eq!(ChannelNumber::new(0x8000), None);
        assert!(ChannelNumber::new(0x7fff).is_some());
    }
}
