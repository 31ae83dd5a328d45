//! What is no offer, with the line and the reason.

use super::{OFFER, check, real_offers};
use crate::sdp::{Flaw, Lines};

#[test]
fn the_offer_of_these_tests_is_right() {
    assert_eq!(check(OFFER), Ok(()));
}

#[test]
fn names_the_line_and_the_reason() {
    let documentation = include_str!("../../../docs/OFFERS.md");
    let long = format!("a=x:{}\r\na=ice-ufrag", "x".repeat(8192));
    for (from, to, line, code) in [
        ("v=0", "v=1", Some(1), "version"),
        ("v=0\r\n", "", Some(1), "version"),
        ("s=-", "s", Some(3), "line_form"),
        ("s=-", "S=-", Some(3), "line_form"),
        ("s=-", " s=-", Some(3), "line_form"),
        ("s=-", "s=a\u{0}b", Some(3), "control_character"),
        ("s=-\r\n", "s=-\r", Some(3), "control_character"),
        ("s=-", "s=-\u{b}a=candidate:1", Some(3), "control_character"),
        ("s=-", "s=-\u{85}m=audio", Some(3), "control_character"),
        ("s=-", "s=-\u{2028}m=audio", Some(3), "control_character"),
        ("a=ice-ufrag", &long, Some(8), "line_length"),
        ("video 9 UDP/TLS/RTP/SAVPF 96", "video 9 UDP/TLS/RTP/SAVPF", Some(5), "media_form"),
        ("video 9 UDP/TLS/RTP/SAVPF 96", "", Some(5), "media_form"),
        ("video 9", "video 65536", Some(5), "port"),
        ("video 9", "video x", Some(5), "port"),
        ("video 9", "video 0", None, "no_media"),
        ("m=video", "x=video", None, "no_media"),
        ("a=ice-ufrag:abcd\r\n", "", Some(5), "no_ice_ufrag"),
        ("ufrag:abcd", "ufrag:abc", Some(8), "ice_ufrag"),
        ("ufrag:abcd", "ufrag:ab cd", Some(8), "ice_ufrag"),
        ("ufrag:abcd", "ufrag:ab\"cd", Some(8), "ice_ufrag"),
        ("a=ice-pwd:0123456789abcdefghijkl\r\n", "", Some(5), "no_ice_pwd"),
        ("pwd:0123456789abcdefghijkl", "pwd:0123456789abcdefghijk", Some(9), "ice_pwd"),
        ("a=fingerprint", "a=finger", Some(5), "no_fingerprint"),
        ("sha-1 4A", "md5 4A", Some(5), "unknown_hash"),
        ("sha-1 4A", "sha-256 4A", Some(10), "fingerprint"),
        ("sha-1 4A", "sha-1 4G", Some(10), "fingerprint"),
        ("sha-1 4A", "sha-1:4A", Some(10), "fingerprint"),
        (":7C:AB", ":7C AB", Some(10), "fingerprint"),
        ("setup:actpass", "setup:holdconn", Some(11), "setup"),
        ("setup:actpass", "setup:", Some(11), "setup"),
        ("a=setup:actpass", "a=ice-ufrag:efgh", Some(11), "contradiction"),
        ("a=setup:actpass", "a=mid:1", Some(11), "contradiction"),
        ("5000 typ host", "50000000 typ host", Some(12), "candidate"),
    ] {
        let offer = OFFER.replacen(from, to, 1);
        assert_ne!(offer, OFFER, "{from}");
        let invalid = check(&offer).expect_err(to);
        assert_eq!((invalid.line, invalid.flaw.code()), (line, code), "{to:?}: {invalid}");
        assert!(documentation.contains(&format!("`{code}`")), "docs/OFFERS.md lacks {code}");
    }
    for empty in ["", "\r\n\n"] {
        let invalid = check(empty).unwrap_err();
        assert_eq!((invalid.line, invalid.flaw), (None, Flaw::Version));
    }
}

#[test]
fn takes_what_is_odd_and_harmless() {
    for (from, to) in [
        ("v=0", "v=0 "),
        ("s=-", "s=Zoë\ttalks"),
        ("s=-\r\n", ""),
        ("video 9", "video 9/2"),
        ("ufrag:abcd", "ufrag:a-_=#"),
        ("ufrag:abcd", "ufrag: abcd "),
        ("a=setup:actpass\r\n", ""),
        ("a=setup:actpass", "a=setup:active"),
        ("a=setup:actpass", "a=ice-ufrag:abcd"),
        ("a=setup:actpass", "a=fingerprint:sha3-256 AB:CD"),
        ("4A:AD:B9", "4a:aD:b9"),
        ("a=candidate", "a=\r\na=candidates"),
        ("a=candidate", "a=crypto"),
    ] {
        let offer = OFFER.replacen(from, to, 1);
        assert_ne!(offer, OFFER, "{from}");
        assert_eq!(check(&offer), Ok(()), "{to:?}");
    }
}

#[test]
fn one_section_of_a_bundle_may_carry_the_others() {
    let alone = format!("{OFFER}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n");
    assert_eq!(
        check(&alone).unwrap_err().to_string(),
        "line 13: this media section has no ICE user name fragment (a=ice-ufrag)"
    );

    assert_eq!(check(&alone.replacen("t=0 0", "t=0 0\r\na=group:BUNDLE 0 1", 1)), Ok(()));
    assert!(check(&alone.replacen("t=0 0", "t=0 0\r\na=group:BUNDLED 0 1", 1)).is_err());
    assert_eq!(check(&alone.replace("application 9", "application 0")), Ok(()));
}

#[test]
fn what_stands_in_front_of_the_sections_holds_for_all() {
    let mut lines: Vec<&str> = OFFER.split_inclusive("\r\n").collect();
    let security: Vec<&str> = lines.drain(7..11).collect();
    let offer =
        [&lines[..4], &security, &lines[4..], &["m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"]].concat().concat();

    assert_eq!(check(&offer), Ok(()));
}

#[test]
fn errors_repeat_nothing_of_the_line() {
    let offer = OFFER.replace("5000 typ", "50000000 typ").replace("203.0.113.10", "secret.example");

    let shown = check(&offer).unwrap_err().to_string();

    assert_eq!(shown, "line 12: a candidate (a=candidate) has a port up to 65535");
}

#[test]
fn the_ranges_of_the_lines_make_up_the_text() {
    for (name, text) in real_offers() {
        let lines = Lines::new(&text, 1).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(lines.iter().map(|line| &text[line.range.clone()]).collect::<String>(), text, "{name}");
        assert_eq!(lines.last().unwrap().number, lines.len(), "{name}");
    }
}
