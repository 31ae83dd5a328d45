//! What real clients send passes, and is read as Firefox's own parser reads it.

use webrtc_sdp::address::Address;
use webrtc_sdp::attribute_type::{SdpAttribute, SdpAttributeCandidateType, SdpAttributeType};

use super::{BOUNDS, real_offers};
use crate::sdp::{CandidateKind, Description, Hash, Host, Role};

#[test]
fn offers_of_real_clients_pass() {
    for (name, text) in real_offers() {
        let description =
            Description::parse(&text, &BOUNDS).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(description.check_offer(), Ok(()), "{name}");
        assert!(description.media.iter().all(|media| media.security.role.is_some()), "{name}");
    }
}

#[test]
fn line_breaks_may_be_bare_and_lines_empty() {
    for (name, text) in real_offers() {
        let spaced = format!("\n{}\n\n", text.replace("\r\n", "\n"));
        assert_eq!(Description::parse(&spaced, &BOUNDS).unwrap().check_offer(), Ok(()), "{name}");
    }
}

#[test]
fn reads_what_the_parser_of_firefox_reads() {
    for (name, text) in real_offers() {
        let ours = Description::parse(&text, &BOUNDS).unwrap();
        let theirs = webrtc_sdp::parse_sdp(&text, false).unwrap_or_else(|error| panic!("{name}: {error}"));

        assert_eq!(ours.media.len(), theirs.media.len(), "{name}");
        for (our, their) in ours.media.iter().zip(&theirs.media) {
            assert_eq!(our.kind, their.get_type().to_string(), "{name}");
            assert_eq!(u32::from(our.port), their.get_port(), "{name}");
            assert_eq!(our.protocol, their.get_proto().to_string(), "{name}");
            let find = |kind: SdpAttributeType| {
                their.get_attribute(kind.clone()).or_else(|| theirs.get_attribute(kind))
            };
            let text_of = |kind| match find(kind) {
                Some(SdpAttribute::IceUfrag(text) | SdpAttribute::IcePwd(text) | SdpAttribute::Mid(text)) => {
                    Some(text.as_str())
                }
                _ => None,
            };
            assert_eq!(our.security.ice_ufrag, text_of(SdpAttributeType::IceUfrag), "{name}");
            assert_eq!(our.security.ice_pwd, text_of(SdpAttributeType::IcePwd), "{name}");
            assert_eq!(our.mid, text_of(SdpAttributeType::Mid), "{name}");
            let Some(SdpAttribute::Fingerprint(fingerprint)) = find(SdpAttributeType::Fingerprint) else {
                panic!("{name}: no fingerprint");
            };
            let digest = fingerprint.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>();
            assert_eq!(our.security.fingerprint.unwrap().digest.to_uppercase(), digest.join(":"), "{name}");

            let candidates = their.get_attributes_of_type(SdpAttributeType::Candidate);
            assert_eq!(our.candidates.len(), candidates.len(), "{name}");
            for (our, their) in our.candidates.iter().zip(candidates) {
                let SdpAttribute::Candidate(their) = their else { panic!("{name}") };
                let kind = match their.c_type {
                    SdpAttributeCandidateType::Host => CandidateKind::Host,
                    SdpAttributeCandidateType::Srflx => CandidateKind::ServerReflexive,
                    SdpAttributeCandidateType::Prflx => CandidateKind::PeerReflexive,
                    SdpAttributeCandidateType::Relay => CandidateKind::Relayed,
                };
                assert_eq!((our.kind, our.foundation), (kind, their.foundation.as_str()), "{name}");
                assert_eq!((our.component.into(), our.priority.into()), (their.component, their.priority));
                assert_eq!(our.address, host(&their.address), "{name}");
                assert_eq!(u32::from(our.port), their.port, "{name}");
                assert_eq!(our.related.map(|(_, port)| u32::from(port)), their.rport, "{name}");
                assert_eq!(our.ufrag, their.ufrag.as_deref(), "{name}");
            }
        }
    }
}

#[test]
fn finds_the_relayed_addresses_and_whose_they_are() {
    let relayed = |wanted: &str| {
        let (_, text) = real_offers().into_iter().find(|(name, _)| name == wanted).unwrap();
        let description = Description::parse(&text, &BOUNDS).unwrap();
        let relayed = description.candidates().filter(|candidate| candidate.kind == CandidateKind::Relayed);
        relayed
            .map(|candidate| {
                let related = candidate.related_addr().map(|address| address.to_string());
                (candidate.socket_addr().unwrap().to_string(), related)
            })
            .collect::<Vec<_>>()
    };

    assert_eq!(
        relayed("aiortc"),
        [
            ("198.51.100.5:60081".to_owned(), Some("203.0.113.10:44516".to_owned())),
            ("198.51.100.5:51911".to_owned(), Some("203.0.113.10:52594".to_owned())),
        ]
    );
    assert_eq!(
        relayed("chromium-relay-only"),
        [("198.51.100.5:60545".to_owned(), None), ("198.51.100.5:51933".to_owned(), None)]
    );
    assert_eq!(relayed("aiortc-without-turn"), []);
}

#[test]
fn tells_what_the_gate_needs_to_know_of_an_offer() {
    let offers = real_offers();
    let parse = |wanted: &str| {
        let (_, text) = offers.iter().find(|(name, _)| name == wanted).unwrap();
        Description::parse(text, &BOUNDS).unwrap()
    };

    let aiortc = parse("aiortc");
    assert_eq!(aiortc.bundle, Some("0 1"));
    assert!(aiortc.media.iter().all(|media| media.has_all_candidates && !media.may_trickle));
    assert_eq!(aiortc.media[0].security.ice_ufrag, Some("qnMw"));
    assert_eq!(aiortc.media[0].security.fingerprint.unwrap().hash, Hash::Sha256);
    assert_eq!(aiortc.media[0].security.role, Some(Role::Either));
    assert!(!aiortc.is_ice_lite);

    let firefox = parse("firefox-max-bundle");
    assert!(firefox.may_trickle);
    let bundle_only = firefox.media.iter().map(|media| media.is_bundle_only).collect::<Vec<_>>();
    assert_eq!(bundle_only, [false, true, true, true]);
    assert!(firefox.media.iter().all(|media| !media.is_rejected()));

    assert!(parse("libdatachannel").may_trickle);
    assert!(parse("str0m").media.iter().all(|media| media.security.role == Some(Role::Either)));
}

fn host(theirs: &Address) -> Host<'_> {
    match theirs {
        Address::Ip(ip) => Host::Ip(*ip),
        Address::Fqdn(name) => Host::Name(name),
    }
}
