//! Other servers that clients are sent to (RFC 8489 §10), and how to ask one whether it serves.

use std::hash::BuildHasher;
use std::net::SocketAddr;

use foldhash::quality::FixedState;

use super::five_tuple::{FiveTuple, Transport};
use super::output::RelayRefusal;
use super::server::Server;
use super::settings::Settings;
use crate::wire::attribute::{ALTERNATE_DOMAIN, ALTERNATE_SERVER};
use crate::wire::{Class, Message, MessageWriter, Method, TransactionId};

/// When clients that allocate are sent to another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirect {
    /// When there is no relay port or no allocation left, or this server is about to stop.
    #[default]
    WhenFull,
    /// Always, as long as another one serves.
    Always,
}

/// The other servers that serve now.
#[derive(Debug, Default)]
pub(super) struct Alternates {
    healthy: Vec<SocketAddr>,
    is_draining: bool,
}

impl Server {
    /// Sends clients to these servers from now on.
    pub fn set_alternates(&mut self, healthy: Vec<SocketAddr>) {
        self.alternates.healthy = healthy;
    }

    /// Sends whoever allocates elsewhere from now on, if there is another server.
    pub fn drain(&mut self) {
        self.alternates.is_draining = true;
    }

    /// Where a client that allocates must go instead, if it must.
    pub(super) fn redirected(&self, path: FiveTuple, transaction: TransactionId) -> Option<SocketAddr> {
        match self.settings.redirect {
            Redirect::WhenFull if !self.alternates.is_draining => None,
            Redirect::WhenFull | Redirect::Always => self.alternates.choose(path, transaction),
        }
    }

    /// Where a client may go that could not be served here.
    pub(super) fn alternate_to(
        &self,
        refusal: RelayRefusal,
        path: FiveTuple,
        transaction: TransactionId,
    ) -> Option<SocketAddr> {
        match refusal {
            RelayRefusal::NoPortLeft | RelayRefusal::Capacity => self.alternates.choose(path, transaction),
            // What the client has too much of, or asked for in vain, is no better elsewhere.
            RelayRefusal::FamilyNotSupported
            | RelayRefusal::NoSuchReservation
            | RelayRefusal::UserQuota
            | RelayRefusal::SourceQuota
            | RelayRefusal::AnonymousSourceQuota
            | RelayRefusal::AnonymousCapacity
            | RelayRefusal::GrantEnded => None,
        }
    }
}

impl Alternates {
    /// One of the servers: by the transaction, which is random, so that a retransmission is sent to the same one.
    fn choose(&self, path: FiveTuple, transaction: TransactionId) -> Option<SocketAddr> {
        // RFC 8489 §14.15: the address is of the family that the request came by.
        let is_reachable = |server: &&SocketAddr| server.is_ipv4() == path.client.is_ipv4();
        let count = self.healthy.iter().filter(is_reachable).count();
        let number = FixedState::default().hash_one(transaction.0) as usize;
        self.healthy.iter().filter(is_reachable).nth(number.checked_rem(count)?).copied()
    }
}

impl Settings {
    /// Tells a client which server to ask.
    pub(super) fn name_alternate<'b>(
        &self,
        transport: Transport,
        server: SocketAddr,
        writer: MessageWriter<'b>,
    ) -> MessageWriter<'b> {
        let writer = writer.plain_address(ALTERNATE_SERVER, server);
        match (&self.alternate_domain, transport) {
            // RFC 8489 §14.16: the name that the certificate of the other server is checked against.
            (Some(domain), Transport::Tls) => writer.bytes(ALTERNATE_DOMAIN, domain.as_bytes()),
            (Some(_) | None, _) => writer,
        }
    }
}

/// A Binding request that asks another server whether it serves.
pub fn probe(transaction: [u8; 12]) -> Vec<u8> {
    let mut request = Vec::new();
    MessageWriter::begin(&mut request, Method::Binding, Class::Request, TransactionId(transaction));
    request
}

/// Whether a datagram is the success that a [`probe`] hopes for.
pub fn is_answer_to(transaction: [u8; 12], datagram: &[u8]) -> bool {
    Message::parse(datagram).is_ok_and(|message| {
        (message.method(), message.class(), message.transaction().0)
            == (Method::Binding, Class::Success, transaction)
    })
}
