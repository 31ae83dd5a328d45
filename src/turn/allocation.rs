//! `Allocation`: one client's relayed address, with the peers that may use it (RFC 8656 §3.2).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::auth::Authenticated;
use super::channel::Channels;
use super::five_tuple::FiveTuple;
use super::permission::Permissions;
use crate::wire::{AddressFamily, ChannelNumber, TransactionId};

/// One allocation.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) five_tuple: FiveTuple,
    /// The address that peers reach.
    pub(super) relayed: SocketAddr,
    /// Who made it; nobody else may use it.
    pub(super) user: Authenticated,
    /// When it ends unless it is refreshed.
    pub(super) until: Instant,
    /// The request that made it and the lifetime that it was given, to answer a retransmission alike.
    pub(super) made_by: (TransactionId, Duration),
    pub(super) permissions: Permissions,
    pub(super) channels: Channels,
    /// Whether a channel keeps the permission of its peer.
    pub(super) permission_follows_channel: bool,
}

/// What changed for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RouteChange {
    Open(ChannelNumber, SocketAddr),
    Close(ChannelNumber),
}

impl Allocation {
    /// The family of the relayed address, and so of every peer (RFC 8656 §9, §12).
    pub(super) fn family(&self) -> AddressFamily {
        AddressFamily::of(self.relayed.ip())
    }

    /// Whether data may pass between the client and this address.
    pub(super) fn permits(&self, peer: IpAddr, now: Instant) -> bool {
        self.permissions.is_permitted(peer, now)
            || (self.permission_follows_channel && self.channels.lead_to(peer, now))
    }

    /// Brings the routes in line with bindings and permissions, telling `change` what became different.
    pub(super) fn update_routes(&mut self, now: Instant, mut change: impl FnMut(RouteChange)) {
        for channel in self.channels.iter_mut() {
            let is_permitted =
                self.permission_follows_channel || self.permissions.is_permitted(channel.peer.ip(), now);
            let should_route = channel.until > now && is_permitted;
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
        routes.fold(self.until, Instant::min)
    }
}
