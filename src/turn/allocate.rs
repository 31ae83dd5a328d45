//! Allocate: gives a client a relayed address (RFC 8656 §7.2).

use std::net::SocketAddr;
use std::time::Duration;

use super::allocation::Allocation;
use super::auth::Authenticated;
use super::channel::Channels;
use super::five_tuple::{AllocationId, FiveTuple, Now};
use super::output::{OpenRelay, Output, RelayPort, RelayRefusal};
use super::permission::Permissions;
use super::reject::Reject;
use super::server::{Reply, Request, Server};
use super::settings::Settings;
use crate::wire::attribute::{
    EVEN_PORT, LIFETIME, REQUESTED_ADDRESS_FAMILY, REQUESTED_TRANSPORT, RESERVATION_TOKEN, TRANSPORT_UDP,
    XOR_MAPPED_ADDRESS, XOR_RELAYED_ADDRESS,
};
use crate::wire::{AddressFamily, Message};

impl Server {
    /// Checks the request in the order of RFC 8656 §7.2 and asks the driver for a relay socket.
    pub(super) fn allocate(&mut self, request: &Request<'_>, reply: Reply) -> Result<(), Reject> {
        // Step 1, authentication, is behind us. Step 2: one allocation for each 5-tuple.
        if let Some(id) = self.table.find(&request.path) {
            return self.answer_again(id, request, reply);
        }
        // Step 3: the transport towards peers.
        match requested_transport(request.message)? {
            TRANSPORT_UDP => {}
            _ => return Err(Reject::UnsupportedTransport),
        }
        // Step 4, DONT-FRAGMENT: not understood, so refused with 420 before.
        // Steps 5 to 7: which port.
        let port = requested_port(request.message)?;
        // Step 8: the family of the relayed address.
        let family = requested_family(request.message)?.unwrap_or(AddressFamily::Ipv4);
        let lifetime = granted_lifetime(&self.settings, requested_lifetime(request.message)?);
        self.outputs.push_back(Output::OpenRelay(OpenRelay {
            five_tuple: request.path,
            family,
            port,
            user: request.user.clone(),
            lifetime,
            reply,
        }));
        Ok(())
    }

    /// Finishes an allocation, or refuses it: the driver's answer to [`Output::OpenRelay`].
    ///
    /// `local` is the address that the relay socket is bound to. Returns the name of the new allocation, whose
    /// [`Output::Begin`] is the next output.
    pub fn relay_opened(
        &mut self,
        now: Now,
        open: OpenRelay,
        local: Result<SocketAddr, RelayRefusal>,
    ) -> Option<AllocationId> {
        let reply = open.reply;
        let local = match local {
            Ok(local) => local,
            Err(refusal) => {
                let reject = match refusal {
                    RelayRefusal::FamilyNotSupported => Reject::UnsupportedFamily,
                    RelayRefusal::NoPortLeft => Reject::InsufficientCapacity,
                };
                self.refuse(now, reply, Some(&open.user), reject);
                return None;
            }
        };
        let public = self.settings.external_addresses.public_of(local.ip());
        let relayed = SocketAddr::new(public, local.port());
        let id = self.table.insert(Allocation {
            five_tuple: open.five_tuple,
            relayed,
            user: open.user.clone(),
            until: now.instant + open.lifetime,
            made_by: (reply.transaction, open.lifetime),
            permissions: Permissions::default(),
            channels: Channels::default(),
            permission_follows_channel: self.settings.permission_follows_channel,
        });
        self.outputs.push_back(Output::Begin {
            allocation: id,
            five_tuple: open.five_tuple,
            relayed,
            username: open.user.username.clone(),
        });
        self.answer(reply, relayed, open.lifetime, &open.user);
        Some(id)
    }

    /// RFC 8656 §7.2, step 2: a retransmission gets the same answer, anything else 437.
    fn answer_again(&mut self, id: AllocationId, request: &Request<'_>, reply: Reply) -> Result<(), Reject> {
        let allocation = self.table.get(id).ok_or(Reject::AllocationExists)?;
        let (transaction, lifetime) = allocation.made_by;
        let is_own = allocation.user.username == request.user.username;
        if transaction != request.message.transaction() || !is_own {
            return Err(Reject::AllocationExists);
        }
        let relayed = allocation.relayed;
        self.answer(reply, relayed, lifetime, &request.user);
        Ok(())
    }

    fn answer(&mut self, reply: Reply, relayed: SocketAddr, lifetime: Duration, user: &Authenticated) {
        let FiveTuple { client, .. } = reply.to;
        self.accept(reply, Some(user), |writer| {
            writer
                .address(XOR_RELAYED_ADDRESS, relayed)
                .u32(LIFETIME, lifetime.as_secs() as u32)
                .address(XOR_MAPPED_ADDRESS, client)
        });
    }
}

/// The lifetime that a client asks for, if it asks.
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

/// The family that a client asks for, if it asks (RFC 8656 §18.6).
pub(super) fn requested_family(message: &Message<'_>) -> Result<Option<AddressFamily>, Reject> {
    match message.find(REQUESTED_ADDRESS_FAMILY) {
        None => Ok(None),
        Some(&[number, _, _, _]) => {
            AddressFamily::from_number(number).map(Some).ok_or(Reject::UnsupportedFamily)
        }
        Some(_) => Err(Reject::Malformed),
    }
}

/// The port that a client asks for (RFC 8656 §18.7, §18.10).
fn requested_port(message: &Message<'_>) -> Result<RelayPort, Reject> {
    let even_port = match message.find(EVEN_PORT) {
        None => None,
        Some(&[flags]) => Some(flags),
        Some(_) => return Err(Reject::Malformed),
    };
    if let Some(token) = message.find(RESERVATION_TOKEN) {
        // Step 5: no request may have both, and a token must be one of ours, of which there are none.
        let is_malformed = token.len() != RESERVATION_TOKEN_LEN || even_port.is_some();
        return Err(if is_malformed { Reject::Malformed } else { Reject::InsufficientCapacity });
    }
    match even_port {
        None => Ok(RelayPort::Any),
        Some(flags) if flags & RESERVE_NEXT_PORT == 0 => Ok(RelayPort::Even),
        // Step 6: a reservation that cannot be made is 508.
        Some(_) => Err(Reject::InsufficientCapacity),
    }
}

/// The protocol number that a client asks for (RFC 8656 §18.8).
fn requested_transport(message: &Message<'_>) -> Result<u8, Reject> {
    match message.find(REQUESTED_TRANSPORT) {
        Some(&[protocol, _, _, _]) => Ok(protocol),
        _ => Err(Reject::Malformed),
    }
}

/// The R bit of EVEN-PORT (RFC 8656 §18.7).
const RESERVE_NEXT_PORT: u8 = 0x80;
/// The bytes of a RESERVATION-TOKEN (RFC 8656 §18.10).
const RESERVATION_TOKEN_LEN: usize = 8;
