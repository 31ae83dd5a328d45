//! Allocations for TCP peers (RFC 6062) on real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};
use turnpike::app::App;
use turnpike::wire::attribute::{CONNECTION_ID, REQUESTED_TRANSPORT, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS};
use turnpike::wire::{Class, Message, Method};

use crate::stream_client::*;
use crate::support::*;

/// Four workers, so that most connections are accepted by another one than their allocation's.
fn config() -> String {
    CONFIG.replace("workers = 2", "workers = 4")
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let (stream, from) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    (stream, from)
}

fn allocate_tcp<L: Link>(client: &mut Client<L>) -> SocketAddr {
    let answer = client.request(Method::Allocate, |writer| writer.bytes(REQUESTED_TRANSPORT, &[6, 0, 0, 0]));
    assert_eq!(code(&answer), 0);
    address(&answer, XOR_RELAYED_ADDRESS)
}

fn connect_request<L: Link>(client: &mut Client<L>, peer: SocketAddr) -> Vec<u8> {
    client.request(Method::Connect, |writer| writer.address(XOR_PEER_ADDRESS, peer))
}

/// Has the relay connect to a peer; returns the id of the connection.
fn connect_peer<L: Link>(client: &mut Client<L>, peer: SocketAddr) -> u32 {
    let answer = connect_request(client, peer);
    assert_eq!(code(&answer), 0);
    connection_id(&answer)
}

fn connection_id(message: &[u8]) -> u32 {
    Message::parse(message).unwrap().find_u32(CONNECTION_ID).unwrap().unwrap()
}

fn bind_connection<L: Link>(client: &mut Client<L>, id: u32) -> u16 {
    code(&client.request(Method::ConnectionBind, |writer| writer.u32(CONNECTION_ID, id)))
}

/// A data connection over TCP that is bound to this id.
fn bound(server: SocketAddr, id: u32) -> TcpStream {
    let mut data = over_tcp(server);
    assert_eq!(bind_connection(&mut data, id), 0);
    data.socket.stream
}

fn exchange(client: &mut (impl Read + Write), peer: &mut TcpStream) {
    let mut buffer = [0; 5];
    client.write_all(b"hello").unwrap();
    client.flush().unwrap();
    peer.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
    peer.write_all(b"world").unwrap();
    client.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"world");
}

/// Reads to the end, which may be a reset.
fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("no end: {error}"),
        Ok(_) | Err(_) => bytes,
    }
}

fn wait_for_no_peers(app: &App) {
    eventually(|| metric(app, "turnpike_relay_peer_connections") == 0.0);
}

// RFC 6062 §5.2, §5.4
#[tokio::test(flavor = "multi_thread")]
async fn a_client_connects_to_peers_and_whichever_worker_accepts_carries_the_bytes() {
    let app = start(&config()).await;
    let server = app.turn_tcp_addrs()[0];
    let mut control = over_tcp(server);
    let relayed = allocate_tcp(&mut control);
    let mut pairs = Vec::new();
    for _ in 0..16 {
        let (listener, peer) = listener();
        let id = connect_peer(&mut control, peer);
        let (stream, from) = accept(&listener);
        assert_eq!(from, relayed, "the peer sees the relayed address");
        pairs.push((bound(server, id), stream));
    }
    assert_eq!(metric(&app, "turnpike_relay_peer_connections"), 16.0);
    for (client, peer) in &mut pairs {
        exchange(client, peer);
    }
    assert_eq!(metric(&app, "turnpike_relay_connections{transport=\"tcp\"}"), 17.0);
    assert_eq!(control.delete(), 0);
    for (client, peer) in &mut pairs {
        assert_eq!((read_to_end(client), read_to_end(peer)), (vec![], vec![]));
    }
    wait_for_no_peers(&app);
    assert_eq!(metric(&app, "turnpike_relay_peer_connections_opened_total{origin=\"client\"}"), 16.0);
    app.stop().await;
}

