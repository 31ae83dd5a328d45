//! Takes out of an offer where its client is: what is left names relayed addresses alone.

use std::fmt::Write;

use super::candidate::{Candidate, CandidateKind};
use super::flaw::Invalid;
use super::line::{Line, Lines};

/// Rewrites an offer so that its reader learns no address of the client but the relayed ones; none if it has no such.
///
/// Candidates of other kinds go, and so do the addresses that stand beside the relayed ones (`raddr`, RFC 8839 §5.1) and the
/// default addresses of `c=`, `m=`, `o=` and `a=rtcp`, in whose place stands what clients write that trickle.
pub fn relay_only(text: &str) -> Result<Option<String>, Invalid> {
    let mut rest = String::with_capacity(text.len());
    let mut relayed = 0;
    for line in Lines::new(text, 1) {
        let line = line?;
        let whole = &text[line.range.clone()];
        let ending = &whole[whole.trim_end_matches(['\r', '\n']).len()..];
        match (line.kind, line.attribute()) {
            (b'c', _) => rest.push_str("c=IN IP4 0.0.0.0"),
            (b'o', _) => write_origin(&line, &mut rest),
            (b'm', _) => write_media(&line, &mut rest),
            (_, Some(("rtcp", _))) => rest.push_str("a=rtcp:9 IN IP4 0.0.0.0"),
            (_, Some(("source-filter" | "remote-candidates", _))) => continue,
            (_, Some(("candidate", value))) => {
                let is_relayed = Candidate::parse(value.trim_ascii())
                    .is_ok_and(|candidate| candidate.kind == CandidateKind::Relayed);
                if !is_relayed {
                    continue;
                }
                relayed += 1;
                write_candidate(value, &mut rest);
            }
            _ => rest.push_str(&whole[..whole.len() - ending.len()]),
        }
        rest.push_str(ending);
    }
    Ok((relayed > 0).then_some(rest))
}

/// `o=<username> <id> <version> IN IP4 <address>` (RFC 8866 §5.2).
fn write_origin(line: &Line<'_>, rest: &mut String) {
    let mut words = line.value.split_ascii_whitespace();
    let [_, id, version] = [(); 3].map(|()| words.next().unwrap_or("0"));
    // The user name may be that of an account.
    let _ = write!(rest, "o=- {id} {version} IN IP4 0.0.0.0");
}

/// RFC 8840 §4.1.1: port 9 stands for an address that is not told; 0 for a section that is not wanted.
fn write_media(line: &Line<'_>, rest: &mut String) {
    let mut words = line.value.split_ascii_whitespace();
    let (kind, port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let _ = write!(rest, "m={kind} {}", if port == "0" { "0" } else { "9" });
    words.for_each(|word| {
        let _ = write!(rest, " {word}");
    });
}

fn write_candidate(value: &str, rest: &mut String) {
    rest.push_str("a=candidate:");
    let mut words = value.split_ascii_whitespace();
    let mut is_first = true;
    while let Some(word) = words.next() {
        if !std::mem::take(&mut is_first) {
            rest.push(' ');
        }
        rest.push_str(word);
        match word {
            "raddr" if words.next().is_some() => rest.push_str(" 0.0.0.0"),
            "rport" if words.next().is_some() => rest.push_str(" 0"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::{Bounds, Description};

    const OFFER: &str = "v=0\r\n\
        o=ann 1 2 IN IP4 203.0.113.10\r\n\
        s=-\r\n\
        c=IN IP4 203.0.113.10\r\n\
        m=video 53850 UDP/TLS/RTP/SAVPF 97 98\r\n\
        c=IN IP6 2001:db8::10\r\n\
        a=rtcp:53851 IN IP4 203.0.113.10\r\n\
        a=candidate:1 1 udp 2130706431 203.0.113.10 53850 typ host\r\n\
        a=candidate:2 1 udp 16777215 192.0.2.1 50000 typ relay raddr 203.0.113.10 rport 53850 generation 0\r\n\
        a=ice-ufrag:abcd\r\n\
        m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n";

    #[test]
    fn leaves_relayed_addresses_alone() {
        let expected = "v=0\r\n\
            o=- 1 2 IN IP4 0.0.0.0\r\n\
            s=-\r\n\
            c=IN IP4 0.0.0.0\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 97 98\r\n\
            c=IN IP4 0.0.0.0\r\n\
            a=rtcp:9 IN IP4 0.0.0.0\r\n\
            a=candidate:2 1 udp 16777215 192.0.2.1 50000 typ relay raddr 0.0.0.0 rport 0 generation 0\r\n\
            a=ice-ufrag:abcd\r\n\
            m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n";
        assert_eq!(relay_only(OFFER).unwrap().unwrap(), expected);
    }

    #[test]
    fn needs_a_relayed_address() {
        let without: String =
            OFFER.lines().filter(|line| !line.contains("relay")).map(|l| format!("{l}\r\n")).collect();
        assert_eq!(relay_only(&without).unwrap(), None);
        assert!(relay_only("v=0\r\nno line\r\n").is_err());
    }

    #[test]
    fn offers_of_real_clients_stay_offers() {
        let bounds = Bounds { media: 32, candidates: 1000 };
        for (name, text) in crate::sdp::tests::real_offers() {
            let Some(rest) = relay_only(&text).unwrap() else { continue };
            let (before, after) =
                (Description::parse(&text, &bounds).unwrap(), Description::parse(&rest, &bounds).unwrap());
            after.check_offer().unwrap();
            assert_eq!(before.media.len(), after.media.len(), "{name}");
            assert!(after.candidates().all(|candidate| candidate.kind == CandidateKind::Relayed), "{name}");
            assert!(after.candidates().all(|candidate| candidate.related_addr().is_none()), "{name}");
            let addresses = before.candidates().filter(|candidate| candidate.kind != CandidateKind::Relayed);
            for hidden in addresses.filter_map(|candidate| candidate.address.ip()) {
                assert!(!rest.contains(&hidden.to_string()), "{name}: {hidden}");
            }
        }
    }
}
