//! Allocations for TCP peers (RFC 6062).

use std::net::SocketAddr;

use super::harness::*;
use crate::turn::peer_policy::{OwnListener, PeerPolicy};
use crate::turn::{ConnectionId, DropReason, EndReason, RelayTransport, Transport};
use crate::wire::attribute::{self, CONNECTION_ID, XOR_PEER_ADDRESS};
use crate::wire::{Class, Message, Method};

const PEER: &str = "10.0.0.1:5000";

/// A client of this name over TCP.
fn over_tcp(net: &mut Harness, username: &str, password: &str, port: u16) -> Client {
    let mut client = net.client(username, password, port);
    client.path.transport = Transport::Tcp;
    client
}

fn allocate_tcp(net: &mut Harness, client: &Client) -> u16 {
    net.request(client, Method::Allocate, |writer| {
        writer.bytes(attribute::REQUESTED_TRANSPORT, &[6, 0, 0, 0])
    })
    .code()
}

/// Alice with an allocation for TCP peers.
fn alice_with_tcp(net: &mut Harness) -> Client {
    let alice = over_tcp(net, "alice", "wonderland", 4000);
    assert_eq!(allocate_tcp(net, &alice), 0);
    alice
}

/// Sends a Connect request; returns what happened.
fn connect(net: &mut Harness, client: &Client, peer: &str) -> Vec<Seen> {
    let peer = peer.parse().unwrap();
    let request = client.request(Method::Connect, 9, |writer| writer.address(XOR_PEER_ADDRESS, peer));
    net.send(client.path, &request)
}

/// The error code of the only thing that happened.
fn code(seen: Vec<Seen>) -> u16 {
    let [Seen::Reply(answer)] = &seen[..] else { panic!("{seen:?}") };
    answer.code()
}

/// A connection that the driver was told to dial.
fn dialing(net: &mut Harness, client: &Client, peer: &str) -> ConnectionId {
    let seen = connect(net, client, peer);
    let [Seen::Dial(id, to)] = seen[..] else { panic!("{seen:?}") };
    assert_eq!(to, peer.parse::<SocketAddr>().unwrap());
    id
}

fn dialed(net: &mut Harness, id: ConnectionId, has_accepted: bool) -> Vec<Seen> {
    net.server.dialed(net.now, id, has_accepted);
    net.drain(&[])
}

/// A connection that waits to be bound.
fn waiting(net: &mut Harness, client: &Client, peer: &str) -> ConnectionId {
    let id = dialing(net, client, peer);
    assert_eq!(code(dialed(net, id, true)), 0);
    id
}

fn peer_connects(net: &mut Harness, peer: &str) -> (Option<ConnectionId>, Vec<Seen>) {
    let id = net.server.peer_connected(net.now, net.live[0], peer.parse().unwrap());
    (id, net.drain(&[]))
}

fn bind_connection(net: &mut Harness, client: &Client, id: ConnectionId) -> Vec<Seen> {
    let request = client.request(Method::ConnectionBind, 10, |writer| writer.u32(CONNECTION_ID, id.0));
    net.send(client.path, &request)
}

fn data_connection(net: &mut Harness) -> Client {
    over_tcp(net, "alice", "wonderland", 4100)
}

// RFC 6062 §5.1
#[test]
fn an_allocation_for_tcp_peers_is_asked_for_over_a_stream() {
    let mut net = Harness::new();
    let alice = net.alice();
    assert_eq!(allocate_tcp(&mut net, &alice), 400);
    for (transport, port) in [(Transport::Tcp, 4001), (Transport::Tls, 4002)] {
        let mut client = net.client("alice", "wonderland", port);
        client.path.transport = transport;
        assert_eq!(allocate_tcp(&mut net, &client), 0);
        assert_eq!(net.asked_transport, Some(RelayTransport::Tcp));
    }
}