// RFC 6062 §5.3
#[tokio::test(flavor = "multi_thread")]
async fn a_permitted_peer_connects_and_what_it_sent_before_the_bind_arrives() {
    let app = start(&config()).await;
    let server = app.turn_tcp_addrs()[0];
    let mut control = over_tcp(server);
    let relayed = allocate_tcp(&mut control);
    read_to_end(&mut connect(relayed));
    assert_eq!(metric(&app, "turnpike_relay_dropped_packets_total{reason=\"no_permission\"}"), 1.0);

    assert_eq!(control.permit(relayed), 0);
    for _ in 0..8 {
        let mut peer = connect(relayed);
        peer.write_all(b"early").unwrap();
        let indication = control.socket.next();
        let message = Message::parse(&indication).unwrap();
        assert_eq!((message.method(), message.class()), (Method::ConnectionAttempt, Class::Indication));
        assert_eq!(address(&indication, XOR_PEER_ADDRESS), peer.local_addr().unwrap());
        let mut data = over_tcp(server);
        assert_eq!(bind_connection(&mut data, connection_id(&indication)), 0);
        // It may come together with the answer.
        let (mut client, mut early) = data.socket.into_parts();
        let came = early.len();
        early.resize(5, 0);
        client.read_exact(&mut early[came..]).unwrap();
        assert_eq!(early, b"early");
        exchange(&mut client, &mut peer);
    }
    wait_for_no_peers(&app);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_connection_over_tls_carries_bytes_and_ends_both_ways() {
    let certificate = Certificate::new();
    let app = start(&certificate.config().replace("workers = 2", "workers = 4")).await;
    let server = app.turn_tcp_addrs()[0];
    let mut control = certificate.over_tls(server);
    allocate_tcp(&mut control);
    for _ in 0..8 {
        let (listener, peer) = listener();
        let id = connect_peer(&mut control, peer);
        let mut peer = accept(&listener).0;
        let mut data = certificate.over_tls(server);
        assert_eq!(bind_connection(&mut data, id), 0);
        let mut client = data.socket.stream;
        exchange(&mut client, &mut peer);
        let sent: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
        let received = std::thread::scope(|scope| {
            let peer = &mut peer;
            let reader = scope.spawn(move || {
                let mut received = vec![0; 300_000];
                peer.read_exact(&mut received).unwrap();
                peer.write_all(&received).unwrap();
                received
            });
            client.write_all(&sent).unwrap();
            let mut echo = vec![0; 300_000];
            client.read_exact(&mut echo).unwrap();
            assert!(echo == sent);
            reader.join().unwrap()
        });
        assert!(received == sent);
        client.conn.send_close_notify();
        client.flush().unwrap();
        assert_eq!(read_to_end(&mut peer), b"");
        peer.write_all(b"last words").unwrap();
        drop(peer);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"last words");
    }
    wait_for_no_peers(&app);
    app.stop().await;
}

// RFC 6062 §5.4
#[tokio::test(flavor = "multi_thread")]
async fn bytes_behind_the_request_go_to_the_peer_and_ends_are_passed_on() {
    let app = start(&config()).await;
    let server = app.turn_tcp_addrs()[0];
    let mut control = over_tcp(server);
    allocate_tcp(&mut control);
    for _ in 0..8 {
        let (listener, peer) = listener();
        let id = connect_peer(&mut control, peer);
        let mut peer = accept(&listener).0;
        let mut data = over_tcp(server);
        // The nonce first, so that the request can be followed by bytes before it is answered.
        assert_eq!(bind_connection(&mut data, id ^ 1), 400);
        data.socket.append_to_next(b"not a message");
        assert_eq!(bind_connection(&mut data, id), 0);
        let mut client = data.socket.stream;
        let mut buffer = [0; 13];
        peer.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"not a message");
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut peer), b"");
        peer.write_all(b"half open").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut client), b"half open");
    }
    wait_for_no_peers(&app);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_slows_its_writer_down_and_loses_nothing() {
    let app = start(&config()).await;
    let server = app.turn_tcp_addrs()[0];
    let mut control = over_tcp(server);
    allocate_tcp(&mut control);
    let (listener, peer) = listener();
    let id = connect_peer(&mut control, peer);
    let mut peer = accept(&listener).0;
    let mut client = bound(server, id);
    for to_peer in [true, false] {
        let (writer, reader) = if to_peer { (&mut client, &mut peer) } else { (&mut peer, &mut client) };
        // Nothing taken for so long means that it is full, since the relay moves what it can at once.
        writer.set_write_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
        let piece: Vec<u8> = (0..65_536_u32).map(|number| (number % 251) as u8).collect();
        let mut sent = 0;
        while let Ok(len) = writer.write(&piece[sent % piece.len()..]) {
            sent += len;
            assert!(sent < 64 << 20, "the writer is never slowed down");
        }
        let relayed = sum_of_relayed_bytes(&app);
        let mut received = vec![0; sent];
        reader.read_exact(&mut received).unwrap();
        assert!(received.iter().enumerate().all(|(at, &byte)| byte == piece[at % piece.len()]));
        assert!(sum_of_relayed_bytes(&app) > relayed, "something had waited");
    }
    exchange(&mut client, &mut peer);
    app.stop().await;
}

fn sum_of_relayed_bytes(app: &App) -> f64 {
    ["to_peer", "to_client"]
        .map(|direction| metric(app, &format!("turnpike_relay_bytes_total{{direction=\"{direction}\"}}")))
        .iter()
        .sum()
}

