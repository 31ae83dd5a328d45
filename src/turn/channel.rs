//! `Channels`: a number for each peer and back (RFC 8656 §12).

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::wire::ChannelNumber;

/// The channels of one allocation; few, so a list is searched faster than a map.
#[derive(Debug, Default)]
pub(super) struct Channels(Vec<Channel>);

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) number: ChannelNumber,
    pub(super) peer: SocketAddr,
    /// When the binding ends.
    pub(super) until: Instant,
    /// Until when the number and the peer can be bound to each other only.
    ///
    /// RFC 8656 §12: a datagram of the old binding may still be on its way, and must not reach another peer.
    pub(super) reserved_until: Instant,
    /// Whether the driver was told to relay for it.
    pub(super) is_routed: bool,
}

/// Why a channel cannot be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BindRefusal {
    /// The number is bound to another peer, or the peer to another number.
    Conflict,
    /// The allocation has as many channels as it may.
    Full,
}

impl Channels {
    /// Whether this binding can be made or prolonged.
    pub(super) fn check(
        &mut self,
        number: ChannelNumber,
        peer: SocketAddr,
        now: Instant,
        limit: usize,
    ) -> Result<(), BindRefusal> {
        self.0.retain(|channel| channel.reserved_until > now);
        match self.0.iter().find(|channel| channel.number == number || channel.peer == peer) {
            Some(channel) if channel.number == number && channel.peer == peer => Ok(()),
            Some(_) => Err(BindRefusal::Conflict),
            None if self.0.len() >= limit => Err(BindRefusal::Full),
            None => Ok(()),
        }
    }

    /// Makes or prolongs a binding that was checked.
    pub(super) fn bind(
        &mut self,
        number: ChannelNumber,
        peer: SocketAddr,
        until: Instant,
        reserved_until: Instant,
    ) {
        match self.0.iter_mut().find(|channel| channel.number == number) {
            Some(channel) => (channel.until, channel.reserved_until) = (until, reserved_until),
            None => self.0.push(Channel { number, peer, until, reserved_until, is_routed: false }),
        }
    }

    /// Whether some channel leads to this address.
    pub(super) fn lead_to(&self, peer: IpAddr, now: Instant) -> bool {
        self.0.iter().any(|channel| channel.peer.ip() == peer && channel.until > now)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.0.iter_mut()
    }
}
