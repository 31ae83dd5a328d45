//! Allocate: gives a client a relayed address, or one of each family (RFC 8656 §7.2).

use std::net::SocketAddr;
use std::time::Duration;

use super::allocation::{Allocation, Granted};
use super::auth::User;
use super::channel::Channels;
use super::five_tuple::{AllocationId, Now};
use super::output::{OpenRelay, OpenedRelay, Output, RelayRefusal};
use super::peer_connection::PeerConnections;
use super::permission::Permissions;
use super::reject::Reject;
use super::relay_wish::{RelayTransport, RelayWish};
use super::server::{Reply, Request, Server};
use super::settings::Settings;
use crate::wire::Message;
use crate::wire::attribute::{
    DONT_FRAGMENT, EVEN_PORT, LIFETIME, MOBILITY_TICKET, REQUESTED_TRANSPORT, RESERVATION_TOKEN,
    TRANSPORT_TCP, TRANSPORT_UDP, XOR_MAPPED_ADDRESS, XOR_RELAYED_ADDRESS,
};

impl Server {
    /// Checks the request in the order of RFC 8656 §7.2 and asks the driver for a relay socket.
    pub(super) fn allocate(&mut self, request: &Request<'_>, reply: Reply) -> Result<(), Reject> {
        // Step 1, authentication, is behind us. Step 2: one allocation for each 5-tuple.
        if let Some(id) = self.table.find(&request.path) {
            return self.answer_again(id, request, reply);
        }
        if !request.user.is_anonymous()
            && let Some(alternate) = self.redirected(request.path, reply.transaction)
        {
            return Err(Reject::TryAlternate(alternate));
        }
        // Step 3: the transport towards peers.
        let transport = match requested_transport(request.message)? {
            TRANSPORT_UDP => RelayTransport::Udp,
            // Without credentials nothing would show that a data connection is the same client's.
            TRANSPORT_TCP if self.settings.tcp_allocations && !request.user.is_anonymous() => {
                RelayTransport::Tcp
            }
            _ => return Err(Reject::UnsupportedTransport),
        };
        if transport == RelayTransport::Tcp {
            check_tcp_allocation(request)?;
        }
        let wants_mobility = self.wants_mobility(request)?;
        // RFC 8016 knows nothing of TCP peers, whose connections could not follow to another worker.
        if wants_mobility && transport == RelayTransport::Tcp {
            return Err(Reject::MobilityForbidden);
        }
        // Step 4, DONT-FRAGMENT: every relay socket can do it, so there is nothing to refuse.
        let wish = RelayWish::of(request.message)?;
        let lifetime = granted_lifetime(&self.settings, requested_lifetime(request.message)?);
        let lifetime = request.user.limit(lifetime, request.now);
        self.outputs.push_back(Output::OpenRelay(OpenRelay {
            five_tuple: request.path,
            wish,
            transport,
            user: request.user.clone(),
            lifetime,
            wants_mobility,
            reply,
        }));
        Ok(())
    }

    /// Finishes an allocation, or refuses it: the driver's answer to [`Output::OpenRelay`].
    ///
    /// Returns the name of the new allocation, whose [`Output::Begin`] is the next output.
    pub fn relay_opened(
        &mut self,
        now: Now,
        open: OpenRelay,
        opened: Result<OpenedRelay, RelayRefusal>,
    ) -> Option<AllocationId> {
        let reply = open.reply;
        let opened = match opened {
            Ok(opened) => opened,
            Err(refusal) => {
                let alternate = match open.is_anonymous() {
                    true => None,
                    false => self.alternate_to(refusal, open.five_tuple, reply.transaction),
                };
                let reject = alternate.map_or_else(|| Reject::from(refusal), Reject::TryAlternate);
                self.refuse(now, reply, Some(&open.user), reject);
                return None;
            }
        };
        let relayed = opened.local.map(|local| {
            SocketAddr::new(self.settings.external_addresses.public_of(local.ip()), local.port())
        });
        let until = now.instant + open.lifetime;
        let granted = Granted {
            transaction: reply.transaction,
            lifetime: open.lifetime,
            relayed,
            missing: opened.missing,
            reservation: opened.reservation,
        };
        let mobility = open.wants_mobility.then(|| self.new_mobility());
        let unclaimed_until = self.unclaimed_until(now, &open.user);
        let id = self.table.insert(Allocation {
            five_tuple: open.five_tuple,
            until: relayed.map(|_| until),
            user: open.user.clone(),
            reach: self.first_reach(&open.user),
            unclaimed_until,
            granted,
            transport: open.transport,
            permissions: Permissions::default(),
            channels: Channels::default(),
            connections: PeerConnections::default(),
            mobility,
            permission_follows_channel: self.settings.permission_follows_channel,
        });
        self.outputs.push_back(Output::Begin {
            allocation: id,
            five_tuple: open.five_tuple,
            relayed,
            username: open.user.username.clone(),
            grant: open.user.grant.clone(),
        });
        self.answer(reply, id, &granted, &open.user);
        Some(id)
    }

