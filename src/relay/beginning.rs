//! What a stream begins with: the one place where protocols that share a port are told apart.

use std::net::SocketAddr;

use crate::tls::ClientHello;
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
    Tls(Purpose),
    /// STUN messages and ChannelData.
    Turn,
    /// HTTP in the clear.
    Http,
    /// Nothing that is spoken here.
    Garbage,
}

/// What a client with TLS has come for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// TURN, or what only TLS can refuse.
    Turn,
    /// HTTP.
    Http,
    /// It does not say; its first bytes through TLS will.
    Unsaid,
}

/// Tells what a stream begins with, which a header may precede if a proxy sends it.
pub(super) fn recognise(stream: &[u8], may_have_header: bool, may_speak_http: bool) -> Beginning {
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
        Some(&TLS_HANDSHAKE) if may_speak_http => purpose(stream),
        Some(&TLS_HANDSHAKE) => Beginning::Tls(Purpose::Turn),
        Some(_) if may_speak_http && is_http(stream) => Beginning::Http,
        // RFC 7983 §7: STUN from 0, ChannelData from 64; frames are looked at closely when they are cut.
        Some(0..=3 | 64..=127) => Beginning::Turn,
        Some(_) => Beginning::Garbage,
    }
}

/// Whether a stream on which nothing has been said yet begins with HTTP: with the name of a method, or with the "PRI"
/// of HTTP/2.
///
/// ChannelData can begin with the same bytes, but never a stream: a channel is bound by a request first (RFC 8656 §12).
pub(super) fn is_http(stream: &[u8]) -> bool {
    stream.first().is_some_and(u8::is_ascii_uppercase)
}

/// Tells by its ClientHello what a client with TLS has come for.
fn purpose(stream: &[u8]) -> Beginning {
    let protocols = match ClientHello::peek(stream) {
        ClientHello::Incomplete if stream.len() < MAX_HELLO_LEN => return Beginning::Undecided,
        // The handshake tells the client what is wrong.
        ClientHello::Incomplete | ClientHello::Malformed => return Beginning::Tls(Purpose::Turn),
        ClientHello::Complete { protocols } => protocols,
    };
    let names = |known: &[&[u8]]| protocols.iter().any(|protocol| known.contains(&&protocol[..]));
    Beginning::Tls(if names(&TURN_PROTOCOLS) {
        Purpose::Turn
    } else if names(&HTTP_PROTOCOLS) {
        Purpose::Http
    } else if protocols.is_empty() {
        Purpose::Unsaid
    } else {
        Purpose::Turn
    })
}

/// The content type of a TLS record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;
/// RFC 7443: what clients of TURN and of NAT discovery may ask for; many ask for nothing.
pub(super) const TURN_PROTOCOLS: [&[u8]; 2] = [b"stun.turn", b"stun.nat-discovery"];
/// What clients of HTTP ask for.
const HTTP_PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// What is kept of a client that does not come to the end of its ClientHello: eight times what the longest keys of
/// today need.
const MAX_HELLO_LEN: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::hello;

    #[test]
    fn the_first_byte_decides() {
        assert_eq!(recognise(b"", false, false), Beginning::Undecided);
        assert_eq!(recognise(&[22], false, false), Beginning::Tls(Purpose::Turn));
        assert_eq!(recognise(&[0], false, false), Beginning::Turn);
        assert_eq!(recognise(&[0x40], false, false), Beginning::Turn);
        for other in [4, 21, 23, 63, 128, 255] {
            assert_eq!(recognise(&[other], false, false), Beginning::Garbage, "{other}");
        }
    }

    #[test]
    fn only_a_proxy_may_bring_somebody() {
        let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 3478\r\n";
        let client = Some("192.0.2.1:5000".parse().unwrap());
        assert_eq!(recognise(header, true, false), Beginning::Proxied { len: header.len(), client });
        assert_eq!(recognise(&header[..20], true, false), Beginning::Undecided);
        assert_eq!(recognise(b"PROXY nonsense\r\n", true, false), Beginning::MalformedHeader);
        assert_eq!(recognise(b"\r\n\r\n\0\r\nQUIT\n", false, false), Beginning::Garbage);
        assert_eq!(recognise(&[22, 3], true, false), Beginning::Tls(Purpose::Turn));
        assert_eq!(recognise(&[0, 1], true, false), Beginning::Turn);
    }

    #[test]
    fn http_is_known_by_its_first_letter_where_it_may_come() {
        for request in [&b"GET / HTTP/1.1\r\n"[..], b"P", b"PRI * HTTP/2.0\r\n"] {
            assert_eq!(recognise(request, false, true), Beginning::Http, "{request:?}");
            assert_eq!(recognise(request, false, false), Beginning::Turn, "it may be ChannelData");
        }
        assert_eq!(recognise(b"P", true, true), Beginning::Undecided, "it may be a header");
        assert_eq!(recognise(b"POST", true, true), Beginning::Http);
        for other in [b'@', b'[', b'a'] {
            assert_eq!(recognise(&[other], false, true), Beginning::Turn, "{other}");
        }
        assert_eq!(recognise(&[0, 1], false, true), Beginning::Turn);
        assert_eq!(recognise(b"\n", false, true), Beginning::Garbage);
    }

    #[test]
    fn a_client_with_tls_says_what_it_has_come_for() {
        for (asked, purpose) in [
            (&[][..], Purpose::Unsaid),
            (&[b"http/1.1" as &[u8]], Purpose::Http),
            (&[b"http/0.9", b"h2"], Purpose::Http),
            (&[b"stun.turn"], Purpose::Turn),
            (&[b"h2", b"stun.nat-discovery"], Purpose::Turn),
            (&[b"acme-tls/1"], Purpose::Turn),
        ] {
            let hello = hello(asked, None);
            assert_eq!(recognise(&hello, false, true), Beginning::Tls(purpose), "{asked:?}");
            assert_eq!(recognise(&hello, false, false), Beginning::Tls(Purpose::Turn), "{asked:?}");
            for len in [1, 5, 6, hello.len() - 1] {
                assert_eq!(recognise(&hello[..len], false, true), Beginning::Undecided, "{len}");
            }
        }
    }

    #[test]
    fn a_client_hello_without_an_end_is_left_to_tls() {
        // Records of one byte each, of a message of 64 KiB less one byte.
        let mut stream = vec![22, 3, 1, 0, 4, 1, 0, 0xff, 0xff];
        while stream.len() + 6 < MAX_HELLO_LEN {
            stream.extend_from_slice(&[22, 3, 1, 0, 1, 0]);
        }
        assert_eq!(recognise(&stream, false, true), Beginning::Undecided);
        stream.extend_from_slice(&[22, 3, 1, 0, 1, 0]);
        assert_eq!(recognise(&stream, false, true), Beginning::Tls(Purpose::Turn));
        assert_eq!(recognise(&[22, 0, 0, 0, 0, 0], false, true), Beginning::Tls(Purpose::Turn));
    }
}
