//! IPv6 and dual allocations (RFC 8656 §7, §8), and ICMP of both families (§11.5).

use std::net::SocketAddr;

use super::harness::*;
use crate::turn::{DropReason, EndReason, Icmp, PerFamily, RelayRefusal};
use crate::wire::attribute::{
    ADDITIONAL_ADDRESS_FAMILY, ADDRESS_ERROR_CODE, DATA, ICMP, LIFETIME, REQUESTED_ADDRESS_FAMILY,
    REQUESTED_TRANSPORT, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS,
};
use crate::wire::{AddressFamily, Class, Message, Method};

const V4_PEER: &str = "10.0.0.1:5000";
const V6_PEER: &str = "[fd00::1]:5000";

fn allocate_ipv6(net: &mut Harness, client: &Client) -> Answer {
    net.request(client, Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0])
    })
}

fn allocate_both(net: &mut Harness, client: &Client) -> Answer {
    net.request(client, Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(ADDITIONAL_ADDRESS_FAMILY, &[2, 0, 0, 0])
    })
}

fn refresh_family(net: &mut Harness, client: &Client, family: u8, lifetime: u32) -> Answer {
    net.request(client, Method::Refresh, |writer| {
        writer.u32(LIFETIME, lifetime).bytes(REQUESTED_ADDRESS_FAMILY, &[family, 0, 0, 0])
    })
}

/// Alice, with an address of each family.
fn dual_alice(net: &mut Harness) -> Client {
    let alice = net.alice();
    assert_eq!(allocate_both(net, &alice).code(), 0);
    alice
}

// RFC 8656 §9, §12, §18.6
#[test]
fn an_ipv6_allocation_has_ipv6_peers() {
    let mut net = Harness::new();
    let alice = net.alice();
    let answer = allocate_ipv6(&mut net, &alice);
    assert_eq!(answer.address(XOR_RELAYED_ADDRESS), "[2001:db8::2]:50000".parse::<SocketAddr>().unwrap());
    assert_eq!(net.permit(&alice, V6_PEER), 0);
    assert_eq!(net.permit(&alice, V4_PEER), 443);
    assert!(matches!(net.peer_sends(V6_PEER.parse().unwrap(), 1)[..], [Seen::Indicate { .. }]));
    assert_eq!(net.send(alice.path, &send_indication(V4_PEER, b"x")), [Seen::Drop(DropReason::NoPermission)]);
}

// RFC 8656 §7.2, §18.11
#[test]
fn a_dual_allocation_has_an_address_of_each_family() {
    let mut net = Harness::new();
    let alice = net.alice();
    let answer = allocate_both(&mut net, &alice);
    let relayed: Vec<_> = answer.message().addresses(XOR_RELAYED_ADDRESS).map(Option::unwrap).collect();
    assert_eq!(
        relayed,
        [
            "192.0.2.2:50000".parse::<SocketAddr>().unwrap(),
            "[2001:db8::2]:50001".parse::<SocketAddr>().unwrap()
        ]
    );
    assert_eq!(net.bind(&alice, 0x4000, V4_PEER), 0);
    assert_eq!(net.bind(&alice, 0x4001, V6_PEER), 0);
    for peer in [V4_PEER, V6_PEER] {
        let seen = net.send(alice.path, &send_indication(peer, b"x"));
        assert!(matches!(seen[..], [Seen::ToPeer { .. }]), "{seen:?}");
    }
}

#[test]
fn each_address_of_a_dual_allocation_has_its_public_one() {
    let mut net = Harness::with(|settings| {
        settings.external_addresses.add("198.51.100.7".parse().unwrap(), None);
    });
    let alice = net.alice();
    let answer = allocate_both(&mut net, &alice);
    let relayed: Vec<_> = answer.message().addresses(XOR_RELAYED_ADDRESS).map(Option::unwrap).collect();
    assert_eq!(
        relayed,
        [
            "198.51.100.7:50000".parse::<SocketAddr>().unwrap(),
            "[2001:db8::2]:50001".parse::<SocketAddr>().unwrap()
        ]
    );
}

// RFC 8656 §18.12
#[test]
fn half_of_a_dual_allocation_is_better_than_none() {
    let mut net = Harness::new();
    net.refused.v6 = Some(RelayRefusal::FamilyNotSupported);
    let alice = net.alice();
    let request = alice.request(Method::Allocate, 9, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(ADDITIONAL_ADDRESS_FAMILY, &[2, 0, 0, 0])
    });
    let first = net.send(alice.path, &request);
    let Some(Seen::Reply(answer)) = first.last() else { panic!("{first:?}") };
    assert_eq!(answer.message().class(), Class::Success);
    assert_eq!(answer.message().addresses(XOR_RELAYED_ADDRESS).count(), 1);
    let error = answer.message().find(ADDRESS_ERROR_CODE).unwrap();
    assert_eq!(error[..4], [2, 0, 4, 40]);
    assert_eq!(net.send(alice.path, &request)[..], first[1..], "a retransmission gets the same answer");
}

