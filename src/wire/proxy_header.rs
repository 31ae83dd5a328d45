//! The PROXY protocol, versions 1 and 2: in front of a stream a proxy tells whom it brings (haproxy, `proxy-protocol.txt`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a stream begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// It may be a header, of which more must come.
    Incomplete,
    /// A header.
    Complete {
        /// Where the stream of the client begins.
        len: usize,
        /// The client; `None` when the proxy speaks for itself, or for somebody whose address it does not know.
        client: Option<SocketAddr>,
    },
    /// The stream begins without one.
    Absent,
    /// It begins with the signature of a header, and what follows is none.
    Malformed,
}

impl ProxyHeader {
    /// Reads the header of a stream, of which more may come later.
    pub fn parse(stream: &[u8]) -> Self {
        if let Some(rest) = stream.strip_prefix(SIGNATURE_V1) {
            return parse_v1(rest);
        }
        if let Some(rest) = stream.strip_prefix(SIGNATURE_V2) {
            return parse_v2(rest);
        }
        if SIGNATURE_V1.starts_with(stream) || SIGNATURE_V2.starts_with(stream) {
            return Self::Incomplete;
        }
        Self::Absent
    }
}

/// Section 2.1: a line of ASCII of at most 107 characters.
fn parse_v1(rest: &[u8]) -> ProxyHeader {
    let most = MAX_LEN_V1 - SIGNATURE_V1.len();
    let Some(end) = rest.windows(2).take(most - 1).position(|pair| pair == b"\r\n") else {
        return if rest.len() < most { ProxyHeader::Incomplete } else { ProxyHeader::Malformed };
    };
    let len = SIGNATURE_V1.len() + end + 2;
    let Ok(line) = str::from_utf8(&rest[..end]) else {
        return ProxyHeader::Malformed;
    };
    let mut words = line.split(' ');
    let client = match words.next() {
        // Whatever follows on the line is to be ignored.
        Some("UNKNOWN") => return ProxyHeader::Complete { len, client: None },
        Some("TCP4") => words.next().and_then(|ip| ip.parse().ok()).map(IpAddr::V4),
        Some("TCP6") => words.next().and_then(|ip| ip.parse().ok()).map(IpAddr::V6),
        _ => None,
    };
    let _destination = words.next();
    let port = words.next().and_then(|port| port.parse().ok());
    match (client, port, words.next(), words.next()) {
        (Some(ip), Some(port), Some(_destination_port), None) => {
            ProxyHeader::Complete { len, client: Some(client_address(ip, port)) }
        }
        _ => ProxyHeader::Malformed,
    }
}

/// Section 2.2: version and command, family and protocol, a length, addresses, and extensions that we skip.
fn parse_v2(rest: &[u8]) -> ProxyHeader {
    let Some((&[version_and_command, family, l0, l1], body)) = rest.split_first_chunk::<4>() else {
        return ProxyHeader::Incomplete;
    };
    let body_len = usize::from(u16::from_be_bytes([l0, l1]));
    if version_and_command >> 4 != 2 || body_len > MAX_BODY_LEN_V2 {
        return ProxyHeader::Malformed;
    }
    let Some(body) = body.get(..body_len) else {
        return ProxyHeader::Incomplete;
    };
    let len = SIGNATURE_V2.len() + 4 + body_len;
    let client = match (version_and_command & 0x0f, family) {
        (LOCAL, _) => None,
        (PROXY, TCP_OVER_IPV4) => match body.first_chunk::<12>() {
            Some(&[a, b, c, d, _, _, _, _, p0, p1, _, _]) => {
                Some(client_address(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([p0, p1])))
            }
            None => return ProxyHeader::Malformed,
        },
        (PROXY, TCP_OVER_IPV6) => match (body.first_chunk::<16>(), body.get(32..36)) {
            (Some(&ip), Some(&[p0, p1, _, _])) => {
                Some(client_address(Ipv6Addr::from(ip).into(), u16::from_be_bytes([p0, p1])))
            }
            _ => return ProxyHeader::Malformed,
        },
        // A family that has no IP address, or is not known yet: the proxy's own address must do.
        (PROXY, _) => None,
        _ => return ProxyHeader::Malformed,
    };
    ProxyHeader::Complete { len, client }
}

/// An IPv4 client of a proxy that listens on IPv6 is still an IPv4 client.
fn client_address(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip.to_canonical(), port)
}

