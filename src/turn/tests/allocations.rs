//! Allocate and Refresh (RFC 8656 §7, §8).

use std::net::SocketAddr;

use super::harness::*;
use crate::turn::{EndReason, FiveTuple, Output, RelayRefusal, Transport};
use crate::wire::Method;
use crate::wire::attribute::{self, XOR_MAPPED_ADDRESS, XOR_RELAYED_ADDRESS};

// RFC 8656 §7.2
#[test]
fn an_allocation_gets_an_address_and_a_lifetime() {
    let mut net = Harness::new();
    let alice = net.alice();
    let answer = net.allocate(&alice);
    assert_eq!(answer.address(XOR_RELAYED_ADDRESS), "192.0.2.2:50000".parse::<SocketAddr>().unwrap());
    assert_eq!(answer.address(XOR_MAPPED_ADDRESS), alice.path.client);
    assert_eq!(answer.lifetime(), 600);
}

// RFC 8656 §7.2, §18.2
#[test]
fn the_lifetime_lies_between_default_and_maximum() {
    for (requested, granted) in [(0, 600), (1, 600), (600, 600), (777, 777), (3600, 3600), (u32::MAX, 3600)] {
        let mut net = Harness::new();
        let alice = net.alice();
        let answer = net.request(&alice, Method::Allocate, |writer| {
            writer.bytes(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]).u32(attribute::LIFETIME, requested)
        });
        assert_eq!(answer.lifetime(), granted, "{requested}");
    }
}

// RFC 8656 §3.2
#[test]
fn an_allocation_ends_when_its_lifetime_does() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    assert_eq!(net.seconds(599), []);
    assert_eq!(net.seconds(1), [Seen::End(EndReason::Expired)]);
    assert_eq!(net.server.allocation_count(), 0);
    assert_eq!(net.server.poll_timeout(), None);
    assert_eq!(net.refresh(&alice, 600).code(), 437);
}

// RFC 8656 §8.2
#[test]
fn a_refresh_prolongs_it() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    net.seconds(500);
    assert_eq!(net.refresh(&alice, 1000).lifetime(), 1000);
    assert_eq!(net.seconds(999), []);
    assert_eq!(net.seconds(1), [Seen::End(EndReason::Expired)]);
}

// RFC 8656 §8.2
#[test]
fn a_refresh_of_zero_ends_it_before_the_answer_leaves() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    let request = alice.request(Method::Refresh, 77, |writer| writer.u32(attribute::LIFETIME, 0));
    let first = net.send(alice.path, &request);
    let [Seen::End(EndReason::Deleted), Seen::Reply(answer)] = &first[..] else { panic!("{first:?}") };
    assert_eq!((answer.code(), answer.lifetime()), (0, 0));

    let again = net.send(alice.path, &request);
    assert_eq!(again[..], first[1..], "a retransmission gets the same answer");
    assert_eq!(net.refresh(&alice, 0).code(), 437, "another request does not");
    assert_eq!(net.allocate(&alice).code(), 0, "the 5-tuple is free");
}

// RFC 8656 §7.2
#[test]
fn a_retransmitted_allocate_gets_the_same_answer() {
    let mut net = Harness::new();
    let alice = net.alice();
    let request = alice.request(Method::Allocate, 9, |writer| {
        writer.bytes(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]).u32(attribute::LIFETIME, 700)
    });
    let first = net.send(alice.path, &request);
    net.seconds(3);
    let again = net.send(alice.path, &request);
    assert_eq!(again[..], first[1..]);
    assert_eq!(net.server.allocation_count(), 1);
    assert_eq!(net.allocate(&alice).code(), 437, "a new request does not");
}

// RFC 8656 §7.2
#[test]
fn credentials_are_asked_for_before_437() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    assert_eq!(net.ask(alice.path, &unsigned(Method::Allocate, |writer| writer)).code(), 401);
}