// RFC 6062 §5.1
#[test]
fn what_datagrams_alone_have_is_refused_with_tcp_peers() {
    let mut net = Harness::new();
    let alice = over_tcp(&mut net, "alice", "wonderland", 4000);
    let wrong: [(attribute::AttributeType, &[u8]); 4] = [
        (attribute::DONT_FRAGMENT, b""),
        (attribute::EVEN_PORT, &[0]),
        (attribute::EVEN_PORT, &[0x80]),
        (attribute::RESERVATION_TOKEN, &[7; 8]),
    ];
    for (kind, value) in wrong {
        let answer = net.request(&alice, Method::Allocate, |writer| {
            writer.bytes(attribute::REQUESTED_TRANSPORT, &[6, 0, 0, 0]).bytes(kind, value)
        });
        assert_eq!(answer.code(), 400, "{kind:?}");
    }
}

#[test]
fn tcp_peers_can_be_switched_off() {
    let mut net = Harness::with(|settings| settings.tcp_allocations = false);
    let alice = over_tcp(&mut net, "alice", "wonderland", 4000);
    assert_eq!(allocate_tcp(&mut net, &alice), 442);
}

// RFC 6062 §5.2
#[test]
fn a_connect_is_answered_when_the_peer_has_accepted() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    let id = dialing(&mut net, &alice, PEER);
    let seen = dialed(&mut net, id, true);
    let [Seen::Reply(answer)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((answer.message().method(), answer.message().class()), (Method::Connect, Class::Success));
    assert_eq!(answer.message().find_u32(CONNECTION_ID), Some(Some(id.0)));
    assert!(answer.message().is_signed_with(&alice.key()));
}

// RFC 6062 §5.2
#[test]
fn a_connect_that_fails_is_447() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    let id = dialing(&mut net, &alice, PEER);
    let seen = dialed(&mut net, id, false);
    let [Seen::Close(closed), Seen::Reply(answer)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((*closed, answer.code()), (id, 447));
    assert!(dialed(&mut net, id, true).is_empty(), "it is over");
    dialing(&mut net, &alice, PEER);
}

// RFC 6062 §5.2
#[test]
fn a_peer_has_thirty_seconds_to_accept() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    let id = dialing(&mut net, &alice, PEER);
    assert_eq!(net.seconds(29), []);
    let seen = net.seconds(1);
    let [Seen::Close(closed), Seen::Reply(answer)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((*closed, answer.code()), (id, 447));
}

// RFC 6062 §5.2
#[test]
fn a_second_connect_to_a_peer_is_446() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    let id = dialing(&mut net, &alice, PEER);
    assert_eq!(code(connect(&mut net, &alice, PEER)), 446, "under way");
    dialed(&mut net, id, true);
    assert_eq!(code(connect(&mut net, &alice, PEER)), 446, "waiting");
    let data = data_connection(&mut net);
    bind_connection(&mut net, &data, id);
    assert_eq!(code(connect(&mut net, &alice, PEER)), 446, "bound");
    dialing(&mut net, &alice, "10.0.0.1:5001");
    net.server.connection_closed(net.now, id);
    assert_eq!(net.drain(&[]), [Seen::Close(id)]);
    dialing(&mut net, &alice, PEER);
}

// RFC 6062 §5.2
#[test]
fn a_connect_that_may_not_be_is_refused_for_its_reason() {
    let mut net = Harness::with(|settings| settings.max_peer_connections = 1);
    let stranger = over_tcp(&mut net, "alice", "wonderland", 4001);
    assert_eq!(code(connect(&mut net, &stranger, PEER)), 437, "no allocation");
    let with_udp = net.allocated_alice();
    assert_eq!(code(connect(&mut net, &with_udp, PEER)), 437, "one for datagrams");
    let alice = over_tcp(&mut net, "alice", "wonderland", 4002);
    assert_eq!(allocate_tcp(&mut net, &alice), 0);
    assert_eq!(code(connect(&mut net, &alice, "192.168.0.1:80")), 403);
    assert_eq!(code(connect(&mut net, &alice, "10.0.0.1:0")), 403);
    assert_eq!(code(connect(&mut net, &alice, "[fd00::1]:80")), 443);
    let empty = net.request(&alice, Method::Connect, |writer| writer);
    assert_eq!(empty.code(), 400);
    let short = net.request(&alice, Method::Connect, |writer| writer.bytes(XOR_PEER_ADDRESS, &[0, 1, 0]));
    assert_eq!(short.code(), 400);
    let mut bob = Client { path: alice.path, ..net.client("bob", "builder", 4003) };
    net.renew_nonce(&mut bob);
    assert_eq!(code(connect(&mut net, &bob, PEER)), 441);
    dialing(&mut net, &alice, PEER);
    assert_eq!(code(connect(&mut net, &alice, "10.0.0.2:80")), 508);
}

