//! What a stream begins with: the one place where protocols that share a port are told apart.

use std::net::SocketAddr;

use crate::wire::ProxyHeader;

/// What the first bytes of a stream tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Nothing yet.
    Undecided,
    /// A proxy says whom it brings; the stream begins behind its header.
    Proxied {
        /// The bytes of the header.
        len: usize,
        /// The client, unless the proxy speaks for itself.
        client: Option<SocketAddr>,
    },
    /// A proxy says it wrongly.
    MalformedHeader,
    /// A TLS handshake.
    Tls,
    /// STUN messages and ChannelData.
    Turn,
    /// Nothing that is spoken here.
    Garbage,
}

/// Tells what a stream begins with, which a header may precede if a proxy sends it.
pub(super) fn recognise(stream: &[u8], may_have_header: bool) -> Beginning {
    if may_have_header {
        match ProxyHeader::parse(stream) {
            ProxyHeader::Incomplete => return Beginning::Undecided,
            ProxyHeader::Complete { len, client } => return Beginning::Proxied { len, client },
            ProxyHeader::Malformed => return Beginning::MalformedHeader,
            ProxyHeader::Absent => {}
        }
    }
    match stream.first() {
        None => Beginning::Undecided,
        Some(&TLS_HANDSHAKE) => Beginning::Tls,
        // RFC 7983 §7: STUN from 0, ChannelData from 64; frames are looked at closely when they are cut.
        Some(0..=3 | 64..=127) => Beginning::Turn,
        Some(_) => Beginning::Garbage,
    }
}

/// The content type of a TLS record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_decides() {
        assert_eq!(recognise(b"", false), Beginning::Undecided);
        assert_eq!(recognise(&[22], false), Beginning::Tls);
        assert_eq!(recognise(&[0], false), Beginning::Turn);
        assert_eq!(recognise(&[0x40], false), Beginning::Turn);
        for other in [4, 21, 23, 63, 128, 255] {
            assert_eq!(recognise(&[other], false), Beginning::Garbage, "{other}");
        }
    }

    #[test]
    fn only_a_proxy_may_bring_somebody() {
        let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 3478\r\n";
        let client = Some("192.0.2.1:5000".parse().unwrap());
        assert_eq!(recognise(header, true), Beginning::Proxied { len: header.len(), client });
        assert_eq!(recognise(&header[..20], true), Beginning::Undecided);
        assert_eq!(recognise(b"PROXY nonsense\r\n", true), Beginning::MalformedHeader);
        assert_eq!(recognise(b"\r\n\r\n\0\r\nQUIT\n", false), Beginning::Garbage);
        assert_eq!(recognise(&[22, 3], true), Beginning::Tls);
        assert_eq!(recognise(&[0, 1], true), Beginning::Turn);
    }
}
