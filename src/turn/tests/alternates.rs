//! Clients that are sent to other servers (RFC 8489 §10).

use super::harness::*;
use crate::turn::{Redirect, RelayRefusal, Transport};
use crate::wire::attribute::{ALTERNATE_DOMAIN, ALTERNATE_SERVER, REQUESTED_TRANSPORT};
use crate::wire::{Integrity, Method};

const SECOND: [u8; 8] = [0, 1, 0x0d, 0x96, 203, 0, 113, 8];

/// A server that knows one IPv4 and one IPv6 server beside itself.
fn with(redirect: Redirect) -> Harness {
    let mut harness = Harness::with(|settings| {
        settings.redirect = redirect;
        settings.alternate_domain = Some("relay.example.org".into());
    });
    harness
        .server
        .set_alternates(vec!["203.0.113.8:3478".parse().unwrap(), "[2001:db8::8]:3478".parse().unwrap()]);
    harness
}

// RFC 8489 §14.15, §14.16
#[test]
fn an_authenticated_client_is_told_a_server_of_its_family() {
    let mut harness = with(Redirect::Always);
    let stranger = harness.alice();
    let challenge = harness.ask(stranger.path, &unsigned(Method::Allocate, |writer| writer));
    assert_eq!(challenge.code(), 401, "strangers are told nothing");
    let mut alice = harness.alice();
    let answer = harness.allocate(&alice);
    assert_eq!(answer.code(), 300);
    assert_eq!(answer.message().find(ALTERNATE_SERVER), Some(&SECOND[..]));
    assert_eq!(answer.message().find(ALTERNATE_DOMAIN), None);
    assert_eq!(answer.message().integrity(), Some(Integrity::Sha1));
    assert!(answer.message().is_signed_with(&alice.key()));

    alice.path.transport = Transport::Tls;
    let answer = harness.allocate(&alice);
    assert_eq!(answer.message().find(ALTERNATE_DOMAIN), Some(&b"relay.example.org"[..]));

    alice.path.transport = Transport::Udp;
    alice.path.client = "[2001:db8::1]:4000".parse().unwrap();
    harness.renew_nonce(&mut alice);
    assert_eq!(harness.allocate(&alice).message().find(ALTERNATE_SERVER).unwrap()[1], 2);
}

#[test]
fn who_has_no_other_server_serves() {
    let mut harness = with(Redirect::Always);
    harness.server.set_alternates(Vec::new());
    let alice = harness.allocated_alice();
    harness.server.set_alternates(vec!["203.0.113.8:3478".parse().unwrap()]);
    assert_eq!(harness.refresh(&alice, 600).code(), 0, "allocations that there are stay");
}

#[test]
fn a_retransmission_is_sent_to_the_same_server() {
    let mut harness = with(Redirect::Always);
    let all = ["203.0.113.8:1", "203.0.113.8:2", "203.0.113.8:3"];
    harness.server.set_alternates(all.map(|server| server.parse().unwrap()).to_vec());
    let alice = harness.alice();
    let mut seen = std::collections::BTreeSet::new();
    for transaction in 0..30 {
        let request =
            alice.request(Method::Allocate, transaction, |w| w.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]));
        let answer = harness.ask(alice.path, &request);
        assert_eq!(harness.ask(alice.path, &request), answer);
        seen.insert(answer.message().find(ALTERNATE_SERVER).unwrap().to_vec());
    }
    assert_eq!(seen.len(), all.len(), "all of them get clients");
}

#[test]
fn clients_stay_until_nothing_is_left_for_them() {
    let mut harness = with(Redirect::WhenFull);
    let alice = harness.alice();
    for (refusal, code) in [
        (RelayRefusal::NoPortLeft, 300),
        (RelayRefusal::Capacity, 300),
        (RelayRefusal::UserQuota, 486),
        (RelayRefusal::FamilyNotSupported, 440),
    ] {
        harness.refused.v4 = Some(refusal);
        assert_eq!(harness.allocate(&alice).code(), code);
    }
    harness.server.set_alternates(Vec::new());
    harness.refused.v4 = Some(RelayRefusal::NoPortLeft);
    assert_eq!(harness.allocate(&alice).code(), 508);
    harness.refused.v4 = None;
    assert_eq!(harness.allocate(&alice).code(), 0);
}

#[test]
fn who_comes_while_the_server_stops_is_sent_elsewhere() {
    let mut harness = with(Redirect::WhenFull);
    let alice = harness.allocated_alice();
    harness.server.drain();
    assert_eq!(harness.refresh(&alice, 600).code(), 0);
    let bob = harness.client("bob", "builder", 4001);
    assert_eq!(harness.allocate(&bob).code(), 300);
}
