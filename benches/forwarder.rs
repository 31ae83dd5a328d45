//! The least that a relay can do: the floor that `benches/compare` measures servers against.
//!
//! It answers Allocate and ChannelBind to anybody, and forwards ChannelData and what peers send, with the same system
//! calls and kernel offloads as the relay: no authentication, permissions, lifetimes, limits or counts. Never put it where
//! anybody else can reach it: it is an open relay.
//!
//! `forwarder ADDRESS` serves until it is killed.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for benchmarks")]

use std::collections::HashMap;
use std::iter;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::AsFd;

use turnpike::sys::{Burst, Readiness, Ready, Receiver, Sender, UdpOptions, UdpSocket};
use turnpike::wire::attribute::{LIFETIME, XOR_MAPPED_ADDRESS, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS};
use turnpike::wire::{ChannelData, ChannelNumber, Class, Message, MessageWriter, Method};

fn main() {
    // Cargo gives benchmarks a flag of its own.
    let Some(address) = std::env::args().skip(1).find_map(|argument| argument.parse().ok()) else {
        println!("forwarder ADDRESS:PORT serves there; benches/compare runs it");
        return;
    };
    turnpike::sys::raise_open_files_limit().unwrap();
    Forwarder::new(address).run();
}

struct Forwarder {
    listener: UdpSocket,
    readiness: Readiness,
    flows: Vec<Flow>,
    by_client: HashMap<SocketAddr, usize>,
    receiver: Receiver,
    sender: Sender,
    bytes: Vec<u8>,
}

struct Flow {
    client: SocketAddr,
    relay: UdpSocket,
    peer: Option<SocketAddr>,
}

/// Datagrams of one length that go out together.
struct Row {
    to: SocketAddr,
    segment_len: usize,
    /// Where each lies.
    payloads: Vec<Range<usize>>,
}

impl Forwarder {
    fn new(address: SocketAddr) -> Self {
        let options = UdpOptions { wants_segments: true, buffer_bytes: 4 << 20, ..UdpOptions::default() };
        let listener = UdpSocket::bind(address, options).unwrap();
        let readiness = Readiness::new().unwrap();
        readiness.add(&listener, LISTENER).unwrap();
        Self {
            listener,
            readiness,
            flows: Vec::new(),
            by_client: HashMap::new(),
            receiver: Receiver::new(BATCH),
            sender: Sender::new(BATCH),
            bytes: vec![0; BATCH * BUFFER_LEN],
        }
    }

    fn run(mut self) {
        let mut ready = Vec::new();
        loop {
            self.readiness.wait(None, &mut ready).unwrap();
            for &Ready { token, .. } in &ready {
                match token {
                    LISTENER => self.serve_clients(),
                    flow => self.serve_peer(flow as usize),
                }
            }
        }
    }

    fn serve_clients(&mut self) {
        let buffers = self.bytes.chunks_exact_mut(BUFFER_LEN);
        let Ok(count) = self.receiver.receive(self.listener.as_fd(), buffers) else { return };
        for slot in 0..count {
            let Some(received) = self.receiver.received(slot) else { continue };
            let start = slot * BUFFER_LEN;
            if self.bytes[start] < 0x40 {
                self.answer(received.from, start..start + received.len);
                continue;
            }
            let Some(flow) = self.by_client.get(&received.from).map(|&flow| &self.flows[flow]) else {
                continue;
            };
            let Some(to) = flow.peer else { continue };
            let end = start + received.len;
            let payloads = (start..end).step_by(received.segment_len);
            let payloads =
                payloads.map(|at| at + ChannelData::HEADER_LEN..end.min(at + received.segment_len)).collect();
            let row = Row { to, segment_len: received.segment_len - ChannelData::HEADER_LEN, payloads };
            send(&mut self.sender, &flow.relay, &self.bytes, &[row], None);
        }
    }

    fn serve_peer(&mut self, index: usize) {
        let flow = &self.flows[index];
        let buffers = self.bytes.chunks_exact_mut(BUFFER_LEN).take(PEER_BATCH);
        let Ok(count) = self.receiver.receive(flow.relay.as_fd(), buffers) else { return };
        let rows: Vec<Row> = (0..count)
            .filter_map(|slot| {
                let received = self.receiver.received(slot)?;
                let (start, end) = (slot * BUFFER_LEN, slot * BUFFER_LEN + received.len);
                let payloads = (start..end).step_by(received.segment_len.max(1));
                let payloads = payloads.map(|at| at..end.min(at + received.segment_len)).collect();
                Some(Row { to: flow.client, segment_len: received.segment_len, payloads })
            })
            .collect();
        send(&mut self.sender, &self.listener, &self.bytes, &rows, ChannelNumber::new(CHANNEL));
    }

    /// Makes a flow, or says where it leads.
    fn answer(&mut self, client: SocketAddr, request: Range<usize>) {
        let Ok(message) = Message::parse(&self.bytes[request]) else { return };
        let mut answer = Vec::new();
        let writer =
            MessageWriter::begin(&mut answer, message.method(), Class::Success, message.transaction());
        if message.method() == Method::Allocate {
            let options =
                UdpOptions { wants_segments: true, buffer_bytes: 256 << 10, ..UdpOptions::default() };
            let address = SocketAddr::new(self.listener.local_addr().ip(), 0);
            let relay = UdpSocket::bind(address, options).unwrap();
            let index = self.flows.len();
            self.readiness.add(&relay, index as u64).unwrap();
            writer
                .address(XOR_RELAYED_ADDRESS, relay.local_addr())
                .address(XOR_MAPPED_ADDRESS, client)
                .u32(LIFETIME, 600);
            self.flows.push(Flow { client, relay, peer: None });
            self.by_client.insert(client, index);
        } else if message.method() == Method::ChannelBind {
            let flow = self.by_client.get(&client).and_then(|&index| self.flows.get_mut(index));
            let peer = message.find_address(XOR_PEER_ADDRESS).flatten();
            if let (Some(flow), Some(peer)) = (flow, peer) {
                flow.peer = Some(peer);
            }
        }
        let burst = Burst { to: client, from: None, segment_len: None, parts: iter::once(&answer[..]) };
        self.sender.send_bursts(self.listener.as_fd(), iter::once(burst), |_, failure| panic!("{failure:?}"));
    }
}

/// Sends rows, each in one piece; every datagram with a header in front if there is one.
fn send(sender: &mut Sender, socket: &UdpSocket, bytes: &[u8], rows: &[Row], channel: Option<ChannelNumber>) {
    let header_len = if channel.is_some() { ChannelData::HEADER_LEN } else { 0 };
    let header =
        |payload: &Range<usize>| channel.map(|channel| ChannelData::header(channel, payload.len() as u16));
    let headers: Vec<Vec<_>> = rows.iter().map(|row| row.payloads.iter().map(header).collect()).collect();
    let bursts = rows.iter().zip(&headers).map(|(row, headers)| Burst {
        to: row.to,
        from: None,
        segment_len: (row.payloads.len() > 1).then_some((row.segment_len + header_len) as u16),
        parts: headers.iter().zip(&row.payloads).flat_map(|(header, payload)| {
            header.as_ref().map(|header| &header[..]).into_iter().chain([&bytes[payload.clone()]])
        }),
    });
    // What the kernel does not take is lost, and counted by whoever measures.
    sender.send_bursts(socket.as_fd(), bursts, |_, _| {});
}

const LISTENER: u64 = 1 << 32;
const BATCH: usize = 64;
const PEER_BATCH: usize = 16;
const BUFFER_LEN: usize = 65_535;
/// What the load generator binds.
const CHANNEL: u16 = 0x4000;
