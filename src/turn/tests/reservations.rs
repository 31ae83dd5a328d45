//! EVEN-PORT and RESERVATION-TOKEN (RFC 8656 §7.2, §18.7, §18.10).

use super::harness::*;
use crate::turn::{RelayPort, RelayWish};
use crate::wire::attribute::{self, AttributeType, EVEN_PORT, RESERVATION_TOKEN};
use crate::wire::{AddressFamily, Method};

/// The answer to an Allocate request with these attributes.
fn allocate(net: &mut Harness, client: &Client, attributes: &[(AttributeType, &[u8])]) -> Answer {
    net.request(client, Method::Allocate, |mut writer| {
        writer = writer.bytes(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        for (kind, value) in attributes {
            writer = writer.bytes(*kind, value);
        }
        writer
    })
}

fn single(port: RelayPort) -> Option<RelayWish> {
    Some(RelayWish::Single { family: AddressFamily::Ipv4, port })
}

// RFC 8656 §18.7
#[test]
fn an_even_port_can_be_asked_for() {
    let mut net = Harness::new();
    let alice = net.alice();
    let answer = allocate(&mut net, &alice, &[(EVEN_PORT, &[0x00])]);
    assert_eq!((answer.code(), net.asked), (0, single(RelayPort::Even)));
    assert_eq!(answer.message().find(RESERVATION_TOKEN), None);
}

// RFC 8656 §7.2, §18.7, §18.10
#[test]
fn the_next_port_can_be_reserved_and_claimed() {
    let mut net = Harness::new();
    let (alice, bob) = (net.alice(), net.client("alice", "wonderland", 4001));
    let answer = allocate(&mut net, &alice, &[(EVEN_PORT, &[0x80])]);
    assert_eq!((answer.code(), net.asked), (0, single(RelayPort::EvenWithNext)));
    let token = answer.message().find(RESERVATION_TOKEN).unwrap().to_vec();
    let answer = allocate(&mut net, &bob, &[(RESERVATION_TOKEN, &token)]);
    assert_eq!((answer.code(), net.asked), (0, Some(RelayWish::Reserved(RESERVATION))));
}

// RFC 8656 §7.2
#[test]
fn a_retransmission_gets_the_same_token() {
    let mut net = Harness::new();
    let alice = net.alice();
    let request = alice.request(Method::Allocate, 9, |writer| {
        writer.bytes(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(EVEN_PORT, &[0x80])
    });
    let first = net.send(alice.path, &request);
    let again = net.send(alice.path, &request);
    assert_eq!(again[..], first[1..]);
}

// RFC 8656 §7.2
#[test]
fn an_unknown_token_is_508() {
    let mut net = Harness::new();
    let alice = net.alice();
    assert_eq!(allocate(&mut net, &alice, &[(RESERVATION_TOKEN, &[1; 8])]).code(), 508);
}

// RFC 8656 §7.2
#[test]
fn what_is_malformed_or_does_not_go_together_is_400() {
    let mut net = Harness::new();
    let alice = net.alice();
    let token = (RESERVATION_TOKEN, &RESERVATION.0[..]);
    let ipv4 = &[1, 0, 0, 0][..];
    let ipv6 = &[2, 0, 0, 0][..];
    for attributes in [
        &[(EVEN_PORT, &[0, 0][..])][..],
        &[(RESERVATION_TOKEN, &[7; 4][..])],
        &[token, (EVEN_PORT, &[0])],
        &[token, (attribute::REQUESTED_ADDRESS_FAMILY, ipv4)],
        &[token, (attribute::ADDITIONAL_ADDRESS_FAMILY, ipv6)],
        &[(EVEN_PORT, &[0x80]), (attribute::ADDITIONAL_ADDRESS_FAMILY, ipv6)],
        &[(attribute::ADDITIONAL_ADDRESS_FAMILY, ipv4)],
        &[(attribute::ADDITIONAL_ADDRESS_FAMILY, &[9, 0, 0, 0])],
        &[(attribute::REQUESTED_ADDRESS_FAMILY, ipv4), (attribute::ADDITIONAL_ADDRESS_FAMILY, ipv6)],
    ] {
        assert_eq!(allocate(&mut net, &alice, attributes).code(), 400, "{attributes:?}");
    }
    assert_eq!(net.server.allocation_count(), 0);
}
