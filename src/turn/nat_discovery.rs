//! NAT behaviour discovery: a Binding request may have its answer sent from, or to, elsewhere (RFC 5780).

use std::net::{IpAddr, SocketAddr};

use super::five_tuple::{FiveTuple, Transport};
use super::reject::Reject;
use crate::wire::Message;
use crate::wire::attribute::{AttributeType, CHANGE_REQUEST, PADDING, RESPONSE_PORT};

/// Two addresses and two ports, on all four combinations of which the driver listens (RFC 5780 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatDiscovery {
    /// The addresses.
    pub addresses: [IpAddr; 2],
    /// The ports.
    pub ports: [u16; 2],
}

/// How a Binding request wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Discovery {
    /// The way that the answer takes.
    pub(super) way: FiveTuple,
    /// The address that an answer comes from when both address and port are to change.
    pub(super) other: SocketAddr,
    /// The bytes of padding that the answer is to have.
    pub(super) padding: Option<usize>,
}

impl NatDiscovery {
    /// The four combinations.
    pub fn listeners(&self) -> [SocketAddr; 4] {
        let [first, second] = self.addresses;
        let [low, high] = self.ports;
        [(first, low), (first, high), (second, low), (second, high)].map(SocketAddr::from)
    }

    /// Reads what a request that came this way wants; `None` if it came by none of the four addresses.
    ///
    /// Over streams nothing can come from elsewhere, so there the attributes are unknown.
    pub(super) fn read(&self, path: FiveTuple, message: &Message<'_>) -> Result<Option<Discovery>, Reject> {
        if path.transport != Transport::Udp || !self.listeners().contains(&path.server) {
            return Ok(None);
        }
        let (changes_address, changes_port) = match message.find_u32(CHANGE_REQUEST) {
            None => (false, false),
            // RFC 5780 §7.2: one bit asks for the other address, one for the other port.
            Some(Some(flags)) => (flags & 0x4 != 0, flags & 0x2 != 0),
            Some(None) => return Err(Reject::Malformed),
        };
        let padding = message.find(PADDING).map(<[u8]>::len);
        let port = match message.find(RESPONSE_PORT) {
            None => path.client.port(),
            // RFC 5780 §7.6: the two together would let others be sent long datagrams.
            Some(_) if padding.is_some() => return Err(Reject::Malformed),
            // RFC 5780 §7.5: the port, and two bytes of nothing.
            Some(&[high, low, _, _] | &[high, low]) => u16::from_be_bytes([high, low]),
            Some(_) => return Err(Reject::Malformed),
        };
        let other = self.opposite(path.server);
        let server = SocketAddr::new(
            if changes_address { other.ip() } else { path.server.ip() },
            if changes_port { other.port() } else { path.server.port() },
        );
        let client = SocketAddr::new(path.client.ip(), port);
        Ok(Some(Discovery { way: FiveTuple { client, server, ..path }, other, padding }))
    }

    /// The combination that shares neither address nor port with this one.
    fn opposite(&self, server: SocketAddr) -> SocketAddr {
        let other = |pair: [IpAddr; 2]| if pair[0] == server.ip() { pair[1] } else { pair[0] };
        let port = if self.ports[0] == server.port() { self.ports[1] } else { self.ports[0] };
        SocketAddr::new(other(self.addresses), port)
    }
}

/// The attributes that only a server with two addresses knows.
pub(super) const ATTRIBUTES: [AttributeType; 3] = [CHANGE_REQUEST, PADDING, RESPONSE_PORT];
