//! turn-client-proto as a judge: a client that knows SHA-256 and hidden user names of RFC 8489.

use std::net::{SocketAddr, UdpSocket};

use turn_client_proto::api::{TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet};
use turn_client_proto::prelude::TurnClientApi;
use turn_client_proto::stun::Instant;
use turn_client_proto::stun::agent::Transmit;
use turn_client_proto::stun::auth::Feature;
use turn_client_proto::types::stun::message::IntegrityAlgorithm::{self, Sha1, Sha256};
use turn_client_proto::types::{TransportType, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn it_relays_with_each_algorithm_it_knows() {
    let app = start(CONFIG).await;
    for algorithms in [&[Sha256][..], &[Sha1], &[Sha1, Sha256]] {
        Judge::new(app.turn_addrs()[0], "wonderland", algorithms, Feature::Auto).relays();
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_relays_where_md5_alone_is_accepted() {
    let app = start(&CONFIG.replace("workers = 2", "password_algorithms = [\"md5\"]")).await;
    Judge::new(app.turn_addrs()[0], "wonderland", &[Sha1], Feature::Auto).relays();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_relays_under_a_hidden_name() {
    let app = start(&CONFIG.replace("workers = 2", "hide_usernames = true")).await;
    for algorithm in [Sha256, Sha1] {
        Judge::new(app.turn_addrs()[0], "wonderland", &[algorithm], Feature::Required).relays();
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_refused_with_a_wrong_password() {
    let app = start(CONFIG).await;
    for algorithm in [Sha256, Sha1] {
        let mut judge = Judge::new(app.turn_addrs()[0], "looking-glass", &[algorithm], Feature::Auto);
        while !judge.is_closed() {
            judge.receive();
        }
        assert!(judge.client.poll_event().is_none(), "it gives up");
    }
    assert_eq!(metric(&app, "turnpike_turn_allocations_created_total"), 0.0);
    app.stop().await;
}

/// The client, its socket, and its clock, which jumps to whatever it waits for when it has nothing to send.
struct Judge {
    client: TurnClientUdp,
    socket: UdpSocket,
    now: Instant,
}

impl Judge {
    fn new(server: SocketAddr, password: &str, algorithms: &[IntegrityAlgorithm], hidden: Feature) -> Self {
        let socket = socket();
        let mut config = TurnConfig::new(TurnCredentials::new("alice", password));
        config.set_supported_integrity(algorithms[0]);
        for algorithm in algorithms {
            config.add_supported_integrity(*algorithm);
        }
        config.set_anonymous_username(hidden);
        let client = TurnClientUdp::allocate(socket.local_addr().unwrap(), server, config);
        Self { client, socket, now: Instant::ZERO }
    }

    /// Allocates, binds a channel, sends and receives, and ends.
    fn relays(mut self) {
        let TurnEvent::AllocationCreated(_, relayed) = self.event() else { panic!("no allocation") };
        let peer = socket();
        let peer_addr = peer.local_addr().unwrap();
        self.client.bind_channel(TransportType::Udp, peer_addr, self.now).unwrap();
        assert!(matches!(self.event(), TurnEvent::PermissionCreated(..)));
        assert!(matches!(self.event(), TurnEvent::ChannelCreated(_, bound) if bound == peer_addr));

        let sent = self.client.send_to(TransportType::Udp, peer_addr, b"to the peer", self.now).unwrap();
        let sent = sent.expect("something to send").build();
        self.socket.send_to(&sent.data, sent.to).unwrap();
        assert_eq!(receive(&peer), (b"to the peer".to_vec(), relayed));
        peer.send_to(b"to the client", relayed).unwrap();
        let TurnRecvRet::PeerData(data) = self.receive() else { panic!("no data from the peer") };
        assert_eq!((data.data(), data.peer), (&b"to the client"[..], peer_addr));

        self.client.delete(self.now).unwrap();
        while !self.is_closed() {
            self.receive();
        }
    }

    /// What happens next.
    fn event(&mut self) -> TurnEvent {
        loop {
            if let Some(event) = self.client.poll_event() {
                return event;
            }
            assert!(!self.is_closed(), "it gave up");
            if let Some(event) = self.client.poll_event() {
                return event;
            }
            self.receive();
        }
    }

    /// Sends what is to be sent, waiting for it if need be; true if there will be nothing any more.
    fn is_closed(&mut self) -> bool {
        loop {
            let next = self.client.poll(self.now);
            let mut has_sent = false;
            while let Some(transmit) = self.client.poll_transmit(self.now) {
                self.socket.send_to(&transmit.data, transmit.to).unwrap();
                has_sent = true;
            }
            match next {
                TurnPollRet::WaitUntil(time) if !has_sent => self.now = time,
                TurnPollRet::Closed => return true,
                TurnPollRet::WaitUntil(_)
                | TurnPollRet::AllocateTcpSocket { .. }
                | TurnPollRet::TcpClose { .. } => return false,
            }
        }
    }

    fn receive(&mut self) -> TurnRecvRet<Vec<u8>> {
        let (datagram, from) = receive(&self.socket);
        let to = self.socket.local_addr().unwrap();
        self.client.recv(Transmit::new(datagram, TransportType::Udp, from, to), self.now)
    }
}
