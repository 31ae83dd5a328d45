//! Tells STUN from ChannelData by the first byte (RFC 8656 §12.4, RFC 7983 §7).

/// What a datagram from a client claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A STUN message: the two leading bits are zero (RFC 8489 §5).
    Stun,
    /// ChannelData: the two leading bits are 01 (RFC 8656 §12.4).
    ChannelData,
    /// Neither: dropped without an answer.
    Unknown,
}

/// Classifies a datagram; an empty one is unknown.
pub fn classify(datagram: &[u8]) -> Protocol {
    match datagram.first().map(|first| first >> 6) {
        Some(0b00) => Protocol::Stun,
        Some(0b01) => Protocol::ChannelData,
        _ => Protocol::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8656 §12.4
    #[test]
    fn the_two_leading_bits_decide() {
        assert_eq!(classify(&[0x00, 0x01]), Protocol::Stun);
        assert_eq!(classify(&[0x3f]), Protocol::Stun);
        assert_eq!(classify(&[0x40]), Protocol::ChannelData);
        assert_eq!(classify(&[0x7f]), Protocol::ChannelData);
        assert_eq!(classify(&[0x80]), Protocol::Unknown);
        assert_eq!(classify(&[0xff]), Protocol::Unknown);
        assert_eq!(classify(&[]), Protocol::Unknown);
    }
}