// RFC 8656 §7.2, §18.8
#[test]
fn the_transport_must_be_known() {
    let mut net = Harness::new();
    let alice = net.alice();
    assert_eq!(net.request(&alice, Method::Allocate, |writer| writer).code(), 400);
    for (transport, code) in [(&[132, 0, 0, 0][..], 442), (&[99, 0, 0, 0], 442), (&[17, 0, 0], 400)] {
        let answer = net.request(&alice, Method::Allocate, |writer| {
            writer.bytes(attribute::REQUESTED_TRANSPORT, transport)
        });
        assert_eq!(answer.code(), code);
    }
}

// RFC 8656 §7.2, §18.6
#[test]
fn the_family_must_be_one_that_the_relay_has() {
    let mut net = Harness::new();
    let alice = net.alice();
    let code = |net: &mut Harness, family: &'static [u8]| {
        net.request(&alice, Method::Allocate, move |writer| {
            writer
                .bytes(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0])
                .bytes(attribute::REQUESTED_ADDRESS_FAMILY, family)
        })
        .code()
    };
    assert_eq!(code(&mut net, &[3, 0, 0, 0]), 440);
    assert_eq!(code(&mut net, &[1, 0]), 400);
    net.refused.v6 = Some(RelayRefusal::FamilyNotSupported);
    assert_eq!(code(&mut net, &[2, 0, 0, 0]), 440);
    assert_eq!(code(&mut net, &[1, 0, 0, 0]), 0);
}

// RFC 8656 §7.2
#[test]
fn without_a_free_port_it_is_508_and_costs_nothing() {
    let mut net = Harness::new();
    let alice = net.alice();
    net.refused.v4 = Some(RelayRefusal::NoPortLeft);
    let answer = net.allocate(&alice);
    assert_eq!(answer.code(), 508);
    assert!(answer.message().is_signed_with(&alice.key()));
    net.refused.v4 = None;
    assert_eq!(net.allocate(&alice).code(), 0);
}

// RFC 8656 §8.2
#[test]
fn a_refresh_for_another_family_is_443() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    let answer = net.request(&alice, Method::Refresh, |writer| {
        writer.bytes(attribute::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0])
    });
    assert_eq!(answer.code(), 443);
}

#[test]
fn the_public_address_is_announced() {
    let mut net = Harness::with(|settings| {
        settings.external_addresses.add("198.51.100.7".parse().unwrap(), None);
    });
    let alice = net.alice();
    let answer = net.allocate(&alice);
    assert_eq!(answer.address(XOR_RELAYED_ADDRESS), "198.51.100.7:50000".parse::<SocketAddr>().unwrap());
}

#[test]
fn the_driver_can_end_an_allocation() {
    let mut net = Harness::new();
    net.allocated_alice();
    let id = net.live[0];
    net.server.close(id, EndReason::Shutdown);
    let ended: Vec<_> = std::iter::from_fn(|| net.server.poll_output()).collect();
    assert!(matches!(ended[..], [Output::End { reason: EndReason::Shutdown, .. }]));
    net.server.close(id, EndReason::Shutdown);
    assert!(net.server.poll_output().is_none(), "an allocation ends once");
}

#[test]
fn a_closed_connection_ends_its_allocation() {
    let mut net = Harness::new();
    let mut alice = net.alice();
    alice.path.transport = Transport::Tcp;
    assert_eq!(net.allocate(&alice).code(), 0);
    net.server.client_gone(&FiveTuple { transport: Transport::Udp, ..alice.path });
    assert!(net.server.poll_output().is_none(), "over UDP it would be another allocation");
    net.server.client_gone(&alice.path);
    let ended: Vec<_> = std::iter::from_fn(|| net.server.poll_output()).collect();
    assert!(matches!(ended[..], [Output::End { reason: EndReason::Disconnected, .. }]), "{ended:?}");
    assert_eq!(net.server.allocation_count(), 0);
    net.server.client_gone(&alice.path);
    assert!(net.server.poll_output().is_none());
}
