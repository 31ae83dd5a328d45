//! Clients without credentials on real sockets, where four workers have to agree on what they may take.

use std::net::SocketAddr;

use turnpike::app::App;
use turnpike::wire::attribute::{MESSAGE_INTEGRITY, REQUESTED_TRANSPORT};
use turnpike::wire::{Class, Message, MessageWriter, Method, TransactionId};

use crate::stream_client::over_tcp;
use crate::support::*;

/// The usual configuration with four workers, and with a UDP and a TCP listener that ask for no credentials.
fn config(limits: &str) -> String {
    let anonymous = "[turn.anonymous]\nlisten = [\"127.0.0.1:0\"]\nlisten_tcp = [\"127.0.0.1:0\"]\n\
                     backends = [\"127.0.0.1\"]\n";
    CONFIG.replace("workers = 2", "workers = 4") + anonymous + limits
}

fn open_addr(app: &App) -> SocketAddr {
    app.turn_addrs()[1]
}

fn refused(app: &App, reason: &str) -> f64 {
    metric(app, &format!("turnpike_turn_allocations_refused_total{{reason=\"{reason}\"}}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn data_reaches_backends_without_credentials() {
    let app = start(&config("")).await;
    let mut client = Client::new(open_addr(&app));
    let answer = client.allocate();
    assert_eq!(code(&answer), 0);
    assert!(Message::parse(&answer).unwrap().find(MESSAGE_INTEGRITY).is_none());
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
    client.send_on_channel(0x4000, b"hello");
    let (payload, relayed) = receive(&peer);
    assert_eq!(payload, b"hello");
    peer.send_to(b"world", relayed).unwrap();
    assert_eq!(receive(&client.socket).0, b"\x40\0\0\x05world");
    assert_eq!(client.permit("127.0.0.2:5000".parse().unwrap()), 403);
    assert_eq!(client.bind(0x4001, open_addr(&app)), 403, "a listener of ours, if it is a backend or not");
    assert_eq!(metric(&app, "turnpike_turn_allocations_anonymous"), 1.0);
    assert_eq!(client.delete(), 0);
    assert_eq!(metric(&app, "turnpike_turn_allocations_anonymous"), 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_reaches_backends_over_tcp_without_credentials() {
    let app = start(&config("")).await;
    let mut client = over_tcp(app.turn_tcp_addrs()[1]);
    client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
    client.send_on_channel(0x4000, b"hello");
    assert_eq!(receive(&peer).0, b"hello");
    drop(client);
    eventually(|| metric(&app, "turnpike_turn_allocations_anonymous") == 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_listeners_go_on_asking() {
    let app = start(&config("")).await;
    let mut request = Vec::new();
    MessageWriter::begin(&mut request, Method::Allocate, Class::Request, TransactionId([9; 12]))
        .bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    let socket = socket();
    socket.send_to(&request, app.turn_addrs()[0]).unwrap();
    assert_eq!(code(&receive(&socket).0), 401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_has_as_many_as_it_may_and_users_have_their_own() {
    let app = start(&config("allocations_per_source = 3")).await;
    let mut clients: Vec<Client> = (0..5).map(|_| Client::new(open_addr(&app))).collect();
    let codes: Vec<u16> = clients.iter_mut().map(|client| code(&client.allocate())).collect();
    assert_eq!(codes, [0, 0, 0, 486, 486]);
    assert_eq!(refused(&app, "anonymous_source_quota"), 2.0);
    assert_eq!(code(&Client::new(app.turn_addrs()[0]).allocate()), 0, "alice shows who she is");
    assert_eq!(code(&Client::on(socket_at("127.0.0.9:0"), open_addr(&app)).allocate()), 0);
    assert_eq!(clients[1].delete(), 0);
    assert_eq!(code(&clients[4].allocate()), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sources_together_have_as_many_as_they_may() {
    let app = start(&config("allocations = 10")).await;
    let ips: Vec<String> = (10..26).map(|number| format!("127.0.1.{number}:0")).collect();
    let mut clients: Vec<Client> = ips.iter().map(|ip| Client::on(socket_at(ip), open_addr(&app))).collect();
    let codes: Vec<u16> = clients.iter_mut().map(|client| code(&client.allocate())).collect();
    assert_eq!(codes, [[0; 10].as_slice(), &[508; 6]].concat());
    assert_eq!(refused(&app, "anonymous_capacity"), 6.0);
    assert_eq!(metric(&app, "turnpike_turn_allocations_anonymous"), 10.0);
    app.stop().await;
}
