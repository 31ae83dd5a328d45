//! The relay's TCP side on real sockets.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};

use socket2::{Domain, Socket, Type};
use turnpike::app::App;
use turnpike::wire::attribute::{DATA, XOR_MAPPED_ADDRESS, XOR_PEER_ADDRESS};
use turnpike::wire::{Class, Message, MessageWriter, Method, TransactionId};

use crate::stream_client::*;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn channel_data_goes_both_ways_padded_with_zeros() {
    let app = start(CONFIG).await;
    let mut client = over_tcp(app.turn_tcp_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);

    for payload in [&b"hello"[..], b"", &[7; 1200], &[9; 60_001]] {
        client.send_on_channel(0x4000, payload);
        assert_eq!(receive(&peer), (payload.to_vec(), relayed));
        // First something longer, whose bytes must not show in the padding of what follows.
        for payload in [&[0xff; 60_100], payload] {
            peer.send_to(payload, relayed).unwrap();
            let frame = client.socket.next();
            assert_eq!(frame[..4], [0x40, 0, (payload.len() >> 8) as u8, payload.len() as u8]);
            assert_eq!(&frame[4..4 + payload.len()], payload);
            let padding = &frame[4 + payload.len()..];
            assert_eq!(padding, &[0; 3][..payload.len().next_multiple_of(4) - payload.len()]);
        }
    }
    let metrics = app.metrics().clone();
    app.stop().await;
    let text = metrics.exposition().unwrap();
    assert!(
        text.contains("turnpike_relay_packets_total{transport=\"tcp\",direction=\"to_peer\"} 4\n"),
        "{text}"
    );
    assert!(
        text.contains("turnpike_relay_packets_total{transport=\"tcp\",direction=\"to_client\"} 8\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn indications_go_both_ways() {
    let app = start(CONFIG).await;
    let mut client = over_tcp(app.turn_tcp_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    let peer_addr = peer.local_addr().unwrap();
    assert_eq!(client.permit(peer_addr), 0);
    client.send_indication(peer_addr, b"hello");
    assert_eq!(receive(&peer), (b"hello".to_vec(), relayed));
    peer.send_to(b"world", relayed).unwrap();
    let frame = client.socket.next();
    let message = Message::parse(&frame).unwrap();
    assert_eq!((message.method(), message.class()), (Method::Data, Class::Indication));
    assert_eq!(message.find_address(XOR_PEER_ADDRESS), Some(Some(peer_addr)));
    assert_eq!(message.find(DATA), Some(&b"world"[..]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_may_come_in_single_bytes_or_many_at_once() {
    let app = start(CONFIG).await;
    let mut client = over_tcp(app.turn_tcp_addrs()[0]);
    client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);

    let pipeline =
        [&binding_request(1)[..], b"\x40\0\0\x03one\0", b"\x40\0\0\0", &binding_request(2)].concat();
    for byte in &pipeline {
        client.socket.stream.write_all(&[*byte]).unwrap();
    }
    for _ in 0..99 {
        client.socket.stream.write_all(&pipeline).unwrap();
    }
    for _ in 0..100 {
        assert_eq!(receive(&peer).0, b"one");
        assert_eq!(receive(&peer).0, b"");
        for number in [1, 2] {
            let answer = client.socket.next();
            let answer = Message::parse(&answer).unwrap();
            assert_eq!((answer.class(), answer.transaction()), (Class::Success, TransactionId([number; 12])));
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_closes_the_connection_and_its_last_answers_still_arrive() {
    let app = start(CONFIG).await;
    let server = app.turn_tcp_addrs()[0];
    let no_cookie = [&[0, 1, 0, 0][..], &[0; 16]].concat();
    let too_long_for_a_stranger = [&[0x40, 0, 0xff, 0xff][..], &[0; 100]].concat();
    let garbage: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x80],
        &no_cookie,
        b"\0\x01\0\x03",
        &too_long_for_a_stranger,
        // Without a certificate nobody speaks TLS.
        &[22, 3, 1, 0, 5],
    ];
    for garbage in garbage {
        let mut fresh = Frames::new(connect(server));
        fresh.stream.write_all(garbage).unwrap();
        assert_eq!(fresh.wait_for_end(), b"", "{garbage:?}");
    }
    assert_eq!(metric(&app, "turnpike_relay_connections_closed_total{reason=\"garbage\"}"), 6.0);

    let mut client = over_tcp(server);
    let relayed = client.allocated();
    client.socket.stream.write_all(&[&binding_request(7)[..], &[0x80; 8]].concat()).unwrap();
    let answer = client.socket.next();
    assert_eq!(Message::parse(&answer).unwrap().transaction(), TransactionId([7; 12]));
    client.socket.wait_for_end();
    assert_gone(&app, relayed);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_connection_ends_its_allocation() {
    let app = start(CONFIG).await;
    let mut client = over_tcp(app.turn_tcp_addrs()[0]);
    let relayed = client.allocated();
    assert!(UdpSocket::bind(relayed).is_err(), "the port is taken");
    drop(client);
    assert_gone(&app, relayed);
    assert_eq!(metric(&app, "turnpike_turn_allocations_ended_total{reason=\"disconnected\"}"), 1.0);
    assert_eq!(metric(&app, "turnpike_relay_connections_closed_total{reason=\"client\"}"), 1.0);
    assert_eq!(metric(&app, "turnpike_relay_connections{transport=\"tcp\"}"), 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_loses_its_oldest_media_and_nothing_else() {
    let app = start(CONFIG).await;
    let server = app.turn_tcp_addrs()[0];
    let mut client = Client::on(Frames::new(with_small_buffer(server)), server);
    let relayed = client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);

    // It does not read; another client is served all the same.
    let dropped = "turnpike_relay_dropped_packets_total{reason=\"slow_client\"}";
    let mut sent = 0_u32;
    eventually(|| {
        for _ in 0..50 {
            peer.send_to(&payload(sent), relayed).unwrap();
            sent += 1;
        }
        metric(&app, dropped) > 500.0
    });
    let mut other = over_tcp(server);
    other.allocated();
    client.socket.stream.write_all(&binding_request(7)).unwrap();
    // An answer on the other connection does not tell that this one was read, but the worker has several turns now.
    assert_eq!(code(&other.request(Method::Binding, |writer| writer)), 0);

    // It reads on: what came is in order, and neither half a frame nor the answer is missing.
    let (mut numbers, mut is_answered) = (Vec::new(), false);
    while !is_answered || numbers.last() != Some(&u32::MAX) {
        let frame = client.socket.next();
        if frame[0] < 0x40 {
            assert_eq!(Message::parse(&frame).unwrap().transaction(), TransactionId([7; 12]));
            is_answered = true;
            peer.send_to(&payload(u32::MAX), relayed).unwrap();
            continue;
        }
        let number = u32::from_be_bytes(frame[4..8].try_into().unwrap());
        assert_eq!(frame[4..4 + 997], payload(number), "a frame arrives as it was sent");
        numbers.push(number);
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert_eq!(numbers[0], 0, "what was sent already is not lost");
    let newest = numbers[numbers.len() - 2];
    assert!(newest + 500 > sent, "the newest is kept: {newest} of {sent}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_no_answers_may_ask_no_more_until_it_does() {
    let app = start(CONFIG).await;
    let server = app.turn_tcp_addrs()[0];
    let mut client = Frames::new(with_small_buffer(server));
    client.stream.set_nonblocking(true).unwrap();
    // Until the server does not read on, however often it serves another client meanwhile.
    let requests: Vec<u8> = (0..100).flat_map(|_| binding_request(9)).collect();
    let (mut written, mut refused) = (0, 0);
    while refused < 20 {
        if let Ok(len) = client.stream.write(&requests[written % 20..]) {
            (written, refused) = (written + len, 0);
            continue;
        }
        refused += 1;
        over_tcp(server).request(Method::Binding, |writer| writer);
    }
    client.stream.set_nonblocking(false).unwrap();
    client.stream.set_read_timeout(Some(DEADLINE)).unwrap();
    for _ in 0..written / 20 {
        assert_eq!(Message::parse(&client.next()).unwrap().class(), Class::Success);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_an_allocation_is_closed() {
    let app = start(&short_lived(CONFIG)).await;
    let server = app.turn_tcp_addrs()[0];
    let mut client = over_tcp(server);
    client.allocated();
    let mut idle = Frames::new(connect(server));
    idle.wait_for_end();
    assert_eq!(metric(&app, "turnpike_relay_connections_closed_total{reason=\"idle\"}"), 1.0);

    // One second has passed, so the client lives because of its allocation.
    assert_eq!(code(&client.request(Method::Refresh, |writer| writer)), 0);
    assert_eq!(client.delete(), 0);
    client.socket.wait_for_end();
    assert_eq!(metric(&app, "turnpike_relay_connections_closed_total{reason=\"idle\"}"), 2.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_idle_connections_keep_nobody_waiting() {
    let app = start(CONFIG).await;
    let server = app.turn_tcp_addrs()[0];
    let idle: Vec<TcpStream> = (0..300).map(|_| connect(server)).collect();
    over_tcp(server).allocated();
    eventually(|| metric(&app, "turnpike_relay_connections_accepted_total") == 301.0);
    assert!(metric(&app, "turnpike_relay_connections{transport=\"tcp\"}") >= 300.0);
    drop(idle);
    eventually(|| metric(&app, "turnpike_relay_connections{transport=\"tcp\"}") == 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_closed_until_others_end() {
    let app = start(&CONFIG.replace("[turn.peers]", "[turn.limits]\nconnections = 2\n[turn.peers]")).await;
    let server = app.turn_tcp_addrs()[0];
    let mut held: Vec<_> = (0..2).map(|_| over_tcp(server)).collect();
    for client in &mut held {
        client.allocated();
    }
    Frames::new(connect(server)).wait_for_end();
    assert_eq!(metric(&app, "turnpike_relay_connections_closed_total{reason=\"limit\"}"), 1.0);
    assert_eq!(held[0].delete(), 0, "the others are served on");
    held.pop();
    eventually(|| metric(&app, "turnpike_relay_connections{transport=\"tcp\"}") == 1.0);
    over_tcp(server).allocated();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_tells_whom_it_brings() {
    let app = start(&behind_proxy("127.0.0.0/8")).await;
    let server = app.turn_tcp_addrs()[0];
    let v1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 3478\r\n";
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x13\x89\x0d\x96";
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    for (header, client) in [(&v1[..], Some("192.0.2.1:5000")), (v2, Some("192.0.2.1:5001")), (local, None)] {
        // At once, and one byte after the other.
        for piece in [header.len(), 1] {
            let mut brought = over_tcp(server);
            for piece in header.chunks(piece) {
                brought.socket.stream.write_all(piece).unwrap();
            }
            let own = brought.socket.stream.local_addr().unwrap();
            let expected = client.map_or(own, |client| client.parse().unwrap());
            let answer = brought.request(Method::Binding, |writer| writer);
            assert_eq!(address(&answer, XOR_MAPPED_ADDRESS), expected);
            let relayed = brought.allocated();
            drop(brought);
            assert_gone(&app, relayed);
        }
    }
    // A proxy's own health check needs no header.
    assert_eq!(code(&over_tcp(server).request(Method::Binding, |writer| writer)), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_proxy_header_and_one_from_a_stranger_close_the_connection() {
    let app = start(&behind_proxy("127.0.0.0/8")).await;
    let server = app.turn_tcp_addrs()[0];
    let mut wrong = Frames::new(connect(server));
    wrong.stream.write_all(b"PROXY TCP4 nobody nowhere 5000 3478\r\n").unwrap();
    wrong.wait_for_end();
    assert_eq!(metric(&app, "turnpike_relay_connections_closed_total{reason=\"proxy_header\"}"), 1.0);
    app.stop().await;

    let app = start(&behind_proxy("192.0.2.0/24")).await;
    for header in [&b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 3478\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut stranger = Frames::new(connect(app.turn_tcp_addrs()[0]));
        stranger.stream.write_all(header).unwrap();
        stranger.wait_for_end();
    }
    assert_eq!(metric(&app, "turnpike_relay_connections_closed_total{reason=\"garbage\"}"), 2.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_every_connection() {
    let app = start(CONFIG).await;
    let mut client = over_tcp(app.turn_tcp_addrs()[0]);
    client.allocated();
    let metrics = app.metrics().clone();
    app.stop().await;
    client.socket.wait_for_end();
    let text = metrics.exposition().unwrap();
    assert!(text.contains("turnpike_turn_allocations_ended_total{reason=\"shutdown\"} 1\n"), "{text}");
    assert!(text.contains("turnpike_relay_connections_closed_total{reason=\"shutdown\"} 1\n"), "{text}");
}

fn binding_request(number: u8) -> Vec<u8> {
    let mut request = Vec::new();
    MessageWriter::begin(&mut request, Method::Binding, Class::Request, TransactionId([number; 12]));
    request
}

/// A payload that says its number and can be told from all others.
fn payload(number: u32) -> [u8; 997] {
    let mut payload = [number as u8; 997];
    payload[..4].copy_from_slice(&number.to_be_bytes());
    payload
}

/// A connection whose end takes little before it is read.
fn with_small_buffer(server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.connect(&server.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// A configuration in which connections have one second to allocate.
pub(crate) fn short_lived(config: &str) -> String {
    config.replace("[turn.peers]", "[turn.lifetimes]\nconnection = \"1s\"\n[turn.peers]")
}

/// A configuration that trusts these proxies.
fn behind_proxy(network: &str) -> String {
    CONFIG.replace("[turn.peers]", &format!("proxy_protocol_from = [\"{network}\"]\n[turn.peers]"))
}

/// Waits until an allocation has given its port back.
fn assert_gone(app: &App, relayed: SocketAddr) {
    eventually(|| UdpSocket::bind(relayed).is_ok());
    eventually(|| metric(app, "turnpike_turn_allocations") == 0.0);
}
