//! Candidates of all kinds.

use crate::sdp::{Candidate, CandidateFlaw, CandidateKind, Host, TcpRole, Transport};

#[test]
fn reads_every_part() {
    let text = "1 2 TCP 4294967295 2001:db8::7 9 typ srflx raddr 10.0.0.1 rport 7 tcptype active generation 0 ufrag abcd";

    assert_eq!(
        Candidate::parse(text),
        Ok(Candidate {
            foundation: "1",
            component: 2,
            transport: Transport::Tcp,
            priority: u32::MAX,
            address: Host::Ip("2001:db8::7".parse().unwrap()),
            port: 9,
            kind: CandidateKind::ServerReflexive,
            related: Some((Host::Ip("10.0.0.1".parse().unwrap()), 7)),
            tcp_role: Some(TcpRole::Active),
            ufrag: Some("abcd"),
        })
    );
}

#[test]
fn a_name_is_no_address() {
    let candidate = Candidate::parse("0 1 UDP 1 a1b2.local 5000 typ host").unwrap();

    assert_eq!(candidate.address, Host::Name("a1b2.local"));
    assert_eq!((candidate.socket_addr(), candidate.related_addr()), (None, None));
    // A zone, which RFC 8839 has no place for, names an interface of the client.
    assert!(Candidate::parse("0 1 UDP 1 fe80::1%eth0 5000 typ host").unwrap().address.ip().is_none());
}

#[test]
fn a_hidden_base_is_none() {
    for hidden in ["raddr 0.0.0.0 rport 0", "raddr :: rport 9", "raddr 10.0.0.1", "rport 7", ""] {
        let text = format!("0 1 udp 1 198.51.100.5 5000 typ relay {hidden}");
        assert_eq!(Candidate::parse(&text).unwrap().related_addr(), None, "{hidden}");
    }
}

#[test]
fn passes_over_what_it_does_not_know() {
    for text in [
        "0 1 ssltcp 1 203.0.113.10 443 typ host",
        "0 1 udp 1 203.0.113.10 5000 typ future",
        "0 1 udp 1 203.0.113.10 5000 typ host tcptype sideways network-cost 10 odd",
        "0123456789abcdef0123456789abcdef0123456789  1  udp 1 203.0.113.10 5000 typ HOST ",
    ] {
        assert!(Candidate::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn tells_what_a_candidate_lacks() {
    for (text, flaw) in [
        ("", CandidateFlaw::Form),
        ("1 1 udp 1 203.0.113.10", CandidateFlaw::Form),
        ("1 1 udp 1 203.0.113.10 5000 host", CandidateFlaw::Form),
        ("1 1 udp 1 203.0.113.10 5000 typ", CandidateFlaw::Form),
        ("1 0 udp 1 203.0.113.10 5000 typ host", CandidateFlaw::Component),
        ("1 257 udp 1 203.0.113.10 5000 typ host", CandidateFlaw::Component),
        ("1 -1 udp 1 203.0.113.10 5000 typ host", CandidateFlaw::Component),
        ("1 1 udp 4294967296 203.0.113.10 5000 typ host", CandidateFlaw::Priority),
        ("1 1 udp 1e3 203.0.113.10 5000 typ host", CandidateFlaw::Priority),
        ("1 1 udp 1 203.0.113.10 65536 typ host", CandidateFlaw::Port),
        ("1 1 udp 1 203.0.113.10 5000 typ relay raddr 10.0.0.1 rport 65536", CandidateFlaw::Port),
    ] {
        assert_eq!(Candidate::parse(text), Err(flaw), "{text}");
    }
}
