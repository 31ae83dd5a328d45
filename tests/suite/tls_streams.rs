//! The relay's TLS side on real sockets.

use std::io::{Read, Write};

use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use turnpike::wire::attribute::XOR_MAPPED_ADDRESS;
use turnpike::wire::{Message, Method};

use crate::stream_client::*;
use crate::streams::short_lived;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn channel_data_goes_both_ways_over_each_version_of_tls() {
    let certificate = Certificate::new();
    let app = start(&certificate.config()).await;
    let server = app.turn_tcp_addrs()[0];
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let stream = certificate.client(connect(server), &[version], &[]);
        let mut client = Client::on(Frames::new(stream), server);
        let relayed = client.allocated();
        assert_eq!(client.socket.stream.conn.protocol_version(), Some(expected));
        let peer = socket();
        assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
        for payload in [&b"hello"[..], b"", &[7; 1201], &[9; 60_000]] {
            client.send_on_channel(0x4000, payload);
            assert_eq!(receive(&peer), (payload.to_vec(), relayed));
            peer.send_to(payload, relayed).unwrap();
            let frame = client.socket.next();
            assert_eq!(&frame[4..4 + payload.len()], payload);
            assert!(frame[4 + payload.len()..].iter().all(|&byte| byte == 0));
        }
        // A burst, and each of its frames in a piece of its own.
        for number in 0..40 {
            peer.send_to(&[number; 900], relayed).unwrap();
        }
        for number in 0..40 {
            assert_eq!(&client.socket.next()[4..], [number; 900]);
        }
    }
    eventually(|| metric(&app, "turnpike_relay_connections{transport=\"tls\"}") == 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_takes_clients_with_and_without_tls() {
    let certificate = Certificate::new();
    let app = start(&certificate.config()).await;
    let server = app.turn_tcp_addrs()[0];
    let (mut plain, mut secure) = (over_tcp(server), certificate.over_tls(server));
    plain.allocated();
    secure.allocated();
    assert_eq!(metric(&app, "turnpike_relay_connections{transport=\"tcp\"}"), 1.0);
    assert_eq!(metric(&app, "turnpike_relay_connections{transport=\"tls\"}"), 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_may_ask_for_turn_or_nat_discovery_or_nothing() {
    let certificate = Certificate::new();
    let app = start(&certificate.config()).await;
    let server = app.turn_tcp_addrs()[0];
    let agreed = |asked: &[&[u8]]| {
        let stream = certificate.client(connect(server), rustls::ALL_VERSIONS, asked);
        let mut client = Client::on(Frames::new(stream), server);
        let answer = client.request(Method::Binding, |writer| writer);
        assert_eq!(address(&answer, XOR_MAPPED_ADDRESS), client.socket.stream.sock.local_addr().unwrap());
        client.socket.stream.conn.alpn_protocol().map(<[u8]>::to_vec)
    };
    assert_eq!(agreed(&[]), None);
    assert_eq!(agreed(&[b"stun.nat-discovery"]), Some(b"stun.nat-discovery".to_vec()));
    assert_eq!(agreed(&[b"h2", b"stun.turn"]), Some(b"stun.turn".to_vec()));

    let mut other = certificate.client(connect(server), rustls::ALL_VERSIONS, &[b"h2"]);
    let error = other.write_all(b"x").and_then(|()| other.read(&mut [0])).unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    eventually(|| metric(&app, "turnpike_relay_connections_closed_total{reason=\"tls_failed\"}") == 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_may_come_in_single_bytes() {
    let certificate = Certificate::new();
    let app = start(&certificate.config()).await;
    let server = app.turn_tcp_addrs()[0];
    let mut client = Client::on(Frames::new(certificate.over_tls(server).socket.stream), server);
    // The handshake too: what TLS wants to send is taken from it and sent byte by byte.
    let stream = &mut client.socket.stream;
    while stream.conn.is_handshaking() {
        let mut records = Vec::new();
        while stream.conn.wants_write() {
            stream.conn.write_tls(&mut records).unwrap();
        }
        for byte in records {
            stream.sock.write_all(&[byte]).unwrap();
        }
        if stream.conn.wants_read() {
            stream.conn.read_tls(&mut stream.sock).unwrap();
            stream.conn.process_new_packets().unwrap();
        }
    }
    let answer = client.request(Method::Binding, |writer| writer);
    assert_eq!(code(&answer), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_finish_its_handshake_is_closed() {
    let certificate = Certificate::new();
    let app = start(&short_lived(&certificate.config())).await;
    let mut silent = Frames::new(connect(app.turn_tcp_addrs()[0]));
    silent.stream.write_all(&[22, 3, 1]).unwrap();
    silent.wait_for_end();
    assert_eq!(metric(&app, "turnpike_relay_connections_closed_total{reason=\"handshake_timeout\"}"), 1.0);

    let mut wrong = Frames::new(connect(app.turn_tcp_addrs()[0]));
    wrong.stream.write_all(&[22, 3, 1, 0, 4, 1, 0, 0, 0]).unwrap();
    let alert = wrong.wait_for_end();
    assert_eq!(alert.first(), Some(&21), "an alert says what is wrong: {alert:?}");
    assert_eq!(metric(&app, "turnpike_relay_connections_closed_total{reason=\"tls_failed\"}"), 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_goodbye_ends_its_allocation() {
    let certificate = Certificate::new();
    let app = start(&certificate.config()).await;
    let mut client = certificate.over_tls(app.turn_tcp_addrs()[0]);
    client.allocated();
    client.socket.stream.conn.send_close_notify();
    client.socket.stream.flush().unwrap();
    client.socket.wait_for_end();
    assert_eq!(metric(&app, "turnpike_turn_allocations_ended_total{reason=\"disconnected\"}"), 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_keeps_its_stream_in_step() {
    let certificate = Certificate::new();
    let app = start(&certificate.config()).await;
    let mut client = certificate.over_tls(app.turn_tcp_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
    eventually(|| {
        for _ in 0..200 {
            peer.send_to(&[7; 1001], relayed).unwrap();
        }
        metric(&app, "turnpike_relay_dropped_packets_total{reason=\"slow_client\"}") > 500.0
    });
    client.socket.stream.sock.set_nodelay(true).unwrap();
    peer.send_to(b"last", relayed).unwrap();
    let mut frames = 0;
    loop {
        let frame = client.socket.next();
        if frame[..8] == *b"\x40\0\0\x04last" {
            break;
        }
        assert_eq!(frame[4..1005], [7; 1001]);
        frames += 1;
    }
    assert!(frames > 100, "{frames}");
    assert!(Message::parse(&client.request(Method::Binding, |writer| writer)).is_ok());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_header_stands_in_front_of_tls() {
    let certificate = Certificate::new();
    let config =
        certificate.config().replace("listen_tcp", "proxy_protocol_from = [\"127.0.0.1\"]\nlisten_tcp");
    let app = start(&config).await;
    let server = app.turn_tcp_addrs()[0];
    for _ in 0..2 {
        let mut stream = connect(server);
        stream.write_all(b"PROXY TCP6 2001:db8::1 2001:db8::2 5000 3478\r\n").unwrap();
        let stream = certificate.client(stream, rustls::ALL_VERSIONS, &[]);
        let mut client = Client::on(Frames::new(stream), server);
        let answer = client.request(Method::Binding, |writer| writer);
        assert_eq!(
            address(&answer, XOR_MAPPED_ADDRESS),
            "[2001:db8::1]:5000".parse::<std::net::SocketAddr>().unwrap()
        );
        client.allocated();
        drop(client);
        eventually(|| metric(&app, "turnpike_turn_allocations") == 0.0);
    }
    app.stop().await;
}
