//! Allocations that follow their clients over real sockets, from worker to worker (RFC 8016).

use std::net::SocketAddr;

use turnpike::app::App;
use turnpike::wire::attribute::{MOBILITY_TICKET, REQUESTED_TRANSPORT, XOR_RELAYED_ADDRESS};
use turnpike::wire::{Message, Method};

use crate::stream_client::{Certificate, over_tcp};
use crate::support::*;

/// The usual configuration with four workers, where allocations may move.
fn config() -> String {
    CONFIG.replace("workers = 2", "workers = 4\nmobility = true")
}

pub(crate) fn ticket_of(answer: &[u8]) -> Vec<u8> {
    assert_eq!(code(answer), 0);
    Message::parse(answer).unwrap().find(MOBILITY_TICKET).expect("a ticket").to_vec()
}

/// Allocates; returns the relayed address and the ticket.
pub(crate) fn allocate_mobile<L: Link>(client: &mut Client<L>) -> (SocketAddr, Vec<u8>) {
    let answer = client.request(Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(MOBILITY_TICKET, b"")
    });
    (address(&answer, XOR_RELAYED_ADDRESS), ticket_of(&answer))
}

pub(crate) fn show<L: Link>(client: &mut Client<L>, ticket: &[u8]) -> Vec<u8> {
    client.request(Method::Refresh, |writer| writer.bytes(MOBILITY_TICKET, ticket))
}

/// Sends on channel 0x4001 both ways.
fn talk<L: Link>(
    client: &mut Client<L>,
    peer: &std::net::UdpSocket,
    relayed: SocketAddr,
    server: SocketAddr,
) {
    client.send_on_channel(0x4001, b"ping");
    assert_eq!(receive(peer), (b"ping".to_vec(), relayed));
    peer.send_to(b"pong", relayed).unwrap();
    assert_eq!(client.socket.receive(server), b"\x40\x01\0\x04pong");
}

fn moved(app: &App) -> f64 {
    metric(app, "turnpike_turn_allocations_moved_total")
}

// RFC 8016 §3.2.2
#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_follows_its_client_from_worker_to_worker() {
    let app = start(&config()).await;
    let server = app.turn_addrs()[0];
    let peer = socket();
    let mut client = Client::new(server);
    let (relayed, mut ticket) = allocate_mobile(&mut client);
    assert_eq!(client.bind(0x4001, peer.local_addr().unwrap()), 0);
    for moves in 1..=24 {
        talk(&mut client, &peer, relayed, server);
        let mut new = Client::new(server);
        ticket = ticket_of(&show(&mut new, &ticket));
        // What was on its way when the client moved is not lost.
        client.send_on_channel(0x4001, b"by the old path");
        assert_eq!(receive(&peer), (b"by the old path".to_vec(), relayed));
        client.send_indication(peer.local_addr().unwrap(), b"indicated");
        assert_eq!(receive(&peer), (b"indicated".to_vec(), relayed));
        assert_eq!(moved(&app), f64::from(moves));
        client = new;
    }
    assert_eq!(metric(&app, "turnpike_turn_allocations"), 1.0);
    assert_eq!(client.delete(), 0);
    assert_eq!(metric(&app, "turnpike_turn_allocations"), 0.0);
    assert_eq!(metric(&app, "turnpike_turn_allocations_created_total"), 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_path_ends_when_the_new_one_is_used() {
    let app = start(&config()).await;
    let server = app.turn_addrs()[0];
    let peer = socket();
    for _ in 0..8 {
        let (mut old, mut new) = (Client::new(server), Client::new(server));
        let (relayed, ticket) = allocate_mobile(&mut old);
        assert_eq!(old.bind(0x4001, peer.local_addr().unwrap()), 0);
        show(&mut new, &ticket);
        talk(&mut new, &peer, relayed, server);
        old.send_on_channel(0x4001, b"too late");
        assert_eq!(code(&old.request(Method::Refresh, |writer| writer)), 437);
        talk(&mut new, &peer, relayed, server);
        assert_eq!(code(&show(&mut Client::new(server), &ticket)), 437, "a ticket is good once");
        assert_eq!(new.delete(), 0);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_a_replica_with_more_workers_finds_nothing() {
    // Both have the key of their tickets from one secret.
    let secret = "mobility = true\nnonce_secret = \"0123456789abcdef\"";
    let with = |workers: &str| CONFIG.replace("workers = 2", &format!("workers = {workers}\n{secret}"));
    let (large, small) = (start(&with("16")).await, start(&with("1")).await);
    for _ in 0..8 {
        let (_, ticket) = allocate_mobile(&mut Client::new(large.turn_addrs()[0]));
        assert_eq!(code(&show(&mut Client::new(small.turn_addrs()[0]), &ticket)), 437);
    }
    large.stop().await;
    small.stop().await;
}

// RFC 8016 §3
#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_outlives_its_connection_and_moves_between_transports() {
    let app = start(&config()).await;
    let (server, tcp) = (app.turn_addrs()[0], app.turn_tcp_addrs()[0]);
    let peer = socket();
    let mut first = over_tcp(tcp);
    let (relayed, mut ticket) = allocate_mobile(&mut first);
    assert_eq!(first.bind(0x4001, peer.local_addr().unwrap()), 0);
    talk(&mut first, &peer, relayed, tcp);
    drop(first);
    eventually(|| metric(&app, "turnpike_relay_connections{transport=\"tcp\"}") == 0.0);
    assert_eq!(metric(&app, "turnpike_turn_allocations"), 1.0);
    for _ in 0..6 {
        let mut datagrams = Client::new(server);
        ticket = ticket_of(&show(&mut datagrams, &ticket));
        talk(&mut datagrams, &peer, relayed, server);
        let mut stream = over_tcp(tcp);
        ticket = ticket_of(&show(&mut stream, &ticket));
        talk(&mut stream, &peer, relayed, tcp);
    }
    assert_eq!(metric(&app, "turnpike_turn_allocations"), 1.0);
    app.stop().await;
}

// RFC 8016 §3.2.2
#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_moves_over_tls_and_stays_when_its_old_connection_closes() {
    let certificate = Certificate::new();
    let app = start(&certificate.config().replace("workers = 2", "workers = 4\nmobility = true")).await;
    let server = app.turn_tcp_addrs()[0];
    let peer = socket();
    let mut old = certificate.over_tls(server);
    let (relayed, mut ticket) = allocate_mobile(&mut old);
    assert_eq!(old.bind(0x4001, peer.local_addr().unwrap()), 0);
    for _ in 0..12 {
        let mut new = certificate.over_tls(server);
        ticket = ticket_of(&show(&mut new, &ticket));
        talk(&mut new, &peer, relayed, server);
        drop(old);
        talk(&mut new, &peer, relayed, server);
        old = new;
    }
    assert_eq!(moved(&app), 12.0);
    assert_eq!(metric(&app, "turnpike_turn_allocations"), 1.0);
    app.stop().await;
}
