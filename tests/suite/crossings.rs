//! Two clients of one relay that are each other's peers: their data does not pass the kernel in between.

use std::net::SocketAddr;

use turnpike::app::App;
use turnpike::wire::attribute::{DATA, XOR_PEER_ADDRESS};
use turnpike::wire::{Class, Message, Method};

use crate::stream_client::{Certificate, over_tcp};
use crate::support::*;

/// More workers than the two clients need, so that mostly they have different ones.
fn config() -> String {
    CONFIG.replace("workers = 2", "workers = 4")
}

fn handed_over(app: &App) -> f64 {
    metric(app, "turnpike_relay_handed_over_packets_total")
}

fn assert_relayed(app: &App, packets: f64) {
    eventually(|| {
        ["to_peer", "to_client"].iter().all(|direction| {
            metric(app, &format!("turnpike_relay_packets_total{{direction=\"{direction}\"}}")) == packets
        })
    });
    assert_eq!(handed_over(app), packets);
}

/// What a client gets as a Data indication: from whom, and what.
fn indicated<L: Link>(client: &mut Client<L>, server: SocketAddr) -> (SocketAddr, Vec<u8>) {
    let datagram = client.socket.receive(server);
    let message = Message::parse(&datagram).unwrap();
    assert_eq!((message.method(), message.class()), (Method::Data, Class::Indication));
    (message.find_address(XOR_PEER_ADDRESS).unwrap().unwrap(), message.find(DATA).unwrap().to_vec())
}

/// Binds a channel between the two, and sends payloads of all lengths both ways.
fn talk_on_channels<A: Link, B: Link>(a: &mut Client<A>, b: &mut Client<B>, server: SocketAddr) -> u32 {
    let (relayed_a, relayed_b) = (a.allocated(), b.allocated());
    assert_eq!((a.bind(0x4001, relayed_b), b.bind(0x4002, relayed_a)), (0, 0));
    let mut sent = 0;
    for payload in [&b"hello"[..], b"", &[7; 1200], &[9; 60_000]] {
        a.send_on_channel(0x4001, payload);
        let frame = b.socket.receive(server);
        assert_eq!(frame[..4], [0x40, 2, (payload.len() >> 8) as u8, payload.len() as u8]);
        assert_eq!(frame[4..4 + payload.len()], *payload);
        b.send_on_channel(0x4002, payload);
        let frame = a.socket.receive(server);
        assert_eq!(frame[..4], [0x40, 1, (payload.len() >> 8) as u8, payload.len() as u8]);
        assert_eq!(frame[4..4 + payload.len()], *payload);
        sent += 2;
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_lead_from_one_allocation_to_another() {
    let app = start(&config()).await;
    let server = app.turn_addrs()[0];
    let mut sent = 0;
    for _ in 0..12 {
        let (mut a, mut b) = (Client::new(server), Client::new(server));
        sent += talk_on_channels(&mut a, &mut b, server);
    }
    assert_relayed(&app, f64::from(sent));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_datagrams_lead_to_each_other() {
    let certificate = Certificate::new();
    let app = start(&certificate.config().replace("workers = 2", "workers = 3")).await;
    let (udp, tcp) = (app.turn_addrs()[0], app.turn_tcp_addrs()[0]);
    let mut sent = 0;
    for _ in 0..6 {
        sent += talk_on_channels(&mut over_tcp(tcp), &mut certificate.over_tls(tcp), tcp);
        let (mut a, mut b) = (over_tcp(tcp), Client::new(udp));
        let (relayed_a, relayed_b) = (a.allocated(), b.allocated());
        assert_eq!((a.bind(0x4001, relayed_b), b.bind(0x4002, relayed_a)), (0, 0));
        a.send_on_channel(0x4001, b"hello");
        assert_eq!(b.socket.receive(udp), b"\x40\x02\0\x05hello", "nothing is padded over UDP");
        b.send_on_channel(0x4002, b"hello");
        assert_eq!(a.socket.receive(tcp), b"\x40\x01\0\x05hello\0\0\0");
        sent += 2;
    }
    assert_relayed(&app, f64::from(sent));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indications_lead_from_one_allocation_to_another() {
    let app = start(&config()).await;
    let (udp, tcp) = (app.turn_addrs()[0], app.turn_tcp_addrs()[0]);
    for _ in 0..12 {
        let (mut a, mut b) = (Client::new(udp), over_tcp(tcp));
        let (relayed_a, relayed_b) = (a.allocated(), b.allocated());
        assert_eq!((a.permit(relayed_b), b.permit(relayed_a)), (0, 0));
        a.send_indication(relayed_b, b"to b");
        assert_eq!(indicated(&mut b, tcp), (relayed_a, b"to b".to_vec()));
        b.send_indication(relayed_a, b"to a");
        assert_eq!(indicated(&mut a, udp), (relayed_b, b"to a".to_vec()));
    }
    assert_relayed(&app, 24.0);
    app.stop().await;
}

// RFC 8656 §9: the permission of the receiver counts, whatever way the data comes.
#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_without_permission_hears_nothing() {
    let app = start(&config()).await;
    let server = app.turn_addrs()[0];
    for round in 1..=8 {
        let (mut a, mut b) = (Client::new(server), Client::new(server));
        a.allocated();
        let relayed_b = b.allocated();
        assert_eq!(a.bind(0x4001, relayed_b), 0);
        a.send_on_channel(0x4001, b"unwanted");
        eventually(|| {
            let dropped = metric(&app, "turnpike_relay_dropped_packets_total{reason=\"no_permission\"}");
            dropped == f64::from(round)
        });
    }
    assert_eq!(metric(&app, "turnpike_relay_packets_total{direction=\"to_client\"}"), 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_the_end_is_not_handed_to_the_next_owner() {
    let app = start(&config()).await;
    let server = app.turn_addrs()[0];
    let (mut a, mut b) = (Client::new(server), Client::new(server));
    let (_, relayed_b) = (a.allocated(), b.allocated());
    assert_eq!(a.bind(0x4001, relayed_b), 0);
    assert_eq!(b.delete(), 0);
    // The port is nobody's, so this goes to the kernel like any other datagram.
    let stranger = socket_at(&relayed_b.to_string());
    a.send_on_channel(0x4001, b"who is there?");
    assert_eq!(receive(&stranger).0, b"who is there?");
    assert_eq!(handed_over(&app), 0.0);
    app.stop().await;
}

// The public address exists nowhere in this machine: only the relay itself can know where it leads.
#[tokio::test(flavor = "multi_thread")]
async fn public_addresses_in_front_of_a_nat_lead_to_their_allocations() {
    let config = config()
        .replace("[turn.peers]", "external_ip = [\"198.51.100.7\"]\n[turn.peers]")
        .replace("\"127.0.0.0/8\"", "\"198.51.100.7\"");
    let app = start(&config).await;
    let server = app.turn_addrs()[0];
    for _ in 0..8 {
        let (mut a, mut b) = (Client::new(server), Client::new(server));
        let (relayed_a, relayed_b) = (a.allocated(), b.allocated());
        assert_eq!(relayed_a.ip().to_string(), "198.51.100.7");
        assert_eq!((a.bind(0x4001, relayed_b), b.permit(relayed_a)), (0, 0));
        a.send_on_channel(0x4001, b"hello");
        assert_eq!(indicated(&mut b, server), (relayed_a, b"hello".to_vec()));
    }
    app.stop().await;
}
