//! `Token`: what the kernel hands back to say which socket can be read.

/// Which socket can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// The listener at this place in the settings.
    Listener(u32),
    /// The relay socket of the allocation with this index.
    Relay(u32),
    /// A relay socket whose allocation has no name yet.
    Unnamed,
}

impl Token {
    pub(super) fn pack(self) -> u64 {
        match self {
            Self::Listener(index) => u64::from(index) << 32,
            Self::Relay(index) => u64::from(index) << 32 | 1,
            Self::Unnamed => 2,
        }
    }

    pub(super) fn unpack(token: u64) -> Self {
        let index = (token >> 32) as u32;
        match token & 3 {
            0 => Self::Listener(index),
            1 => Self::Relay(index),
            _ => Self::Unnamed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        for token in
            [Token::Listener(0), Token::Listener(7), Token::Relay(0), Token::Relay(u32::MAX), Token::Unnamed]
        {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }
}