// RFC 8656 §7.2
#[test]
fn without_either_family_a_dual_allocation_is_refused() {
    let mut net = Harness::new();
    let refusal = Some(RelayRefusal::NoPortLeft);
    net.refused = PerFamily { v4: refusal, v6: refusal };
    let alice = net.alice();
    assert_eq!(allocate_both(&mut net, &alice).code(), 508);
}

// RFC 8656 §8.2
#[test]
fn one_address_can_be_ended_and_the_other_lives_on() {
    let mut net = Harness::new();
    let alice = dual_alice(&mut net);
    net.bind(&alice, 0x4000, V4_PEER);
    net.bind(&alice, 0x4001, V6_PEER);
    let request = alice.request(Method::Refresh, 90, |writer| {
        writer.u32(LIFETIME, 0).bytes(REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0])
    });
    let seen = net.send(alice.path, &request);
    assert_eq!(seen[..2], [Seen::CloseRoute(0x4001), Seen::EndFamily(AddressFamily::Ipv6)]);
    let again = net.send(alice.path, &request);
    assert_eq!(again[..], seen[2..], "a retransmission gets the same answer");
    assert_eq!(refresh_family(&mut net, &alice, 2, 600).code(), 443);
    assert_eq!(refresh_family(&mut net, &alice, 9, 600).code(), 443);
    assert_eq!(net.permit(&alice, V6_PEER), 443);
    assert_eq!(net.permit(&alice, V4_PEER), 0);
    assert_eq!(refresh_family(&mut net, &alice, 1, 0).code(), 0);
    assert_eq!(net.server.allocation_count(), 0, "with the last address the allocation ends");
}

// RFC 8656 §8.2
#[test]
fn a_refresh_without_a_family_is_for_both() {
    let mut net = Harness::new();
    let mut alice = dual_alice(&mut net);
    net.seconds(500);
    assert_eq!(net.refresh(&alice, 1000).lifetime(), 1000);
    assert_eq!(net.seconds(999), []);
    net.renew_nonce(&mut alice);
    assert_eq!(net.refresh(&alice, 0).code(), 0);
    assert_eq!(net.server.allocation_count(), 0);
}

// RFC 8656 §8.2
#[test]
fn each_address_expires_by_itself() {
    let mut net = Harness::new();
    let alice = dual_alice(&mut net);
    assert_eq!(refresh_family(&mut net, &alice, 1, 3600).lifetime(), 3600);
    assert_eq!(net.seconds(600), [Seen::EndFamily(AddressFamily::Ipv6)]);
    assert_eq!(net.seconds(2999), []);
    assert_eq!(net.seconds(1), [Seen::End(EndReason::Expired)]);
}

// RFC 8656 §11.5, §18.13
#[test]
fn icmp_about_a_permitted_peer_reaches_the_client() {
    let mut net = Harness::new();
    let alice = dual_alice(&mut net);
    net.permit(&alice, V4_PEER);
    net.permit(&alice, V6_PEER);
    for (peer, kind, code, encoded) in [
        (V4_PEER, 3, 4, [0, 0, 6, 4, 0, 0, 5, 0xdc]),
        (V4_PEER, 11, 0, [0, 0, 22, 0, 0, 0, 5, 0xdc]),
        (V6_PEER, 2, 0, [0, 0, 4, 0, 0, 0, 5, 0xdc]),
    ] {
        let seen = icmp(&mut net, peer, kind, code);
        let [Seen::Notify { to, bytes }] = &seen[..] else { panic!("{seen:?}") };
        let message = Message::parse(bytes).unwrap();
        assert_eq!((*to, message.method()), (alice.path.client, Method::Data));
        assert_eq!(message.class(), Class::Indication);
        assert_eq!(message.find_address(XOR_PEER_ADDRESS), Some(Some(peer.parse().unwrap())));
        assert_eq!(message.find(ICMP), Some(&encoded[..]));
        assert_eq!(message.find(DATA), None);
    }
}

// RFC 8656 §11.5
#[test]
fn other_icmp_does_not() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    assert_eq!(icmp(&mut net, V4_PEER, 3, 3), [Seen::Drop(DropReason::NoPermission)]);
    net.permit(&alice, V4_PEER);
    assert_eq!(icmp(&mut net, V4_PEER, 4, 0), [Seen::Drop(DropReason::Malformed)], "source quench");
}

fn icmp(net: &mut Harness, peer: &str, kind: u8, code: u8) -> Vec<Seen> {
    net.server.handle_icmp(net.now, net.live[0], peer.parse().unwrap(), Icmp { kind, code, data: 1500 });
    net.drain(&[])
}
