//! `Allocation`: one client's relayed address, with the peers that may use it (RFC 8656 §3.2).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::auth::User;
use super::channel::Channels;
use super::five_tuple::FiveTuple;
use super::mobility::Mobility;
use super::output::RelayRefusal;
use super::peer_connection::PeerConnections;
use super::peer_policy::PeerPolicy;
use super::per_family::PerFamily;
use super::permission::Permissions;
use super::reach::Reach;
use super::relay_wish::{RelayTransport, ReservationToken};
use crate::wire::{AddressFamily, ChannelNumber, TransactionId};

/// One allocation.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) five_tuple: FiveTuple,
    /// When each of its relayed addresses ends unless it is refreshed; with the last one the allocation ends.
    pub(super) until: PerFamily<Option<Instant>>,
    /// Who made it; nobody else may use it.
    pub(super) user: User,
    /// Which peers it may have, as far as the policy allows them.
    pub(super) reach: Reach,
    /// When it ends unless a session claims it before.
    pub(super) unclaimed_until: Option<Instant>,
    /// What its client was told, to answer a retransmission alike.
    pub(super) granted: Granted,
    pub(super) transport: RelayTransport,
    pub(super) permissions: Permissions,
    pub(super) channels: Channels,
    /// None unless peers are reached over TCP.
    pub(super) connections: PeerConnections,
    /// How it may follow its client elsewhere, if the client asked for that; boxed, as few ask.
    pub(super) mobility: Option<Box<Mobility>>,
    /// Whether a channel keeps the permission of its peer.
    pub(super) permission_follows_channel: bool,
}

/// The answer to the request that made an allocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted {
    pub(super) transaction: TransactionId,
    pub(super) lifetime: Duration,
    pub(super) relayed: PerFamily<Option<SocketAddr>>,
    pub(super) missing: Option<(AddressFamily, RelayRefusal)>,
    pub(super) reservation: Option<ReservationToken>,
}

/// What changed for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RouteChange {
    Open(ChannelNumber, SocketAddr),
    Close(ChannelNumber),
}

impl Allocation {
    /// The 5-tuples that its client may use: two while it moves.
    pub(super) fn paths(&self) -> impl Iterator<Item = &FiveTuple> {
        let previous = self.mobility.as_ref().and_then(|mobility| mobility.previous.as_ref());
        std::iter::once(&self.five_tuple).chain(previous)
    }

    /// Whether it has a relayed address of this peer's family, without which there is no way to it (RFC 8656 §9, §12).
    pub(super) fn has_family_of(&self, peer: IpAddr) -> bool {
        self.until.get(AddressFamily::of(peer)).is_some()
    }

    /// Whether data may pass between the client and this address.
    pub(super) fn permits(&self, peer: IpAddr, now: Instant) -> bool {
        // Deviation from RFC 8656 §9: a permission holds as long as a channel to its address is bound, unless a setting
        // asks for the rule. Clients that renew only their channels (aioice does, every 500 s) would lose their media
        // after 300 s.
        self.permissions.is_permitted(peer, now)
            || (self.permission_follows_channel && self.channels.lead_to(peer, now))
    }

    /// Ends the permissions and bindings of peers that may not be reached any more.
    pub(super) fn end_forbidden(&mut self, policy: &PeerPolicy, now: Instant) {
        let reach = &self.reach;
        self.permissions.keep(|peer| reach.covers_some_port(policy, peer));
        for channel in self.channels.iter_mut().filter(|channel| !reach.covers(policy, channel.peer)) {
            channel.until = channel.until.min(now);
        }
    }

    /// Brings the routes in line with bindings and permissions, telling `change` what became different.
    pub(super) fn update_routes(&mut self, now: Instant, mut change: impl FnMut(RouteChange)) {
        for channel in self.channels.iter_mut() {
            let has_relay = self.until.get(AddressFamily::of(channel.peer.ip())).is_some();
            let is_permitted =
                self.permission_follows_channel || self.permissions.is_permitted(channel.peer.ip(), now);
            let should_route = has_relay && is_permitted && channel.until > now;
            if should_route != channel.is_routed {
                channel.is_routed = should_route;
                change(match should_route {
                    true => RouteChange::Open(channel.number, channel.peer),
                    false => RouteChange::Close(channel.number),
                });
            }
        }
    }

    /// The next moment at which something of it ends.
    pub(super) fn deadline(&self) -> Instant {
        let routes = self.channels.iter().filter(|channel| channel.is_routed).map(|channel| {
            match self.permissions.until(channel.peer.ip()) {
                Some(permitted_until) if !self.permission_follows_channel => {
                    channel.until.min(permitted_until)
                }
                _ => channel.until,
            }
        });
        let connections = self.connections.deadlines();
        self.until
            .iter()
            .copied()
            .chain(self.unclaimed_until)
            .chain(routes)
            .chain(connections)
            .min()
            .expect("an allocation has an address")
    }
}
