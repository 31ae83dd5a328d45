//! CreatePermission (RFC 8656 §9, §10).

use super::harness::*;
use crate::turn::DropReason;
use crate::turn::peer_policy::{PeerPolicy, PeerRule};
use crate::wire::Method;
use crate::wire::attribute::XOR_PEER_ADDRESS;

const PEER: &str = "10.0.0.1:5000";

/// Whether a datagram from this peer comes through to the client.
fn comes_through(net: &mut Harness, peer: &str) -> bool {
    match &net.peer_sends(peer.parse().unwrap(), 10)[..] {
        [Seen::Indicate { .. }] => true,
        [Seen::Drop(DropReason::NoPermission)] => false,
        other => panic!("{other:?}"),
    }
}

// RFC 8656 §9
#[test]
fn a_permission_opens_every_port_of_an_address() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    assert!(!comes_through(&mut net, PEER));
    assert_eq!(net.permit(&alice, PEER), 0);
    assert!(comes_through(&mut net, PEER));
    assert!(comes_through(&mut net, "10.0.0.1:5001"));
    assert!(!comes_through(&mut net, "10.0.0.2:5000"));
}

// RFC 8656 §9
#[test]
fn a_permission_lasts_300_seconds_and_data_does_not_prolong_it() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    net.permit(&alice, PEER);
    net.seconds(299);
    assert!(comes_through(&mut net, PEER));
    net.send(alice.path, &send_indication(PEER, b"data"));
    net.seconds(1);
    assert!(!comes_through(&mut net, PEER));
}

// RFC 8656 §10
#[test]
fn another_request_prolongs_it() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    net.permit(&alice, PEER);
    net.seconds(200);
    net.permit(&alice, PEER);
    net.seconds(200);
    assert!(comes_through(&mut net, PEER));
}

#[test]
fn without_an_allocation_it_is_437() {
    let mut net = Harness::new();
    let alice = net.alice();
    assert_eq!(net.permit(&alice, PEER), 437);
    assert_eq!(net.bind(&alice, 0x4000, PEER), 437);
}

// RFC 8656 §10.2
#[test]
fn without_a_peer_or_with_a_malformed_one_it_is_400() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    assert_eq!(net.request(&alice, Method::CreatePermission, |writer| writer).code(), 400);
    let short = net.request(&alice, Method::CreatePermission, |writer| {
        writer.address(XOR_PEER_ADDRESS, PEER.parse().unwrap()).bytes(XOR_PEER_ADDRESS, &[0, 1, 0, 0])
    });
    assert_eq!(short.code(), 400);
    assert!(!comes_through(&mut net, PEER), "all or nothing");
}

// RFC 8656 §10.2
#[test]
fn several_peers_are_permitted_together_or_not_at_all() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    let permit = |net: &mut Harness, peers: [&str; 2]| {
        let [first, second] = peers.map(|peer| peer.parse().unwrap());
        net.request(&alice, Method::CreatePermission, |writer| {
            writer.address(XOR_PEER_ADDRESS, first).address(XOR_PEER_ADDRESS, second)
        })
        .code()
    };
    assert_eq!(permit(&mut net, [PEER, "127.0.0.1:1"]), 403);
    assert_eq!(permit(&mut net, [PEER, "[fd00::1]:1"]), 443);
    assert!(!comes_through(&mut net, PEER));
    assert_eq!(permit(&mut net, [PEER, "10.0.0.2:1"]), 0);
    assert!(comes_through(&mut net, PEER));
    assert!(comes_through(&mut net, "10.0.0.2:9"));
}

#[test]
fn private_addresses_are_forbidden_in_every_disguise() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    for peer in ["127.0.0.1:80", "169.254.169.254:80", "192.168.1.1:80", "224.0.0.1:80", "255.255.255.255:80"]
    {
        assert_eq!(net.permit(&alice, peer), 403, "{peer}");
        assert_eq!(net.bind(&alice, 0x4000, peer), 403, "{peer}");
    }
}

// RFC 8656 §10.2
#[test]
fn one_permission_too_many_is_508_and_changes_nothing() {
    let mut net = Harness::with(|settings| settings.max_permissions = 2);
    let alice = net.allocated_alice();
    assert_eq!(net.permit(&alice, "10.0.0.1:1"), 0);
    assert_eq!(net.permit(&alice, "10.0.0.2:1"), 0);
    assert_eq!(net.permit(&alice, "10.0.0.3:1"), 508);
    assert_eq!(net.permit(&alice, "10.0.0.1:1"), 0, "those that are there can be prolonged");
    assert_eq!(net.bind(&alice, 0x4000, "10.0.0.3:1"), 508, "a channel brings a permission");
    net.seconds(300);
    assert_eq!(net.permit(&alice, "10.0.0.3:1"), 0, "the others have ended");
}

#[test]
fn a_new_policy_ends_what_it_forbids_and_leaves_the_rest() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    assert_eq!(net.bind(&alice, 0x4000, "10.0.0.1:1"), 0);
    assert_eq!(net.bind(&alice, 0x4001, "10.0.0.2:1"), 0);
    let mut policy = PeerPolicy::default();
    policy.allow(PeerRule { network: "10.0.0.2/32".parse().unwrap(), ports: 0..=65535 });

    assert_eq!(net.set_peer_policy(policy), [Seen::CloseRoute(0x4000)]);
    let (gone, kept) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:1".parse().unwrap());
    assert_eq!(net.peer_sends(gone, 5), [Seen::Drop(DropReason::NoPermission)]);
    assert!(matches!(net.peer_sends(kept, 5)[..], [Seen::Indicate { .. }]));
    assert_eq!(net.bind(&alice, 0x4000, "10.0.0.1:1"), 403);
    assert_eq!(net.bind(&alice, 0x4001, "10.0.0.2:1"), 0);
}