#[test]
fn a_connect_to_a_listener_of_ours_is_forbidden() {
    let listener = "10.0.0.9:3478";
    let mut net = Harness::with(|settings| {
        settings.peer_policy.add_own_listener(listener.parse().unwrap(), OwnListener::Streams)
    });
    let alice = alice_with_tcp(&mut net);
    assert_eq!(code(connect(&mut net, &alice, listener)), 403);
}

// RFC 6062 §5.3
#[test]
fn a_permitted_peer_that_connects_is_announced() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    assert_eq!(net.permit(&alice, "10.0.0.1:1"), 0);
    let (id, seen) = peer_connects(&mut net, PEER);
    let [Seen::Notify { to, bytes }] = &seen[..] else { panic!("{seen:?}") };
    let message = Message::parse(bytes).unwrap();
    assert_eq!(*to, alice.path.client);
    assert_eq!((message.method(), message.class()), (Method::ConnectionAttempt, Class::Indication));
    assert_eq!(message.find_address(XOR_PEER_ADDRESS), Some(Some(PEER.parse().unwrap())));
    assert_eq!(message.find_u32(CONNECTION_ID), Some(Some(id.unwrap().0)));
}

// RFC 6062 §5.3
#[test]
fn a_peer_without_permission_is_closed_and_nobody_hears_of_it() {
    let mut net = Harness::with(|settings| settings.max_peer_connections = 1);
    let alice = alice_with_tcp(&mut net);
    assert_eq!(peer_connects(&mut net, PEER), (None, vec![Seen::Drop(DropReason::NoPermission)]));
    waiting(&mut net, &alice, PEER);
    let other = peer_connects(&mut net, "10.0.0.1:5001");
    assert_eq!(other, (None, vec![Seen::Drop(DropReason::NoPermission)]), "a Connect permits nobody");
    net.permit(&alice, PEER);
    let too_many = peer_connects(&mut net, "10.0.0.1:5001");
    assert_eq!(too_many, (None, vec![Seen::Drop(DropReason::TooManyConnections)]));
}

// RFC 6062 §5.2, §5.3
#[test]
fn a_connection_that_nobody_binds_within_thirty_seconds_ends() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    net.permit(&alice, PEER);
    let dialed = waiting(&mut net, &alice, PEER);
    net.seconds(1);
    let (accepted, _) = peer_connects(&mut net, "10.0.0.1:5001");
    assert_eq!(net.seconds(28), []);
    assert_eq!(net.seconds(1), [Seen::Close(dialed)]);
    assert_eq!(net.seconds(1), [Seen::Close(accepted.unwrap())]);
    let data = data_connection(&mut net);
    assert_eq!(code(bind_connection(&mut net, &data, dialed)), 400);
}

// RFC 6062 §5.4
#[test]
fn a_connection_is_bound_once() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    let id = waiting(&mut net, &alice, PEER);
    let data = data_connection(&mut net);
    let seen = bind_connection(&mut net, &data, id);
    let [Seen::Reply(answer), Seen::Bind(bound)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((answer.code(), *bound), (0, id));
    let other = over_tcp(&mut net, "alice", "wonderland", 4101);
    assert_eq!(code(bind_connection(&mut net, &other, id)), 400);
    assert_eq!(net.seconds(100), [], "a bound one has no deadline");
}

