//! What a backend's answer says about where its media comes from, and who may send to it.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::gateway::sessions::ExpectedCheck;
use crate::sdp;
use crate::secret::Secret;

/// The part of an offer or an answer that is read; the bytes go on as they came.
#[derive(Deserialize)]
struct Described<'a> {
    #[serde(borrow)]
    sdp: Cow<'a, str>,
}

/// The addresses of the candidates in an answer, each once; none if it is no answer.
///
/// Names (`.local`) are passed over: nobody but the client's own network can look them up.
pub(super) fn peers_of(body: &[u8]) -> Vec<SocketAddr> {
    let Ok(Described { sdp }) = serde_json::from_slice(body) else { return Vec::new() };
    let mut peers = Vec::new();
    for candidate in sdp::candidates(&sdp) {
        let Some(address) = candidate.socket_addr() else { continue };
        // RFC 6544 §4.5: an active TCP candidate only dials, and its port stands for none.
        let dials = candidate.tcp_role == Some(sdp::TcpRole::Active);
        if !dials && !peers.contains(&address) {
            peers.push(address);
        }
        if peers.len() == MOST_PEERS {
            break;
        }
    }
    peers
}

/// The checks that the client will send to whom the answer names, one for each media section, each once.
pub(super) fn checks_of(offer: &[u8], answer: &[u8]) -> Vec<ExpectedCheck> {
    let read = |body| serde_json::from_slice::<Described<'_>>(body).ok();
    let Some((offer, answer)) = read(offer).zip(read(answer)) else { return Vec::new() };
    let (of_client, of_backend) = (sdp::ice_credentials(&offer.sdp), sdp::ice_credentials(&answer.sdp));
    let mut checks: Vec<ExpectedCheck> = Vec::new();
    for (client, backend) in of_client.into_iter().zip(of_backend) {
        let Some((client, backend)) = client.zip(backend) else { continue };
        let username = format!("{}:{}", backend.ufrag, client.ufrag);
        if checks.iter().all(|check| *check.username != *username) {
            checks.push(ExpectedCheck { username: username.into(), password: Secret::new(backend.pwd) });
        }
    }
    checks
}

/// As many as an allocation may permit by default; a server with eight addresses of both families has 32 at most.
const MOST_PEERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_candidate_once() {
        let sdp = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n\
                   a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n\
                   a=candidate:2 1 udp 1 198.51.100.1 5001 typ srflx raddr 192.0.2.1 rport 5000\r\n\
                   a=candidate:3 1 udp 1 a.local 5002 typ host\r\n\
                   a=candidate:4 1 tcp 1 192.0.2.1 9 typ host tcptype active\r\n\
                   a=candidate:bad\r\n\
                   m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
                   a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n\
                   a=candidate:5 1 udp 1 2001:db8::1 5000 typ host\r\n";
        let body = serde_json::json!({"type": "answer", "sdp": sdp}).to_string();
        let peers: Vec<String> = peers_of(body.as_bytes()).iter().map(SocketAddr::to_string).collect();
        assert_eq!(peers, ["192.0.2.1:5000", "198.51.100.1:5001", "[2001:db8::1]:5000"]);
    }

    #[test]
    fn names_none_in_what_is_no_answer() {
        for body in ["", "{}", "{\"sdp\":5}", "[]", "{\"sdp\":\"a=candidate:\"}"] {
            assert_eq!(peers_of(body.as_bytes()), Vec::<SocketAddr>::new(), "{body}");
        }
    }

    #[test]
    fn expects_a_check_for_each_pair_of_fragments() {
        let body = |sections: &[(&str, &str)]| {
            let section = |(ufrag, pwd): &(&str, &str)| {
                format!("m=video 9 RTP 0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n")
            };
            let sdp: String = sections.iter().map(section).collect();
            serde_json::json!({ "sdp": sdp }).to_string()
        };
        let [mine, yours, other] =
            ["0123456789abcdefmine00", "0123456789abcdefyours0", "0123456789abcdefother0"];
        let offer = body(&[("cli1", mine), ("cli2", mine), ("cli2", mine)]);
        let answer = body(&[("srv1", yours), ("srv2", other), ("srv2", other)]);
        let expected = [("srv1:cli1", yours), ("srv2:cli2", other)];
        let expected = expected.map(|(username, password)| ExpectedCheck {
            username: username.into(),
            password: Secret::new(password),
        });
        assert_eq!(checks_of(offer.as_bytes(), answer.as_bytes()), expected);
        assert_eq!(checks_of(offer.as_bytes(), b"{}"), []);
        assert_eq!(checks_of(offer.as_bytes(), body(&[("srv1", "short")]).as_bytes()), []);
    }

    #[test]
    fn bounds_how_many_it_names() {
        let lines = (0..5000).map(|port| format!("a=candidate:1 1 udp 1 192.0.2.1 {port} typ host\n"));
        let body = serde_json::json!({"sdp": lines.collect::<String>()}).to_string();
        assert_eq!(peers_of(body.as_bytes()).len(), MOST_PEERS);
    }
}
