//! Method and class, and how both share the first sixteen bits (RFC 8489 §5).

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Tells a client its reflexive address (RFC 8489 §3).
    Binding,
    /// Makes an allocation (RFC 8656 §7).
    Allocate,
    /// Prolongs or ends an allocation (RFC 8656 §8).
    Refresh,
    /// Carries data from a client to a peer (RFC 8656 §11.1).
    Send,
    /// Carries data from a peer to a client (RFC 8656 §11.3).
    Data,
    /// Lets peers reach a client (RFC 8656 §10).
    CreatePermission,
    /// Binds a channel number to a peer (RFC 8656 §12).
    ChannelBind,
    /// Opens a connection to a peer (RFC 6062 §5.2).
    Connect,
    /// Ties a client's connection to a peer's (RFC 6062 §5.4).
    ConnectionBind,
    /// Tells a client that a peer has connected (RFC 6062 §5.3).
    ConnectionAttempt,
    /// A method that we do not know, by its number.
    Unknown(u16),
}

/// What role a message plays in its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// Answers a request that was carried out.
    Success,
    /// Answers a request that was not.
    Error,
}

impl Method {
    fn from_number(number: u16) -> Self {
        match number {
            0x001 => Self::Binding,
            0x003 => Self::Allocate,
            0x004 => Self::Refresh,
            0x006 => Self::Send,
            0x007 => Self::Data,
            0x008 => Self::CreatePermission,
            0x009 => Self::ChannelBind,
            0x00a => Self::Connect,
            0x00b => Self::ConnectionBind,
            0x00c => Self::ConnectionAttempt,
            other => Self::Unknown(other),
        }
    }

    fn number(self) -> u16 {
        match self {
            Self::Binding => 0x001,
            Self::Allocate => 0x003,
            Self::Refresh => 0x004,
            Self::Send => 0x006,
            Self::Data => 0x007,
            Self::CreatePermission => 0x008,
            Self::ChannelBind => 0x009,
            Self::Connect => 0x00a,
            Self::ConnectionBind => 0x00b,
            Self::ConnectionAttempt => 0x00c,
            Self::Unknown(number) => number,
        }
    }
}

/// Takes apart the first sixteen bits of a message, whose two leading bits are zero.
pub(super) fn unpack(message_type: u16) -> (Method, Class) {
    // RFC 8489 §5, figure 3: M11..M7 C1 M6 M5 M4 C0 M3..M0.
    let number = (message_type & 0x000f) | (message_type & 0x00e0) >> 1 | (message_type & 0x3e00) >> 2;
    let class = match (message_type & 0x0100 != 0, message_type & 0x0010 != 0) {
        (false, false) => Class::Request,
        (false, true) => Class::Indication,
        (true, false) => Class::Success,
        (true, true) => Class::Error,
    };
    (Method::from_number(number), class)
}

/// Puts method and class together into the first sixteen bits of a message.
pub(super) fn pack(method: Method, class: Class) -> u16 {
    let number = method.number();
    let class_bits = match class {
        Class::Request => 0x0000,
        Class::Indication => 0x0010,
        Class::Success => 0x0100,
        Class::Error => 0x0110,
    };
    (number & 0x000f) | (number & 0x0070) << 1 | (number & 0x0f80) << 2 | class_bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacking_undoes_packing_for_every_type() {
        for message_type in 0..0x4000 {
            let (method, class) = unpack(message_type);
            assert_eq!(pack(method, class), message_type);
        }
    }

    #[test]
    fn agrees_with_webrtc_rs() {
        use stun::message as oracle;
        let methods = [
            (Method::Binding, oracle::METHOD_BINDING),
            (Method::Allocate, oracle::METHOD_ALLOCATE),
            (Method::Refresh, oracle::METHOD_REFRESH),
            (Method::Send, oracle::METHOD_SEND),
            (Method::Data, oracle::METHOD_DATA),
            (Method::CreatePermission, oracle::METHOD_CREATE_PERMISSION),
            (Method::ChannelBind, oracle::METHOD_CHANNEL_BIND),
            (Method::Connect, oracle::METHOD_CONNECT),
            (Method::ConnectionBind, oracle::METHOD_CONNECTION_BIND),
            (Method::ConnectionAttempt, oracle::METHOD_CONNECTION_ATTEMPT),
        ];
        let classes = [
            (Class::Request, oracle::CLASS_REQUEST),
            (Class::Indication, oracle::CLASS_INDICATION),
            (Class::Success, oracle::CLASS_SUCCESS_RESPONSE),
            (Class::Error, oracle::CLASS_ERROR_RESPONSE),
        ];
        for (ours, theirs) in methods {
            for (our_class, their_class) in classes {
                let expected = oracle::MessageType { method: theirs, class: their_class }.value();
                assert_eq!(pack(ours, our_class), expected);
            }
        }
    }
}