// RFC 6062 §5.4
#[test]
fn a_bind_that_fails_leaves_the_connection_to_its_owner() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    let under_way = dialing(&mut net, &alice, "10.0.0.2:5000");
    let id = waiting(&mut net, &alice, PEER);
    let bob = over_tcp(&mut net, "bob", "builder", 4101);
    assert_eq!(code(bind_connection(&mut net, &bob, id)), 400, "a foreign user");
    let liar = Client { password: "wrong".into(), ..data_connection(&mut net) };
    assert_eq!(code(bind_connection(&mut net, &liar, id)), 401);
    let over_udp = net.client("alice", "wonderland", 4102);
    assert_eq!(code(bind_connection(&mut net, &over_udp, id)), 400);
    assert_eq!(code(bind_connection(&mut net, &alice, id)), 400, "the control connection");
    let data = data_connection(&mut net);
    assert_eq!(code(bind_connection(&mut net, &data, ConnectionId(id.0 ^ 1))), 400);
    assert_eq!(code(bind_connection(&mut net, &data, under_way)), 400);
    let without = net.request(&data, Method::ConnectionBind, |writer| writer);
    assert_eq!(without.code(), 400);
    assert_eq!(bind_connection(&mut net, &data, id).len(), 2);
}

// RFC 6062 §4.3
#[test]
fn a_data_connection_is_authenticated_like_its_control_connection() {
    use crate::secret::Secret;
    use crate::turn::credential::rest_password;
    let mut net = Harness::new();
    let username = format!("{}:carol", net.now.unix_seconds + 10);
    let password = rest_password(&Secret::new("north"), username.as_bytes());
    let carol = over_tcp(&mut net, &username, password.expose(), 4000);
    assert_eq!(allocate_tcp(&mut net, &carol), 0);
    net.seconds(20);
    let id = waiting(&mut net, &carol, PEER);
    let data = over_tcp(&mut net, &username, password.expose(), 4100);
    assert_eq!(
        bind_connection(&mut net, &data, id).len(),
        2,
        "the name has expired since, the session has not"
    );
}

// RFC 6062 §5.5
#[test]
fn the_connections_of_an_allocation_end_with_it() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    let waiting = waiting(&mut net, &alice, PEER);
    let dialing = dialing(&mut net, &alice, "10.0.0.2:5000");
    net.server.client_gone(&alice.path);
    let seen = net.drain(&[]);
    assert_eq!(seen, [Seen::Close(waiting), Seen::Close(dialing), Seen::End(EndReason::Disconnected)]);
    let data = data_connection(&mut net);
    assert_eq!(code(bind_connection(&mut net, &data, waiting)), 400);
    assert!(dialed(&mut net, dialing, true).is_empty());
}

#[test]
fn a_connection_to_a_peer_that_becomes_forbidden_ends() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    let id = waiting(&mut net, &alice, PEER);
    assert_eq!(net.set_peer_policy(PeerPolicy::default()), [Seen::Close(id)]);
}

#[test]
fn an_id_names_its_server_and_cannot_be_foretold() {
    let mut net = Harness::with(|settings| settings.server_number = 7);
    let alice = alice_with_tcp(&mut net);
    let ids: Vec<ConnectionId> =
        (0..8).map(|peer| dialing(&mut net, &alice, &format!("10.0.0.1:500{peer}"))).collect();
    assert!(ids.iter().all(|id| id.server_number() == 7));
    let steps: std::collections::HashSet<u32> =
        ids.windows(2).map(|pair| pair[1].0.wrapping_sub(pair[0].0)).collect();
    assert_eq!(steps.len(), 7);
}

// RFC 6062 §3
#[test]
fn tcp_peers_have_neither_channels_nor_indications() {
    let mut net = Harness::new();
    let alice = alice_with_tcp(&mut net);
    net.permit(&alice, PEER);
    assert_eq!(net.bind(&alice, 0x4000, PEER), 400);
    assert_eq!(net.send(alice.path, &send_indication(PEER, b"x")), [Seen::Drop(DropReason::Malformed)]);
}
