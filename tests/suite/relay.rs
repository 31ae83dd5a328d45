//! The relay on real sockets.

use std::net::{SocketAddr, UdpSocket};

use turnpike::wire::attribute::{
    ADDITIONAL_ADDRESS_FAMILY, DATA, EVEN_PORT, ICMP, REQUESTED_ADDRESS_FAMILY, REQUESTED_TRANSPORT,
    RESERVATION_TOKEN, XOR_MAPPED_ADDRESS, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS,
};
use turnpike::wire::{Class, Message, Method};

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn channel_data_goes_both_ways_unchanged() {
    let app = start(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);

    for payload in [&b"hello"[..], b"", &[7; 1200], &[9; 60_000]] {
        client.send_on_channel(0x4000, payload);
        assert_eq!(receive(&peer), (payload.to_vec(), relayed));
        peer.send_to(payload, relayed).unwrap();
        let (datagram, _) = receive(&client.socket);
        assert_eq!(datagram[..4], [0x40, 0, (payload.len() >> 8) as u8, payload.len() as u8]);
        assert_eq!(&datagram[4..], payload, "over UDP nothing is padded");
    }
    // The last answer was received, so it was sent and counted, or is about to be: stopping waits for that.
    let metrics = app.metrics().clone();
    app.stop().await;
    let text = metrics.exposition().unwrap();
    for direction in ["to_peer", "to_client"] {
        for sample in [
            format!("turnpike_relay_packets_total{{transport=\"udp\",direction=\"{direction}\"}} 4"),
            format!("turnpike_relay_bytes_total{{transport=\"udp\",direction=\"{direction}\"}} 61205"),
        ] {
            assert!(text.lines().any(|line| line == sample), "{sample}\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indications_go_both_ways_without_a_channel() {
    let app = start(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    let peer_addr = peer.local_addr().unwrap();
    assert_eq!(client.permit(peer_addr), 0);

    client.send_indication(peer_addr, b"hello");
    assert_eq!(receive(&peer), (b"hello".to_vec(), relayed));
    peer.send_to(b"world!", relayed).unwrap();
    let (datagram, _) = receive(&client.socket);
    let message = Message::parse(&datagram).unwrap();
    assert_eq!((message.method(), message.class()), (Method::Data, Class::Indication));
    assert_eq!(message.find_address(XOR_PEER_ADDRESS), Some(Some(peer_addr)));
    assert_eq!(message.find(DATA), Some(&b"world!"[..]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_permission_is_not_heard() {
    let app = start(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    let (friend, stranger) = (socket(), UdpSocket::bind("127.0.0.2:0").unwrap());
    assert_eq!(client.permit(friend.local_addr().unwrap()), 0);

    stranger.send_to(b"stranger", relayed).unwrap();
    friend.send_to(b"friend", relayed).unwrap();
    let (datagram, _) = receive(&client.socket);
    assert_eq!(Message::parse(&datagram).unwrap().find(DATA), Some(&b"friend"[..]));
    assert_eq!(metric(&app, "turnpike_relay_dropped_packets_total{reason=\"no_permission\"}"), 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_allocation_has_given_its_port_back_when_the_answer_arrives() {
    // An address of its own, at which no other test takes the port meanwhile.
    let config = CONFIG.replace("[turn.peers]", "relay_addresses = [\"127.0.0.77\"]\n[turn.peers]");
    let app = start(&config).await;
    for _ in 0..20 {
        let mut client = Client::new(app.turn_addrs()[0]);
        let relayed = client.allocated();
        assert!(UdpSocket::bind(relayed).is_err(), "the port is taken");
        assert_eq!(client.delete(), 0);
        UdpSocket::bind(relayed).expect("the port is free");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_port_of_the_range_is_used_and_then_it_is_508() {
    let config = CONFIG.replace("[turn.peers]", "relay_ports = \"55001-55004\"\n[turn.peers]");
    let app = start(&config).await;
    let mut clients: Vec<Client> = (0..4).map(|_| Client::new(app.turn_addrs()[0])).collect();
    let mut ports: Vec<u16> = clients.iter_mut().map(|client| client.allocated().port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [55001, 55002, 55003, 55004]);
    assert_eq!(metric(&app, "turnpike_relay_ports_free"), 0.0);

    let mut late = Client::new(app.turn_addrs()[0]);
    assert_eq!(code(&late.allocate()), 508);
    assert_eq!(clients[2].delete(), 0);
    assert_eq!(code(&late.allocate()), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_listener_answers_from_the_address_that_was_asked() {
    let app = start(&CONFIG.replace("listen = [\"127.0.0.1:0\"]", "listen = [\"0.0.0.0:0\"]")).await;
    let port = app.turn_addrs()[0].port();
    for asked in ["127.0.0.1", "127.0.0.3"] {
        let mut client = Client::new(SocketAddr::new(asked.parse().unwrap(), port));
        let answer = client.request(Method::Binding, |writer| writer);
        assert_eq!(address(&answer, XOR_MAPPED_ADDRESS), client.socket.local_addr().unwrap());
        assert_eq!(client.allocated().ip().to_string(), asked, "and relays from it");
        let peer = socket();
        assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
        client.send_on_channel(0x4000, b"x");
        let (_, relayed) = receive(&peer);
        peer.send_to(b"y", relayed).unwrap();
        assert_eq!(receive(&client.socket).1.ip().to_string(), asked);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dtls_client_is_not_answered() {
    let app = start(CONFIG).await;
    let server = app.turn_addrs()[0];
    // A record with a ClientHello of DTLS 1.2 that offers one cipher suite.
    let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54];
    hello.extend([1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 254, 253]);
    hello.extend([7; 32]);
    hello.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let mut client = Client::new(server);
    client.socket.send_to(&hello, server).unwrap();
    let answer = client.request(Method::Binding, |writer| writer);
    assert_eq!(address(&answer, XOR_MAPPED_ADDRESS), client.socket.local_addr().unwrap());
    eventually(|| metric(&app, "turnpike_relay_dropped_packets_total{reason=\"malformed\"}") == 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_listeners_are_no_peers_even_if_everything_is_allowed() {
    let app = start(&CONFIG.replace("127.0.0.0/8", "0.0.0.0/0")).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    client.allocated();
    let own = [app.turn_addrs()[0], app.turn_tcp_addrs()[0], app.gateway_addr(), app.admin_addr()];
    for (channel, own) in (0x4000..).zip(own) {
        assert_eq!(client.bind(channel, own), 403, "{own}");
    }
    assert_eq!(client.bind(0x4100, socket().local_addr().unwrap()), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relayed_addresses_reach_each_other() {
    let app = start(CONFIG).await;
    let (mut alice, mut bob) = (Client::new(app.turn_addrs()[0]), Client::new(app.turn_addrs()[0]));
    let (at_alice, at_bob) = (alice.allocated(), bob.allocated());
    assert_eq!((alice.bind(0x4000, at_bob), bob.bind(0x4000, at_alice)), (0, 0));
    alice.send_on_channel(0x4000, b"from relay to relay");
    assert_eq!(&receive(&bob.socket).0[4..], b"from relay to relay");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_arrives_whole_and_in_order() {
    let app = start(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
    // Fifty, since the sockets of this test have buffers of the usual size.
    for number in 0..50 {
        client.send_on_channel(0x4000, &[number; 900]);
    }
    for number in 0..50 {
        assert_eq!(receive(&peer).0, [number; 900]);
        peer.send_to(&[number; 900], relayed).unwrap();
    }
    for number in 0..50 {
        assert_eq!(&receive(&client.socket).0[4..], [number; 900]);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_client_gets_an_ipv6_address() {
    let config = CONFIG
        .replace("listen = [\"127.0.0.1:0\"]", "listen = [\"[::1]:0\"]")
        .replace("\"127.0.0.0/8\"", "\"::1/128\"");
    let app = start(&config).await;
    let mut client = Client::on(socket_at("[::1]:0"), app.turn_addrs()[0]);
    let peer = socket_at("[::1]:0");
    let refused = client.allocate();
    assert_eq!(code(&refused), 440, "IPv4 is the default (RFC 8656 §7.2), and there is no IPv4 address");
    let answer = client.request(Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0])
    });
    let relayed = address(&answer, XOR_RELAYED_ADDRESS);
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
    client.send_on_channel(0x4000, b"six");
    assert_eq!(receive(&peer), (b"six".to_vec(), relayed));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dual_allocation_relays_in_both_families() {
    let config = CONFIG
        .replace("[turn.peers]", "relay_addresses = [\"127.0.0.1\", \"::1\"]\n[turn.peers]")
        .replace("[\"127.0.0.0/8\"]", "[\"127.0.0.0/8\", \"::1/128\"]");
    let app = start(&config).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let answer = client.request(Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(ADDITIONAL_ADDRESS_FAMILY, &[2, 0, 0, 0])
    });
    let relayed: Vec<SocketAddr> =
        Message::parse(&answer).unwrap().addresses(XOR_RELAYED_ADDRESS).map(Option::unwrap).collect();
    assert_eq!(relayed.iter().map(SocketAddr::is_ipv4).collect::<Vec<_>>(), [true, false]);
    for (channel, peer, relayed) in
        [(0x4000, socket(), relayed[0]), (0x4001, socket_at("[::1]:0"), relayed[1])]
    {
        assert_eq!(client.bind(channel, peer.local_addr().unwrap()), 0);
        client.send_on_channel(channel, b"there");
        assert_eq!(receive(&peer), (b"there".to_vec(), relayed));
        peer.send_to(b"back", relayed).unwrap();
        assert_eq!(&receive(&client.socket).0[4..], b"back");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_reserved_by_one_allocation_and_claimed_by_another() {
    let app = start(CONFIG).await;
    // Several clients, so that the kernel spreads them over both workers.
    let mut clients: Vec<Client> = (0..8).map(|_| Client::new(app.turn_addrs()[0])).collect();
    let (first, rest) = clients.split_first_mut().unwrap();
    for other in rest {
        let answer = first.request(Method::Allocate, |writer| {
            writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(EVEN_PORT, &[0x80])
        });
        let rtp = address(&answer, XOR_RELAYED_ADDRESS);
        let token = Message::parse(&answer).unwrap().find(RESERVATION_TOKEN).unwrap();
        let next = SocketAddr::new(rtp.ip(), rtp.port() + 1);
        assert!(UdpSocket::bind(next).is_err(), "no other process can take it meanwhile");
        let answer = other.request(Method::Allocate, |writer| {
            writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(RESERVATION_TOKEN, token)
        });
        let rtcp = address(&answer, XOR_RELAYED_ADDRESS);
        assert_eq!((rtp.port() % 2, rtcp), (0, next));
        assert_eq!((first.delete(), other.delete()), (0, 0));
    }
    assert_eq!(metric(&app, "turnpike_relay_ports"), metric(&app, "turnpike_relay_ports_free"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_ends_with_the_allocation_that_made_it() {
    let app = start(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let answer = client.request(Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(EVEN_PORT, &[0x80])
    });
    let token = Message::parse(&answer).unwrap().find(RESERVATION_TOKEN).unwrap();
    assert_eq!(client.delete(), 0);
    let late = client.request(Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(RESERVATION_TOKEN, token)
    });
    assert_eq!(code(&late), 508);
    app.stop().await;
}

// RFC 8656 §11.5
#[tokio::test(flavor = "multi_thread")]
async fn the_client_learns_by_icmp_that_nobody_listens() {
    let app = start(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    let closed = socket().local_addr().unwrap();
    let peer = socket();
    let peer_addr = peer.local_addr().unwrap();
    assert_eq!(client.permit(closed), 0);

    client.send_indication(closed, b"anybody?");
    let (datagram, _) = receive(&client.socket);
    let message = Message::parse(&datagram).unwrap();
    assert_eq!((message.method(), message.class()), (Method::Data, Class::Indication));
    assert_eq!(message.find_address(XOR_PEER_ADDRESS), Some(Some(closed)));
    assert_eq!(message.find(ICMP), Some(&[0, 0, 6, 3, 0, 0, 0, 0][..]), "type 3, code 3");

    // The error of one peer must not cost another peer's data.
    for number in 0..20_u8 {
        client.send_indication(closed, b"anybody?");
        client.send_indication(peer_addr, &[number]);
        assert_eq!(receive(&peer), (vec![number], relayed));
    }
    app.stop().await;
}

// RFC 8656 §14
#[tokio::test(flavor = "multi_thread")]
async fn data_that_must_not_be_cut_arrives_whole() {
    let app = start(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    assert_eq!(client.permit(peer.local_addr().unwrap()), 0);
    client.send_indication_whole(peer.local_addr().unwrap(), b"whole");
    assert_eq!(receive(&peer), (b"whole".to_vec(), relayed));
    client.send_indication(peer.local_addr().unwrap(), b"as you like");
    assert_eq!(receive(&peer), (b"as you like".to_vec(), relayed));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_address_is_announced() {
    let config = CONFIG.replace("[turn.peers]", "external_ip = [\"203.0.113.9/127.0.0.1\"]\n[turn.peers]");
    let app = start(&config).await;
    let relayed = Client::new(app.turn_addrs()[0]).allocated();
    assert_eq!(relayed.ip().to_string(), "203.0.113.9");
    app.stop().await;
}
