//! Send and Data indications (RFC 8656 §11).

use super::harness::*;
use crate::turn::DropReason;
use crate::turn::peer_policy::PeerRule;
use crate::wire::attribute::{AttributeType, DATA, DONT_FRAGMENT, XOR_PEER_ADDRESS};
use crate::wire::{Class, Message, MessageWriter, Method, TransactionId};

const PEER: &str = "10.0.0.1:5000";

// RFC 8656 §11.2
#[test]
fn a_send_indication_reaches_a_permitted_peer() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    net.permit(&alice, PEER);
    for payload in [&b"hello"[..], b""] {
        assert_eq!(
            net.send(alice.path, &send_indication(PEER, payload)),
            [Seen::ToPeer { peer: PEER.parse().unwrap(), payload: payload.to_vec(), may_fragment: true }]
        );
    }
}

// RFC 8656 §11.2
#[test]
fn without_permission_or_allocation_it_is_dropped() {
    let mut net = Harness::new();
    let alice = net.alice();
    let indication = send_indication(PEER, b"hello");
    assert_eq!(net.send(alice.path, &indication), [Seen::Drop(DropReason::NoAllocation)]);
    net.allocate(&alice);
    assert_eq!(net.send(alice.path, &indication), [Seen::Drop(DropReason::NoPermission)]);
}

// RFC 8656 §11.2
#[test]
fn a_malformed_one_is_dropped() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    net.permit(&alice, PEER);
    let indication = |attributes: &[(AttributeType, &[u8])]| {
        let mut bytes = Vec::new();
        let mut writer =
            MessageWriter::begin(&mut bytes, Method::Send, Class::Indication, TransactionId([1; 12]));
        for (kind, value) in attributes {
            writer = writer.bytes(*kind, value);
        }
        bytes
    };
    let peer = (XOR_PEER_ADDRESS, &[0, 1, 0, 0, 0x2b, 0x12, 0xa4, 0x43][..]);
    let data = (DATA, &b"x"[..]);
    let sound = net.send(alice.path, &indication(&[peer, data]));
    assert!(matches!(sound[..], [Seen::ToPeer { .. }]), "{sound:?}");
    for malformed in [
        indication(&[peer]),
        indication(&[data]),
        indication(&[(XOR_PEER_ADDRESS, &[0; 5]), data]),
        indication(&[peer, data, (AttributeType(0x7abc), b"")]),
    ] {
        assert_eq!(net.send(alice.path, &malformed), [Seen::Drop(DropReason::Malformed)]);
    }
}

// RFC 8656 §11.3
#[test]
fn data_of_a_permitted_peer_becomes_an_indication() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    net.permit(&alice, PEER);
    let peer = PEER.parse().unwrap();
    let seen = net.peer_sends(peer, 5);
    let [Seen::Indicate { to, head }] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(*to, alice.path.client);
    let mut bytes = head.clone();
    bytes.extend_from_slice(b"hello\0\0\0");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.method(), message.class()), (Method::Data, Class::Indication));
    assert_eq!(message.find_address(XOR_PEER_ADDRESS), Some(Some(peer)));
    assert_eq!(message.find(DATA), Some(&b"hello"[..]));
}

#[test]
fn each_indication_has_a_transaction_of_its_own() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    net.permit(&alice, PEER);
    let peer = PEER.parse().unwrap();
    assert_ne!(net.peer_sends(peer, 0), net.peer_sends(peer, 0));
}

#[test]
fn what_does_not_fit_into_an_indication_is_dropped_whole() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    net.permit(&alice, PEER);
    let peer = PEER.parse().unwrap();
    assert!(matches!(net.peer_sends(peer, 65_468)[..], [Seen::Indicate { .. }]));
    assert_eq!(net.peer_sends(peer, 65_469), [Seen::Drop(DropReason::TooLong)]);
    assert_eq!(net.peer_sends(peer, 65_507), [Seen::Drop(DropReason::TooLong)]);
}

#[test]
fn a_forbidden_port_of_a_permitted_address_stays_closed() {
    let mut net = Harness::with(|settings| {
        let rule = PeerRule { network: "172.16.0.1/32".parse().unwrap(), ports: 5000..=5000 };
        settings.peer_policy.allow(rule);
    });
    let alice = net.allocated_alice();
    assert_eq!(net.permit(&alice, "172.16.0.1:1"), 0);
    let forbidden = "172.16.0.1:5001";
    let dropped = [Seen::Drop(DropReason::PeerForbidden)];
    assert_eq!(net.send(alice.path, &send_indication(forbidden, b"x")), dropped);
    assert_eq!(net.peer_sends(forbidden.parse().unwrap(), 1), dropped);
    assert_eq!(net.bind(&alice, 0x4000, forbidden), 403);
    assert_eq!(net.bind(&alice, 0x4000, "172.16.0.1:5000"), 0);
}

// RFC 8656 §8.2
#[test]
fn data_keeps_no_allocation_alive() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    net.permit(&alice, PEER);
    net.seconds(299);
    net.send(alice.path, &send_indication(PEER, b"x"));
    net.seconds(301);
    assert_eq!(net.server.allocation_count(), 0);
    assert_eq!(net.refresh(&alice, 600).code(), 437);
}

// RFC 8656 §14
#[test]
fn a_client_can_forbid_fragments() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    net.permit(&alice, PEER);
    let mut indication = Vec::new();
    MessageWriter::begin(&mut indication, Method::Send, Class::Indication, TransactionId([1; 12]))
        .address(XOR_PEER_ADDRESS, PEER.parse().unwrap())
        .bytes(DATA, b"whole")
        .bytes(DONT_FRAGMENT, b"");
    let seen = net.send(alice.path, &indication);
    assert!(matches!(seen[..], [Seen::ToPeer { may_fragment: false, .. }]), "{seen:?}");
}
