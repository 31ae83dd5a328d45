//! ChannelBind (RFC 8656 §12).

use super::harness::*;
use crate::turn::ChannelNumbers;
use crate::wire::Method;
use crate::wire::attribute::{CHANNEL_NUMBER, XOR_PEER_ADDRESS};

const PEER: &str = "10.0.0.1:5000";
const OTHER: &str = "10.0.0.2:5000";

fn route(number: u16, peer: &str) -> Seen {
    Seen::OpenRoute(number, peer.parse().unwrap())
}

// RFC 8656 §12
#[test]
fn a_binding_opens_a_route_for_600_seconds() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    let request = alice.request(Method::ChannelBind, 50, channel_bind(0x4000, PEER));
    let seen = net.send(alice.path, &request);
    assert_eq!(seen[0], route(0x4000, PEER));
    assert!(matches!(&seen[1], Seen::Reply(answer) if answer.code() == 0));
    assert_eq!(net.refresh(&alice, 3600).code(), 0);
    assert_eq!(net.seconds(599), []);
    assert_eq!(net.seconds(1), [Seen::CloseRoute(0x4000)]);
}

// RFC 8656 §12
#[test]
fn binding_again_prolongs_it() {
    let mut net = Harness::new();
    let mut alice = net.allocated_alice();
    net.refresh(&alice, 3600);
    net.bind(&alice, 0x4000, PEER);
    net.seconds(500);
    net.renew_nonce(&mut alice);
    let request = alice.request(Method::ChannelBind, 51, channel_bind(0x4000, PEER));
    let seen = net.send(alice.path, &request);
    assert_eq!(seen.len(), 1, "the route is open already: {seen:?}");
    assert_eq!(net.seconds(599), []);
    assert_eq!(net.seconds(1), [Seen::CloseRoute(0x4000)]);
}

#[test]
fn the_permission_holds_while_the_channel_is_bound() {
    let mut net = Harness::new();
    let mut alice = net.allocated_alice();
    net.refresh(&alice, 3600);
    net.bind(&alice, 0x4000, PEER);
    // As aioice does: the channel is renewed each 500 s, the permission never.
    for _ in 0..3 {
        assert_eq!(net.seconds(500), []);
        assert!(matches!(net.peer_sends("10.0.0.1:9".parse().unwrap(), 1)[..], [Seen::Indicate { .. }]));
        net.renew_nonce(&mut alice);
        assert_eq!(net.bind(&alice, 0x4000, PEER), 0);
    }
}

// RFC 8656 §9
#[test]
fn by_the_strict_rule_the_permission_ends_on_its_own() {
    let mut net = Harness::with(|settings| settings.permission_follows_channel = false);
    let alice = net.allocated_alice();
    net.bind(&alice, 0x4000, PEER);
    assert_eq!(net.seconds(299), []);
    assert_eq!(net.seconds(1), [Seen::CloseRoute(0x4000)]);
    let datagram = alice.request(Method::CreatePermission, 60, |writer| {
        writer.address(XOR_PEER_ADDRESS, PEER.parse().unwrap())
    });
    assert_eq!(net.send(alice.path, &datagram)[0], route(0x4000, PEER), "the channel is bound still");
}

// RFC 8656 §12.2
#[test]
fn a_number_or_a_peer_that_is_taken_is_400() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    assert_eq!(net.bind(&alice, 0x4000, PEER), 0);
    assert_eq!(net.bind(&alice, 0x4000, OTHER), 400);
    assert_eq!(net.bind(&alice, 0x4001, PEER), 400);
    assert_eq!(net.bind(&alice, 0x4001, OTHER), 0);
    assert_eq!(net.bind(&alice, 0x4002, "10.0.0.1:5001"), 0, "another port is another peer");
}

// RFC 8656 §12
#[test]
fn an_ended_binding_waits_before_it_is_bound_elsewhere() {
    let mut net = Harness::new();
    let mut alice = net.allocated_alice();
    net.refresh(&alice, 3600);
    net.bind(&alice, 0x4000, PEER);
    net.seconds(600);
    net.renew_nonce(&mut alice);
    assert_eq!(net.bind(&alice, 0x4000, OTHER), 400);
    net.seconds(300);
    net.renew_nonce(&mut alice);
    assert_eq!(net.bind(&alice, 0x4000, OTHER), 0);
}

// RFC 8656 §12
#[test]
fn numbers_lie_in_the_range_of_the_setting() {
    for (numbers, last) in [(ChannelNumbers::Rfc8656, 0x4fff), (ChannelNumbers::Rfc5766, 0x7fff)] {
        let mut net = Harness::with(|settings| settings.channel_numbers = numbers);
        let alice = net.allocated_alice();
        assert_eq!(net.bind(&alice, 0x3fff, PEER), 400);
        assert_eq!(net.bind(&alice, last + 1, PEER), 400);
        assert_eq!(net.bind(&alice, last, PEER), 0);
    }
}

// RFC 8656 §12.2, §18.1
#[test]
fn a_binding_needs_a_number_and_a_peer() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    let peer = PEER.parse().unwrap();
    let number = &[0x40, 0, 0, 0][..];
    let no_peer = net.request(&alice, Method::ChannelBind, |writer| writer.bytes(CHANNEL_NUMBER, number));
    let no_number = net.request(&alice, Method::ChannelBind, |writer| writer.address(XOR_PEER_ADDRESS, peer));
    let short_number = net.request(&alice, Method::ChannelBind, |writer| {
        writer.bytes(CHANNEL_NUMBER, &[0x40, 0]).address(XOR_PEER_ADDRESS, peer)
    });
    assert_eq!([no_peer.code(), no_number.code(), short_number.code()], [400; 3]);
    assert_eq!(net.bind(&alice, 0x4000, "[fd00::1]:1"), 443);
}

// RFC 8656 §12.2
#[test]
fn one_channel_too_many_is_508() {
    let mut net = Harness::with(|settings| settings.max_channels = 2);
    let alice = net.allocated_alice();
    assert_eq!(net.bind(&alice, 0x4000, "10.0.0.1:1"), 0);
    assert_eq!(net.bind(&alice, 0x4001, "10.0.0.1:2"), 0);
    assert_eq!(net.bind(&alice, 0x4002, "10.0.0.1:3"), 508);
    assert_eq!(net.bind(&alice, 0x4001, "10.0.0.1:2"), 0);
}
