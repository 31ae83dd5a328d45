//! Allocations that wait for a session, and reach the peers that it names.

use std::net::SocketAddr;
use std::sync::Arc;

use super::harness::*;
use crate::turn::peer_policy::{ALL_PORTS, PeerRule};
use crate::turn::{AnonymousListeners, DropReason, EndReason, FiveTuple, Settings, Transport};
use crate::wire::attribute::REQUESTED_TRANSPORT;
use crate::wire::{Class, MessageWriter, Method, TransactionId};

/// A harness where sessions name the peers of users.
fn naming() -> Harness {
    Harness::with(|settings| settings.sessions_name_peers = true)
}

/// A harness where clients without credentials wait for a session, on port 3479.
fn awaiting(change: impl FnOnce(&mut Settings)) -> Harness {
    Harness::with(|settings| {
        settings.anonymous_listeners =
            AnonymousListeners { datagrams: vec![([0, 0, 0, 0], 3479).into()], streams: Vec::new() };
        settings.anonymous_await_claims = true;
        change(settings);
    })
}

fn stranger() -> FiveTuple {
    FiveTuple {
        transport: Transport::Udp,
        client: ([192, 0, 2, 1], 4000).into(),
        server: ([192, 0, 2, 2], 3479).into(),
    }
}

fn ask(net: &mut Harness, method: Method, write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>) -> u16 {
    let mut bytes = Vec::new();
    write(MessageWriter::begin(&mut bytes, method, Class::Request, TransactionId([1; 12])));
    let answers = net.send(stranger(), &bytes).into_iter().filter_map(answer_of);
    let [answer] = answers.collect::<Vec<_>>().try_into().expect("one answer");
    answer.code()
}

fn allocate(net: &mut Harness) -> u16 {
    ask(net, Method::Allocate, |writer| writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]))
}

fn name(net: &mut Harness, peers: &[&str]) -> Vec<Seen> {
    let peers: Arc<[SocketAddr]> = peers.iter().map(|peer| peer.parse().unwrap()).collect();
    net.server.name_peers(net.now, net.live[0], &peers);
    net.drain(&[])
}

fn claim(net: &mut Harness) {
    net.server.claim(net.now, net.live[0]);
    assert_eq!(net.drain(&[]), []);
}

fn release(net: &mut Harness) -> Vec<Seen> {
    net.server.release(net.now, net.live[0]);
    net.drain(&[])
}

#[test]
fn a_user_reaches_the_peers_of_its_session_and_no_others() {
    let mut net = naming();
    let alice = net.allocated_alice();
    assert_eq!(net.permit(&alice, "10.0.0.7:5000"), 403);
    assert_eq!(net.bind(&alice, 0x4000, "10.0.0.7:5000"), 403);
    claim(&mut net);
    assert_eq!(net.permit(&alice, "10.0.0.7:5000"), 403, "there is no answer yet");

    assert_eq!(name(&mut net, &["10.0.0.7:5000", "127.0.0.1:80"]), []);
    assert_eq!(net.permit(&alice, "10.0.0.7:9"), 0, "a permission is for all ports");
    assert_eq!(net.bind(&alice, 0x4000, "10.0.0.7:5000"), 0);
    for (port, peer) in ["10.0.0.7:5001", "10.0.0.8:5000", "127.0.0.1:80"].into_iter().enumerate() {
        assert_eq!(net.bind(&alice, 0x4001 + port as u16, peer), 403, "{peer}");
        let seen = net.send(alice.path, &send_indication(peer, b"hello"));
        assert!(matches!(seen[..], [Seen::Drop(_)]), "{seen:?}");
    }
    let seen = net.send(alice.path, &send_indication("10.0.0.7:5001", b"hello"));
    assert_eq!(seen, [Seen::Drop(DropReason::PeerForbidden)]);
    assert_eq!(net.peer_sends("10.0.0.7:5001".parse().unwrap(), 5), [Seen::Drop(DropReason::PeerForbidden)]);
    assert!(matches!(net.peer_sends("10.0.0.7:5000".parse().unwrap(), 5)[..], [Seen::Indicate { .. }]));
}

