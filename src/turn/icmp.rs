//! ICMP errors about what a client sent, passed on to it (RFC 8656 §11.5).

use std::net::SocketAddr;

use super::five_tuple::{AllocationId, Now};
use super::output::{DropReason, Output};
use super::server::Server;
use crate::wire::attribute::{ICMP, XOR_PEER_ADDRESS};
use crate::wire::{AddressFamily, Class, MessageWriter, Method};

/// An ICMP message about a datagram that a relay socket sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp {
    /// Its type, of ICMP or ICMPv6 as the peer's family is.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// What it tells besides: the MTU of the next hop, or zero.
    pub data: u32,
}

impl Server {
    /// Takes an ICMP error about a datagram that was sent to `peer`.
    pub fn handle_icmp(&mut self, now: Now, allocation: AllocationId, peer: SocketAddr, icmp: Icmp) {
        self.begin_input();
        if !icmp.is_relayed(AddressFamily::of(peer.ip())) {
            return self.drop_input(DropReason::Malformed);
        }
        let to = match self.client_for(now, allocation, peer) {
            Ok(to) => to,
            Err(reason) => return self.drop_input(reason),
        };
        let transaction = self.new_transaction();
        let start = self.scratch.len();
        MessageWriter::begin(&mut self.scratch, Method::Data, Class::Indication, transaction)
            .address(XOR_PEER_ADDRESS, peer)
            .bytes(ICMP, &icmp.encode());
        let message = start..self.scratch.len();
        self.outputs.push_back(Output::Notify { to, message });
    }
}

impl Icmp {
    /// RFC 8656 §11.5: of ICMP "destination unreachable" and "time exceeded"; of ICMPv6 those and "packet too big".
    fn is_relayed(self, family: AddressFamily) -> bool {
        match family {
            AddressFamily::Ipv4 => matches!(self.kind, 3 | 11),
            AddressFamily::Ipv6 => matches!(self.kind, 1..=3),
        }
    }

    /// RFC 8656 §18.13: sixteen reserved bits, seven of type, nine of code, and the data.
    fn encode(self) -> [u8; 8] {
        let [high, low] = (u16::from(self.kind) << 9 | u16::from(self.code)).to_be_bytes();
        let [d0, d1, d2, d3] = self.data.to_be_bytes();
        [0, 0, high, low, d0, d1, d2, d3]
    }
}
