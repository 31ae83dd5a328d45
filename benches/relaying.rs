//! The processor time that one worker spends for a relayed packet, kernel included, over loopback.
//!
//! `cargo bench --bench relaying` prints it for both directions, for packets that come one by one and for video frames of
//! eight packets of 1,200 bytes, which the kernel may hand over in one piece. Loopback charges the sender for the
//! receiver's side too, so absolute figures are high; what counts is how they compare.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark reports to its user")]

mod one_worker;

use std::iter;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use turnpike::sys::{Burst, Sender};
use turnpike::wire::attribute::{
    CHANNEL_NUMBER, NONCE, REALM, REQUESTED_TRANSPORT, USERNAME, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS,
};
use turnpike::wire::{ChannelData, ChannelNumber, Class, Key, Message, MessageWriter, Method, TransactionId};

use one_worker::{start, worker_cpu};

fn main() {
    turnpike::sys::raise_open_files_limit().unwrap();
    let relay = start();
    let flows: Vec<Flow> = (0..FLOWS).map(|_| Flow::new(relay.local_addrs()[0])).collect();
    let flows = &flows;
    for (name, payload_len, row) in [
        ("160 bytes, one by one", 160, 1),
        ("1,200 bytes, one by one", 1200, 1),
        ("1,200 bytes, frames of 8", 1200, 8),
    ] {
        report(
            name,
            "to peer",
            |count| send(flows, row, count, |flow| flow.to_peer(payload_len)),
            Flow::at_peer,
            flows,
        );
        report(
            name,
            "to client",
            |count| send(flows, row, count, |flow| flow.to_client(payload_len)),
            Flow::at_client,
            flows,
        );
    }
    relay.stop();
}

/// Where a packet is sent from and to, and its bytes.
type Packet<'f> = (&'f UdpSocket, SocketAddr, Vec<u8>);

fn report(
    name: &str,
    direction: &str,
    send: impl Fn(usize),
    receiver: impl Fn(&Flow) -> &UdpSocket,
    flows: &[Flow],
) {
    let receive = |expected: usize| -> usize {
        let mut buffer = [0; 2048];
        flows
            .iter()
            .map(|flow| (0..expected).take_while(|_| receiver(flow).recv(&mut buffer).is_ok()).count())
            .sum()
    };
    let each = 64;
    send(each);
    receive(each);
    let mut arrived = 0;
    let before = worker_cpu();
    for _ in 0..ROUNDS {
        send(each);
        arrived += receive(each);
    }
    let nanoseconds = (worker_cpu() - before).as_nanos() as usize / arrived.max(1);
    let lost = ROUNDS * each * FLOWS - arrived;
    println!("{name}, {direction}: {nanoseconds} ns of one core per packet, {lost} lost");
}

/// Sends `count` packets of each flow, in rows that the kernel cuts.
fn send<'f>(flows: &'f [Flow], row: usize, count: usize, packet: impl Fn(&'f Flow) -> Packet<'f>) {
    let mut sender = Sender::new(1);
    for flow in flows {
        let (socket, to, bytes) = packet(flow);
        for _ in 0..count / row {
            let segment_len = (row > 1).then_some(bytes.len() as u16);
            let burst = Burst { to, from: None, segment_len, parts: iter::repeat_n(&bytes[..], row) };
            sender.send_bursts(socket.as_fd(), iter::once(burst), |_, failure| panic!("{failure:?}"));
        }
    }
}

/// A client with an allocation and a channel to a peer.
struct Flow {
    client: UdpSocket,
    peer: UdpSocket,
    server: SocketAddr,
    relayed: SocketAddr,
}

impl Flow {
    fn new(server: SocketAddr) -> Self {
        let [client, peer] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        for socket in [&client, &peer] {
            socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        }
        let mut flow = Self { client, peer, server, relayed: server };
        let challenge = flow.ask(Method::Allocate, None, |writer| writer);
        let nonce = Message::parse(&challenge).unwrap().find(NONCE).unwrap();
        let answer = flow
            .ask(Method::Allocate, Some(nonce), |writer| writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]));
        flow.relayed = Message::parse(&answer).unwrap().find_address(XOR_RELAYED_ADDRESS).unwrap().unwrap();
        let peer = flow.peer.local_addr().unwrap();
        let answer = flow.ask(Method::ChannelBind, Some(nonce), |writer| {
            writer.bytes(CHANNEL_NUMBER, &[0x40, 0, 0, 0]).address(XOR_PEER_ADDRESS, peer)
        });
        assert_eq!(Message::parse(&answer).unwrap().class(), Class::Success);
        flow
    }

    fn at_peer(&self) -> &UdpSocket {
        &self.peer
    }

    fn at_client(&self) -> &UdpSocket {
        &self.client
    }

    fn to_peer(&self, payload_len: usize) -> Packet<'_> {
        let header = ChannelData::header(ChannelNumber::new(0x4000).unwrap(), payload_len as u16);
        (&self.client, self.server, [&header[..], &vec![0; payload_len]].concat())
    }

    fn to_client(&self, payload_len: usize) -> Packet<'_> {
        (&self.peer, self.relayed, vec![0; payload_len])
    }

    fn ask(
        &self,
        method: Method,
        nonce: Option<&[u8]>,
        write: impl Fn(MessageWriter<'_>) -> MessageWriter<'_>,
    ) -> Vec<u8> {
        let mut request = Vec::new();
        let writer =
            write(MessageWriter::begin(&mut request, method, Class::Request, TransactionId([1; 12])));
        if let Some(nonce) = nonce {
            let key = Key::long_term(b"alice", "turnpike", "wonderland");
            writer.bytes(USERNAME, b"alice").bytes(REALM, b"turnpike").bytes(NONCE, nonce).sign(&key);
        }
        self.client.send_to(&request, self.server).unwrap();
        let mut answer = vec![0; 512];
        let len = self.client.recv(&mut answer).expect("an answer");
        answer.truncate(len);
        answer
    }
}

/// As many as a small server has at once.
const FLOWS: usize = 50;
/// 64 packets of each flow make one round, which fits the receivers' buffers.
const ROUNDS: usize = 100;