#[test]
fn other_peers_take_the_place_of_those_before() {
    let mut net = naming();
    let alice = net.allocated_alice();
    name(&mut net, &["10.0.0.7:5000"]);
    assert_eq!(net.bind(&alice, 0x4000, "10.0.0.7:5000"), 0);

    assert_eq!(name(&mut net, &["10.0.0.8:5000"]), [Seen::CloseRoute(0x4000)]);
    assert_eq!(net.permit(&alice, "10.0.0.7:5000"), 403);
    assert_eq!(net.permit(&alice, "10.0.0.8:5000"), 0);
    assert_eq!(release(&mut net), []);
    assert_eq!(net.permit(&alice, "10.0.0.8:5000"), 403);
    assert_eq!(net.seconds(599), [], "a user's allocation ends by its lifetime");
}

#[test]
fn networks_of_backends_need_no_name() {
    let mut net = Harness::with(|settings| {
        settings.sessions_name_peers = true;
        let behind_nat = PeerRule { network: "10.7.0.0/16".parse().unwrap(), ports: ALL_PORTS };
        settings.peer_policy.add_to_every_session(behind_nat);
    });
    let alice = net.allocated_alice();
    assert_eq!(net.permit(&alice, "10.7.0.1:5000"), 403);
    name(&mut net, &[]);
    assert_eq!(net.permit(&alice, "10.7.0.1:5000"), 0);
    assert_eq!(net.permit(&alice, "10.8.0.1:5000"), 403);
}

#[test]
fn where_sessions_name_no_peers_nothing_changes() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    assert_eq!(net.bind(&alice, 0x4000, "10.0.0.7:5000"), 0);
    claim(&mut net);
    assert_eq!(name(&mut net, &["10.0.0.8:5000"]), []);
    assert_eq!(release(&mut net), []);
    assert_eq!(net.permit(&alice, "10.0.0.9:5000"), 0);
}

#[test]
fn without_credentials_an_unclaimed_allocation_is_good_for_nothing_and_ends() {
    let mut net = awaiting(|_| ());
    assert_eq!(allocate(&mut net), 0);
    assert_eq!(ask(&mut net, Method::ChannelBind, channel_bind(0x4000, "10.0.0.7:5000")), 403);
    assert_eq!(
        net.send(stranger(), &send_indication("10.0.0.7:5000", b"hello")),
        [Seen::Drop(DropReason::NoPermission)]
    );
    assert_eq!(net.seconds(29), []);
    assert_eq!(net.seconds(1), [Seen::End(EndReason::Unclaimed)]);
}

#[test]
fn without_credentials_a_claimed_allocation_lives_and_reaches_its_sessions_peers() {
    let mut net = awaiting(|_| ());
    assert_eq!(allocate(&mut net), 0);
    claim(&mut net);
    name(&mut net, &["10.0.0.7:5000"]);
    assert_eq!(ask(&mut net, Method::ChannelBind, channel_bind(0x4000, "10.0.0.7:5000")), 0);
    assert_eq!(net.seconds(599), []);
    assert_eq!(net.seconds(1), [Seen::End(EndReason::Expired)]);
}

#[test]
fn what_is_released_waits_again() {
    let mut net = awaiting(|settings| settings.claim_patience = std::time::Duration::from_secs(10));
    assert_eq!(allocate(&mut net), 0);
    net.seconds(9);
    claim(&mut net);
    name(&mut net, &["10.0.0.7:5000"]);
    assert_eq!(ask(&mut net, Method::ChannelBind, channel_bind(0x4000, "10.0.0.7:5000")), 0);
    net.seconds(30);
    assert_eq!(release(&mut net), [Seen::CloseRoute(0x4000)]);
    assert_eq!(net.seconds(9), []);
    assert_eq!(net.seconds(1), [Seen::End(EndReason::Unclaimed)]);
}

#[test]
fn users_need_not_be_claimed() {
    let mut net = awaiting(|_| ());
    let alice = net.allocated_alice();
    assert_eq!(net.permit(&alice, "10.0.0.7:5000"), 0);
    assert_eq!(net.seconds(31), []);
}
