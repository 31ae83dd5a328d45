//! Video frames that the kernel hands over in one piece: rows of datagrams, cut and put together (UDP GRO and GSO).

use std::iter;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use turnpike::sys::{Burst, Sender};
use turnpike::wire::attribute::{DATA, XOR_PEER_ADDRESS};
use turnpike::wire::{ChannelData, ChannelNumber, Message};

use crate::stream_client::over_tcp;
use crate::support::*;

/// A frame of ten packets of 1,000 bytes but the last, which has 123; each begins with its number.
fn frame() -> Vec<Vec<u8>> {
    let len = |number| if number == 9 { 123 } else { 1000 };
    (0..10).map(|number| vec![number; len(number)]).collect()
}

/// Sends datagrams as one row that the kernel cuts, so that the receiver may get them in one piece.
fn send_together(socket: &UdpSocket, to: SocketAddr, datagrams: &[Vec<u8>]) {
    let segment_len = u16::try_from(datagrams[0].len()).unwrap();
    let parts = datagrams.iter().map(Vec::as_slice);
    let burst = Burst { to, from: None, segment_len: Some(segment_len), parts };
    Sender::new(1).send_bursts(socket.as_fd(), iter::once(burst), |_, failure| panic!("{failure:?}"));
}

fn channel_data(channel: u16, payload: &[u8]) -> Vec<u8> {
    let header = ChannelData::header(ChannelNumber::new(channel).unwrap(), payload.len() as u16);
    [&header[..], payload].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_in_one_piece_arrives_packet_by_packet() {
    let app = start(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);

    let wrapped: Vec<Vec<u8>> = frame().iter().map(|packet| channel_data(0x4000, packet)).collect();
    send_together(&client.socket, app.turn_addrs()[0], &wrapped);
    for packet in frame() {
        assert_eq!(receive(&peer), (packet, relayed));
    }
    send_together(&peer, relayed, &frame());
    for packet in wrapped {
        assert_eq!(receive(&client.socket).0, packet);
    }
    for offload in ["receive", "send"] {
        let sample = format!("turnpike_relay_offload_workers{{offload=\"{offload}\"}}");
        assert_eq!(metric(&app, &sample), 2.0, "{offload}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_of_one_piece_go_to_different_peers_and_bad_ones_nowhere() {
    let app = start(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    client.allocated();
    let peers = [socket(), socket()];
    for (channel, peer) in (0x4000..).zip(&peers) {
        assert_eq!(client.bind(channel, peer.local_addr().unwrap()), 0);
    }
    // Nobody has channel 0x4002.
    let mixed: Vec<Vec<u8>> = [0x4000, 0x4001, 0x4002, 0x4000, 0x4001]
        .iter()
        .zip(b'a'..)
        .map(|(&channel, payload)| channel_data(channel, &[payload; 50]))
        .collect();
    send_together(&client.socket, app.turn_addrs()[0], &mixed);
    for (peer, payloads) in peers.iter().zip([[b'a', b'd'], [b'b', b'e']]) {
        for payload in payloads {
            assert_eq!(receive(peer).0, [payload; 50]);
        }
    }
    eventually(|| metric(&app, "turnpike_relay_dropped_packets_total{reason=\"no_channel\"}") == 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_in_one_piece_becomes_indications_without_a_channel() {
    let app = start(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    assert_eq!(client.permit(peer.local_addr().unwrap()), 0);

    send_together(&peer, relayed, &frame());
    for packet in frame() {
        let (datagram, _) = receive(&client.socket);
        let message = Message::parse(&datagram).unwrap();
        assert_eq!(message.find_address(XOR_PEER_ADDRESS), Some(Some(peer.local_addr().unwrap())));
        assert_eq!(message.find(DATA), Some(&packet[..]));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_in_one_piece_reaches_a_client_over_tcp() {
    let app = start(&CONFIG.replace("realm =", "listen_tcp = [\"127.0.0.1:0\"]\nrealm =")).await;
    let mut client = over_tcp(app.turn_tcp_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);

    send_together(&peer, relayed, &frame());
    for packet in frame() {
        let mut padded = channel_data(0x4000, &packet);
        padded.resize(padded.len().next_multiple_of(4), 0);
        assert_eq!(client.socket.next(), padded);
    }
    app.stop().await;
}
