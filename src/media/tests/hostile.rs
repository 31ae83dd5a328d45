//! Payloads that are nothing, or meant to mislead.

use std::time::Duration;

use super::{Bench, SUCCESS, Source, check, rtp};
use crate::media::{Packet, Stage};

#[test]
fn only_whole_headers_of_rtp_are_media() {
    let whole = rtp(Source::new(1), true);
    assert!(matches!(Packet::read(&whole), Packet::Rtp(rtp) if rtp.ssrc == 1 && rtp.marker));
    for len in 0..12 {
        assert_eq!(Packet::read(&whole[..len]), Packet::Other);
    }
    let mut with_sources = whole[..20].to_vec();
    with_sources[0] = 0x83;
    assert_eq!(Packet::read(&with_sources), Packet::Other, "three contributing sources need 24 bytes");
    for kind in 192..=223 {
        let mut control = whole.clone();
        control[1] = kind;
        assert_eq!(Packet::read(&control), Packet::Other, "RTCP {kind}");
    }
    for first in (4..128).chain(192..=255) {
        let mut other = whole.clone();
        other[0] = first;
        assert_eq!(Packet::read(&other), Packet::Other, "{first}");
    }
}

#[test]
fn only_whole_checks_connect() {
    let whole = check(SUCCESS, 1);
    assert!(matches!(Packet::read(&whole), Packet::Check(check) if check.is_success));
    for len in 0..20 {
        assert_eq!(Packet::read(&whole[..len]), Packet::Other);
    }
    let mut longer = whole.clone();
    longer[3] = 4;
    assert_eq!(Packet::read(&longer), Packet::Other, "it announces more than there is");
    let mut without_cookie = whole.clone();
    without_cookie[4] = 0;
    assert_eq!(Packet::read(&without_cookie), Packet::Other);
    assert_eq!(Packet::read(&check(0x0111, 1)), Packet::Other, "an error response");
}

#[test]
fn ever_new_sources_are_not_followed() {
    let mut bench = Bench::new();
    for ssrc in 0..1000 {
        bench.watch.from_client(&rtp(Source::new(ssrc), false), bench.now);
    }
    assert_eq!(bench.whole().client.packets, 8);
    bench.pass(Duration::from_secs(5));
    bench.watch.from_client(&rtp(Source::new(5000), false), bench.now);
    assert_eq!(bench.whole().client.packets, 9, "one that fell silent made room, and still counts");
}

#[test]
fn random_numbers_break_nothing() {
    let mut bench = Bench::new();
    let mut state = 1_u64;
    for _ in 0..100_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [a, b, c, d, e, f, g, _] = state.to_be_bytes();
        let source = Source {
            ssrc: u32::from(a % 4),
            payload_type: b % 64,
            sequence: u16::from_be_bytes([c, d]),
            timestamp: u32::from_be_bytes([d, e, f, g]),
        };
        bench.watch.from_client(&rtp(source, a > 128), bench.now);
        bench.pass(Duration::from_millis(u64::from(f)));
        if g == 0 {
            bench.watch.quality(bench.now);
        }
    }
    let leg = bench.whole().client;
    assert!(leg.packets <= 100_000 && leg.loss().is_some_and(|loss| (0.0..=1.0).contains(&loss)), "{leg:?}");
    assert_eq!(bench.watch.stage(), Stage::Media);
}