// RFC 6062 §5.4
#[tokio::test(flavor = "multi_thread")]
async fn neither_a_foreign_user_nor_a_second_bind_spoils_a_connection() {
    let two =
        config().replace("[gateway]", "[[turn.users]]\nname = \"bob\"\npassword = \"builder\"\n[gateway]");
    let app = start(&two).await;
    let server = app.turn_tcp_addrs()[0];
    let mut control = over_tcp(server);
    allocate_tcp(&mut control);
    let (listener, peer) = listener();
    let id = connect_peer(&mut control, peer);
    let mut peer = accept(&listener).0;
    let mut bob = over_tcp(server).named("bob".into(), "builder".into());
    assert_eq!(bind_connection(&mut bob, id), 400);
    let mut liar = over_tcp(server).named("alice".into(), "wrong".into());
    assert_eq!(bind_connection(&mut liar, id), 401);
    assert_eq!(bind_connection(&mut control, id), 400);
    let mut over_udp = Client::new(app.turn_addrs()[0]);
    assert_eq!(bind_connection(&mut over_udp, id), 400);
    let mut client = bound(server, id);
    let mut second = over_tcp(server);
    assert_eq!(bind_connection(&mut second, id), 400);
    assert_eq!(code(&connect_request(&mut control, peer.local_addr().unwrap())), 446);
    exchange(&mut client, &mut peer);
    // Whose bind failed can still do something else.
    allocate_tcp(&mut second);
    app.stop().await;
}

// RFC 6062 §5.2, §5.5
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_accepted_or_not_bound_in_time_ends() {
    let short = config().replace("[turn.peers]", "[turn.lifetimes]\npeer_connection = \"1s\"\n[turn.peers]");
    let app = start(&short).await;
    let server = app.turn_tcp_addrs()[0];
    let mut control = over_tcp(server);
    allocate_tcp(&mut control);
    let (open, address) = listener();
    let id = connect_peer(&mut control, address);
    let mut peer = accept(&open).0;
    assert_eq!(read_to_end(&mut peer), b"", "nobody bound it");
    assert_eq!(bind_connection(&mut over_tcp(server), id), 400);

    let (closed, address) = listener();
    drop(closed);
    assert_eq!(code(&connect_request(&mut control, address)), 447, "refused");
    let (_full, address, _waiting) = full_listener();
    assert_eq!(code(&connect_request(&mut control, address)), 447, "silent");
    assert_eq!(code(&connect_request(&mut control, server)), 403, "a listener of ours");
    wait_for_no_peers(&app);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_connection_that_a_proxy_brought_finds_its_worker() {
    let config = config().replace("[turn.peers]", "proxy_protocol_from = [\"127.0.0.1\"]\n[turn.peers]");
    let app = start(&config).await;
    let server = app.turn_tcp_addrs()[0];
    let mut control = over_tcp(server);
    allocate_tcp(&mut control);
    for _ in 0..8 {
        let (listener, peer) = listener();
        let id = connect_peer(&mut control, peer);
        let mut peer = accept(&listener).0;
        let mut data = over_tcp(server);
        data.socket.stream.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 3478\r\n").unwrap();
        assert_eq!(bind_connection(&mut data, id), 0);
        exchange(&mut data.socket.stream, &mut peer);
        // The same client again, once this connection of its is gone.
        drop((data, peer));
        wait_for_no_peers(&app);
        eventually(|| metric(&app, "turnpike_relay_connections{transport=\"tcp\"}") == 1.0);
    }
    app.stop().await;
}

/// A listener that takes no more connections: the kernel leaves further ones without an answer.
fn full_listener() -> (Socket, SocketAddr, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting = (0..4)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
            let _ = socket.connect(&address);
            socket
        })
        .collect();
    (listener, address.as_socket().unwrap(), waiting)
}

// RFC 6062 §5.5
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_either_connection_or_of_the_control_connection_ends_the_rest() {
    let app =
        start(&config().replace("[turn.peers]", "[turn.lifetimes]\nconnection = \"1s\"\n[turn.peers]")).await;
    let server = app.turn_tcp_addrs()[0];
    let mut control = over_tcp(server);
    allocate_tcp(&mut control);
    let pair = |control: &mut Client<Frames<TcpStream>>| {
        let (listener, peer) = listener();
        let id = connect_peer(control, peer);
        (accept(&listener).0, bound(server, id))
    };
    let (peer, mut client) = pair(&mut control);
    reset(peer);
    read_to_end(&mut client);
    let (mut peer, client) = pair(&mut control);
    reset(client);
    read_to_end(&mut peer);
    // Closed for good and not only half, which shows when nothing more is said.
    let (mut peer, client) = pair(&mut control);
    drop(client);
    assert_eq!(read_to_end(&mut peer), b"");
    wait_for_no_peers(&app);

    let (mut peer, mut client) = pair(&mut control);
    drop(control);
    assert_eq!((read_to_end(&mut peer), read_to_end(&mut client)), (vec![], vec![]));
    wait_for_no_peers(&app);
    eventually(|| metric(&app, "turnpike_turn_allocations") == 0.0);
    eventually(|| metric(&app, "turnpike_relay_connections{transport=\"tcp\"}") == 0.0);
    app.stop().await;
}

/// Closes a connection with a reset.
fn reset(stream: TcpStream) {
    Socket::from(stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
}