const SIGNATURE_V1: &[u8] = b"PROXY ";
const SIGNATURE_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line that section 2.1 allows, with its end.
const MAX_LEN_V1: usize = 107;
/// Addresses have 36 bytes; the rest is room for extensions, of which a client's certificate is the longest.
const MAX_BODY_LEN_V2: usize = 4096;
const LOCAL: u8 = 0;
const PROXY: u8 = 1;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut header = SIGNATURE_V2.to_vec();
        header.extend_from_slice(&[0x20 | command, family]);
        header.extend_from_slice(&(body.len() as u16).to_be_bytes());
        header.extend_from_slice(body);
        header
    }

    fn complete(len: usize, client: &str) -> ProxyHeader {
        ProxyHeader::Complete { len, client: Some(client.parse().unwrap()) }
    }

    #[test]
    fn reads_lines_of_version_1() {
        let v4 = b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 3478\r\n\x16\x03";
        assert_eq!(ProxyHeader::parse(v4), complete(v4.len() - 2, "192.0.2.1:5000"));
        let v6 = b"PROXY TCP6 2001:db8::1 2001:db8::2 5000 3478\r\n";
        assert_eq!(ProxyHeader::parse(v6), complete(v6.len(), "[2001:db8::1]:5000"));
        let unknown = b"PROXY UNKNOWN ffff:: whatever\r\n";
        assert_eq!(ProxyHeader::parse(unknown), ProxyHeader::Complete { len: unknown.len(), client: None });
    }

    #[test]
    fn reads_version_2_and_skips_its_extensions() {
        let v4 = v2(PROXY, TCP_OVER_IPV4, &[192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0x88, 0x0d, 0x96, 4, 0, 1, 0]);
        assert_eq!(ProxyHeader::parse(&v4), complete(v4.len(), "192.0.2.1:5000"));
        let mut body = [0; 36];
        body[..16].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        body[32..34].copy_from_slice(&5000_u16.to_be_bytes());
        let v6 = v2(PROXY, TCP_OVER_IPV6, &body);
        assert_eq!(ProxyHeader::parse(&v6), complete(v6.len(), "[2001:db8::1]:5000"));
    }

    #[test]
    fn local_connections_and_other_families_keep_their_own_address() {
        for header in [v2(LOCAL, 0, &[]), v2(LOCAL, TCP_OVER_IPV4, &[0; 12]), v2(PROXY, 0x31, &[0; 216])] {
            assert_eq!(
                ProxyHeader::parse(&header),
                ProxyHeader::Complete { len: header.len(), client: None }
            );
        }
    }

    #[test]
    fn an_ipv4_client_in_an_ipv6_address_is_an_ipv4_client() {
        let line = b"PROXY TCP6 ::ffff:192.0.2.1 ::1 5000 3478\r\n";
        assert_eq!(ProxyHeader::parse(line), complete(line.len(), "192.0.2.1:5000"));
    }

    #[test]
    fn refuses_what_only_begins_like_a_header() {
        let long = [b"PROXY TCP4 ", &[b'1'; 110][..]].concat();
        let mut version_3 = v2(PROXY, TCP_OVER_IPV4, &[0; 12]);
        version_3[12] = 0x31;
        let malformed: [&[u8]; 10] = [
            b"PROXY TCP4 192.0.2.1 192.0.2.2 5000\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 70000 1\r\n",
            b"PROXY TCP4 ::1 ::2 5000 3478\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 3478 9\r\n",
            b"PROXY UDP4 192.0.2.1 192.0.2.2 5000 3478\r\n",
            b"PROXY \xff\r\n",
            &long,
            &version_3,
            &v2(2, TCP_OVER_IPV4, &[0; 12]),
            &v2(PROXY, TCP_OVER_IPV4, &[0; 11]),
        ];
        for header in malformed {
            assert_eq!(ProxyHeader::parse(header), ProxyHeader::Malformed, "{header:?}");
        }
        assert_eq!(ProxyHeader::parse(&v2(PROXY, TCP_OVER_IPV6, &[0; 35])), ProxyHeader::Malformed);
        assert_eq!(ProxyHeader::parse(&v2(PROXY, TCP_OVER_IPV4, &[0; 5000])), ProxyHeader::Malformed);
    }

    #[test]
    fn a_stream_without_a_header_is_left_alone() {
        for stream in [&[0_u8, 1, 0, 0][..], &[0x16, 3, 1], b"PROXI TCP4", b"\r\n\r\n\r", b"GET /"] {
            assert_eq!(ProxyHeader::parse(stream), ProxyHeader::Absent);
        }
    }

    #[test]
    fn waits_until_a_header_is_whole() {
        for header in
            [b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 3478\r\n".to_vec(), v2(PROXY, TCP_OVER_IPV4, &[7; 12])]
        {
            for len in 0..header.len() {
                assert_eq!(ProxyHeader::parse(&header[..len]), ProxyHeader::Incomplete, "{len}");
            }
        }
    }

    proptest! {
        #[test]
        fn never_reaches_beyond_the_stream(
            signature in prop::sample::select(vec![SIGNATURE_V1, SIGNATURE_V2, b"".as_slice()]),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let stream = [signature, &rest].concat();
            if let ProxyHeader::Complete { len, .. } = ProxyHeader::parse(&stream) {
                prop_assert!(len <= stream.len());
            }
        }
    }
}
