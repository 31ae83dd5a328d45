//! `Token`: what the kernel hands back to say which socket is ready.

use crate::wire::AddressFamily;

/// Which socket is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// The UDP listener at this place in the settings.
    Listener(u32),
    /// The relay socket of this family of the allocation with this index.
    Relay(u32, AddressFamily),
    /// The TCP listener at this place in the settings.
    StreamListener(u32),
    /// The connection with this index.
    Stream(u32),
    /// The peer's connection with this index.
    PeerStream(u32),
    /// A relay socket whose allocation has no name yet.
    Unnamed,
}

impl Token {
    pub(super) fn pack(self) -> u64 {
        let (index, kind) = match self {
            Self::Listener(index) => (index, 0),
            Self::Relay(index, AddressFamily::Ipv4) => (index, 1),
            Self::Relay(index, AddressFamily::Ipv6) => (index, 2),
            Self::StreamListener(index) => (index, 3),
            Self::Stream(index) => (index, 4),
            Self::PeerStream(index) => (index, 5),
            Self::Unnamed => (0, 6),
        };
        u64::from(index) << 32 | kind
    }

    pub(super) fn unpack(token: u64) -> Self {
        let index = (token >> 32) as u32;
        match token & 7 {
            0 => Self::Listener(index),
            1 => Self::Relay(index, AddressFamily::Ipv4),
            2 => Self::Relay(index, AddressFamily::Ipv6),
            3 => Self::StreamListener(index),
            4 => Self::Stream(index),
            5 => Self::PeerStream(index),
            _ => Self::Unnamed,
        }
    }
}

#[cfg(test)]
mod tests {
    use AddressFamily::{Ipv4, Ipv6};

    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        for token in [
            Token::Listener(7),
            Token::Relay(0, Ipv4),
            Token::Relay(u32::MAX, Ipv6),
            Token::StreamListener(1),
            Token::Stream(u32::MAX),
            Token::PeerStream(3),
            Token::Unnamed,
        ] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }
}
