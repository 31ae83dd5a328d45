//! `Flow`: an allocation, and the packets that its client and its peer send.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use super::control::Control;
use super::error::BenchError;
use super::link::Link;
use super::stamp::Stamp;
use crate::sys::{Burst, Datagram, Sender, UdpSocket};
use crate::wire::attribute::{DATA, XOR_PEER_ADDRESS};
use crate::wire::{
    ChannelData, ChannelNumber, Class, Message, MessageWriter, Method, Protocol, TransactionId, classify,
};

/// One client with its allocation.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) control: Control,
    pub(super) relayed: SocketAddr,
    /// The place of its peer among the sockets of the thread.
    pub(super) peer: usize,
    packet: Packet,
}

/// What a client sends, but for the stamp.
#[derive(Debug)]
pub(super) struct Packet {
    bytes: Vec<u8>,
    /// Where its payload begins.
    payload: usize,
}

/// Packets of one flow that leave together.
#[derive(Debug, Default)]
pub(super) struct Frame {
    bytes: Vec<u8>,
    packet_len: usize,
}

impl Flow {
    /// Has a client's allocation lead to a peer.
    pub(super) fn join(
        mut control: Control,
        relayed: SocketAddr,
        (peer, peer_address): (usize, SocketAddr),
        uses_indications: bool,
        payload_bytes: usize,
    ) -> Result<Self, BenchError> {
        let packet = if uses_indications {
            control.permit(peer_address)?;
            Packet::indication(peer_address, payload_bytes)
        } else {
            control.bind(CHANNEL, peer_address)?;
            Packet::channel_data(payload_bytes, !control.link.is_lossy())
        };
        Ok(Self { control, relayed, peer, packet })
    }

    /// Sends a frame from the client; returns how many of its packets did not leave.
    pub(super) fn send_from_client(
        &mut self,
        server: SocketAddr,
        stamp: &Stamp,
        count: usize,
        outlet: &mut Outlet,
    ) -> io::Result<u64> {
        let Outlet { frame, sender, is_segmented } = outlet;
        frame.fill(&self.packet, stamp, count);
        match &mut self.control.link {
            Link::Datagrams(socket) => Ok(frame.send(socket, server, *is_segmented, sender)),
            Link::Stream(stream) => Ok(if stream.send(&frame.bytes)? { 0 } else { count as u64 }),
        }
    }
}

/// What frames are sent with.
pub(super) struct Outlet {
    pub(super) frame: Frame,
    pub(super) sender: Sender,
    pub(super) is_segmented: bool,
}

impl Packet {
    fn channel_data(payload_bytes: usize, is_padded: bool) -> Self {
        let channel = ChannelNumber::new(CHANNEL).expect("the first channel is one");
        let mut bytes = ChannelData::header(channel, payload_bytes as u16).to_vec();
        bytes.resize(ChannelData::HEADER_LEN + payload_bytes, 0);
        if is_padded {
            // RFC 8656 §12.5: over streams.
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        Self { bytes, payload: ChannelData::HEADER_LEN }
    }

    fn indication(peer: SocketAddr, payload_bytes: usize) -> Self {
        let mut bytes = Vec::new();
        MessageWriter::begin(&mut bytes, Method::Send, Class::Indication, TransactionId(*b"turnpikebnch"))
            .address(XOR_PEER_ADDRESS, peer)
            .bytes(DATA, &vec![0; payload_bytes]);
        let payload = bytes.len() - payload_bytes.next_multiple_of(4);
        Self { bytes, payload }
    }

    /// What a peer sends.
    pub(super) fn bare(payload_bytes: usize) -> Self {
        Self { bytes: vec![0; payload_bytes], payload: 0 }
    }
}

impl Frame {
    pub(super) fn fill(&mut self, packet: &Packet, stamp: &Stamp, count: usize) {
        self.packet_len = packet.bytes.len();
        self.bytes.clear();
        for _ in 0..count {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&packet.bytes);
            stamp.write(&mut self.bytes[start + packet.payload..]);
        }
    }

    /// Sends the packets as datagrams; returns how many did not leave.
    pub(super) fn send(
        &self,
        socket: &UdpSocket,
        to: SocketAddr,
        is_segmented: bool,
        sender: &mut Sender,
    ) -> u64 {
        let mut held_back = 0;
        let count = (self.bytes.len() / self.packet_len) as u64;
        if is_segmented && count > 1 {
            let segment_len = Some(self.packet_len as u16);
            let burst = Burst { to, from: None, segment_len, parts: std::iter::once(&self.bytes[..]) };
            sender.send_bursts(socket.as_fd(), std::iter::once(burst), |_, _| held_back = count);
        } else {
            let packets = self.bytes.chunks_exact(self.packet_len);
            let datagrams = packets.map(|bytes| Datagram { to, from: None, bytes });
            sender.send(socket.as_fd(), datagrams, |_, _| held_back += 1);
        }
        held_back
    }
}

/// The payload of what a server sends a client.
pub(super) fn payload_of(message: &[u8]) -> Option<&[u8]> {
    match classify(message) {
        Protocol::ChannelData => ChannelData::parse(message).map(|data| data.payload),
        Protocol::Stun => Message::parse(message).ok()?.find(DATA),
        Protocol::Unknown => None,
    }
}

/// Each allocation has channels of its own, so all flows use the same number.
const CHANNEL: u16 = 0x4000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn packets_of_every_kind_carry_their_stamp() {
        let peer = "192.0.2.1:5000".parse().unwrap();
        let stamp = Stamp { run: 1, flow: 2, sent: Duration::from_secs(3) };
        for len in [24, 25, 26, 27, 1200] {
            for (packet, is_wrapped, pads) in [
                (Packet::channel_data(len, false), true, false),
                (Packet::channel_data(len, true), true, true),
                (Packet::indication(peer, len), true, true),
                (Packet::bare(len), false, false),
            ] {
                let mut frame = Frame::default();
                frame.fill(&packet, &stamp, 3);
                assert_eq!(frame.bytes.len(), 3 * frame.packet_len);
                assert!(!pads || frame.packet_len.is_multiple_of(4));
                for bytes in frame.bytes.chunks_exact(frame.packet_len) {
                    let payload = if is_wrapped { payload_of(bytes).unwrap() } else { bytes };
                    assert_eq!((payload.len(), Stamp::read(payload)), (len, Some(stamp)));
                }
            }
        }
    }
}