    /// RFC 8656 §7.2, step 2: a retransmission gets the same answer, anything else 437.
    fn answer_again(&mut self, id: AllocationId, request: &Request<'_>, reply: Reply) -> Result<(), Reject> {
        let allocation = self.table.get(id).ok_or(Reject::AllocationExists)?;
        let granted = allocation.granted;
        let is_own = allocation.user.has_name_of(&request.user);
        if granted.transaction != request.message.transaction() || !is_own {
            return Err(Reject::AllocationExists);
        }
        self.answer(reply, id, &granted, &request.user);
        Ok(())
    }

    fn answer(&mut self, reply: Reply, id: AllocationId, granted: &Granted, user: &User) {
        let ticket = self.ticket_of(id);
        self.accept(reply, Some(user), |mut writer| {
            for &address in granted.relayed.iter() {
                writer = writer.address(XOR_RELAYED_ADDRESS, address);
            }
            writer = writer
                .u32(LIFETIME, granted.lifetime.as_secs() as u32)
                .address(XOR_MAPPED_ADDRESS, reply.to.client);
            if let Some(token) = granted.reservation {
                writer = writer.bytes(RESERVATION_TOKEN, &token.0);
            }
            if let Some(ticket) = &ticket {
                writer = writer.bytes(MOBILITY_TICKET, ticket.as_bytes());
            }
            if let Some((family, refusal)) = granted.missing {
                writer = writer.address_error(family, Reject::from(refusal).code());
            }
            writer
        });
    }
}

/// What an allocation for TCP peers cannot have.
fn check_tcp_allocation(request: &Request<'_>) -> Result<(), Reject> {
    // RFC 6062 §5.1: the control connection is TCP or TLS, else 400.
    if !request.path.transport.is_stream() {
        return Err(Reject::Malformed);
    }
    // RFC 6062 §5.1: DONT-FRAGMENT, EVEN-PORT and RESERVATION-TOKEN are for datagrams; with them it is 400.
    let of_datagrams = [DONT_FRAGMENT, EVEN_PORT, RESERVATION_TOKEN];
    if of_datagrams.into_iter().any(|kind| request.message.find(kind).is_some()) {
        return Err(Reject::Malformed);
    }
    Ok(())
}

/// The lifetime that a client asks for, if it asks (RFC 8656 §18.2).
pub(super) fn requested_lifetime(message: &Message<'_>) -> Result<Option<Duration>, Reject> {
    match message.find_u32(LIFETIME) {
        None => Ok(None),
        Some(Some(seconds)) => Ok(Some(Duration::from_secs(u64::from(seconds)))),
        Some(None) => Err(Reject::Malformed),
    }
}

/// RFC 8656 §7.2: at least the default, at most the maximum.
pub(super) fn granted_lifetime(settings: &Settings, requested: Option<Duration>) -> Duration {
    let longest = settings.max_allocation_lifetime.max(settings.allocation_lifetime);
    requested.unwrap_or_default().clamp(settings.allocation_lifetime, longest)
}

/// The protocol number that a client asks for (RFC 8656 §18.8).
fn requested_transport(message: &Message<'_>) -> Result<u8, Reject> {
    match message.find(REQUESTED_TRANSPORT) {
        Some(&[protocol, _, _, _]) => Ok(protocol),
        _ => Err(Reject::Malformed),
    }
}
