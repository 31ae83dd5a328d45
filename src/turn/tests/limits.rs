//! What strangers are answered, and what allocations are refused for.

use std::net::SocketAddr;

use super::harness::*;
use crate::turn::peer_policy::OwnListener;
use crate::turn::{DropReason, FiveTuple, RelayRefusal, Transport};
use crate::wire::Method;

fn limited() -> Harness {
    Harness::with(|settings| {
        settings.unauthenticated_per_second = 10;
        settings.bindings_per_second = 100;
    })
}

/// How many of `count` requests are answered, all sent at once from ports of this address.
fn answered(net: &mut Harness, ip: [u8; 4], method: Method, count: u16) -> usize {
    let request = unsigned(method, |writer| writer);
    let seen = (0..count).flat_map(|port| {
        let path = FiveTuple {
            transport: Transport::Udp,
            client: (ip, 5000 + port).into(),
            server: ([192, 0, 2, 2], 3478).into(),
        };
        net.send(path, &request)
    });
    let seen: Vec<Seen> = seen.collect();
    let dropped = seen.iter().filter(|seen| **seen == Seen::Drop(DropReason::RateLimited)).count();
    let answered = seen.into_iter().filter_map(answer_of).count();
    assert_eq!(answered + dropped, usize::from(count));
    answered
}

#[test]
fn a_flood_of_strangers_gets_thirty_answers_and_others_are_unaffected() {
    let mut net = limited();
    assert_eq!(answered(&mut net, [198, 18, 0, 1], Method::Allocate, 1000), 30);
    net.seconds(1);
    assert_eq!(answered(&mut net, [198, 18, 0, 1], Method::Refresh, 1000), 10);
    assert_eq!(answered(&mut net, [198, 18, 0, 2], Method::Allocate, 1), 1);
}

#[test]
fn bindings_have_a_limit_of_their_own() {
    let mut net = limited();
    assert_eq!(answered(&mut net, [198, 18, 0, 1], Method::Allocate, 1000), 30);
    assert_eq!(answered(&mut net, [198, 18, 0, 1], Method::Binding, 1000), 300);
}

#[test]
fn who_is_known_is_answered_in_the_middle_of_a_flood() {
    let mut net = limited();
    let alice = net.allocated_alice();
    answered(&mut net, [192, 0, 2, 1], Method::Allocate, 1000);
    assert_eq!(net.refresh(&alice, 600).code(), 0);
    assert_eq!(net.permit(&alice, "192.168.0.1:1"), 403);
    assert_eq!(net.bind(&alice, 0x4000, "10.0.0.1:1"), 0);
}

#[test]
fn an_allocation_in_the_middle_of_a_flood_gets_its_fresh_nonce() {
    let mut net = Harness::with(|settings| {
        settings.unauthenticated_per_second = 10;
        settings.nonce_lifetime = std::time::Duration::from_secs(60);
    });
    let alice = net.allocated_alice();
    net.seconds(61);
    answered(&mut net, [192, 0, 2, 1], Method::Allocate, 1000);
    assert_eq!(net.refresh(&alice, 600).code(), 438);
    let elsewhere =
        Client { path: FiveTuple { client: ([192, 0, 2, 1], 4999).into(), ..alice.path }, ..alice };
    let request = elsewhere.request(Method::Refresh, 200, |writer| writer);
    assert_eq!(net.send(elsewhere.path, &request), [Seen::Drop(DropReason::RateLimited)]);
}

#[test]
fn what_claims_to_come_from_our_own_listener_gets_no_answer() {
    let own: SocketAddr = "192.0.2.2:3478".parse().unwrap();
    let takes_connections: SocketAddr = "192.0.2.2:8080".parse().unwrap();
    let mut net = Harness::with(|settings| {
        settings.peer_policy.add_own_listener(own, OwnListener::Datagrams);
        settings.peer_policy.add_own_listener(own, OwnListener::Streams);
        settings.peer_policy.add_own_listener(takes_connections, OwnListener::Streams);
    });
    for method in [Method::Binding, Method::Allocate] {
        let path = FiveTuple { transport: Transport::Udp, client: own, server: own };
        let request = unsigned(method, |writer| writer);
        assert_eq!(net.send(path, &request), [Seen::Drop(DropReason::OwnAddress)]);
        let path = FiveTuple { client: takes_connections, ..path };
        assert!(matches!(net.send(path, &request)[..], [Seen::Reply(..)]), "a client on the same machine");
    }
}

// RFC 8656 §7.2
#[test]
fn a_full_quota_is_486_and_a_full_relay_508() {
    let mut net = Harness::new();
    let alice = net.alice();
    for (refusal, code) in [
        (RelayRefusal::UserQuota, 486),
        (RelayRefusal::SourceQuota, 486),
        (RelayRefusal::Capacity, 508),
        (RelayRefusal::NoPortLeft, 508),
    ] {
        net.refused.v4 = Some(refusal);
        assert_eq!(net.allocate(&alice).code(), code, "{refusal:?}");
    }
    net.refused.v4 = None;
    assert_eq!(net.allocate(&alice).code(), 0);
}
