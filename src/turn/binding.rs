//! Binding: tells a client how its address looks from here (RFC 8489 §12).

use std::net::SocketAddr;

use super::five_tuple::Now;
use super::nat_discovery::{self, Discovery};
use super::output::DropReason;
use super::reject::Reject;
use super::server::{Reply, Server};
use super::stranger_limit::AnswerKind;
use super::understood::unknown_attributes;
use crate::wire::Message;
use crate::wire::attribute::{OTHER_ADDRESS, PADDING, RESPONSE_ORIGIN, XOR_MAPPED_ADDRESS};

impl Server {
    pub(super) fn binding(&mut self, now: Now, reply: Reply, message: &Message<'_>) {
        let discovery = match self.settings.nat_discovery.map(|discovery| discovery.read(reply.to, message)) {
            Some(Ok(discovery)) => discovery,
            Some(Err(reject)) => return self.refuse(now, reply, None, reject),
            None => None,
        };
        let mut unknown = unknown_attributes(message);
        if discovery.is_some() {
            unknown.retain(|kind| !nat_discovery::ATTRIBUTES.contains(kind));
        }
        if !unknown.is_empty() {
            return self.refuse(now, reply, None, Reject::UnknownAttributes(unknown));
        }
        if !self.may_answer_stranger(now, reply, AnswerKind::Binding) {
            return self.drop_input(DropReason::RateLimited);
        }
        // Deviation from RFC 8489 §14.14: no SOFTWARE, which is a SHOULD for diagnostics; it would only make the answer
        // to a forged source longer.
        let mapped = reply.to.client;
        let Some(Discovery { way, other, padding }) = discovery else {
            return self.accept(reply, None, |writer| writer.address(XOR_MAPPED_ADDRESS, mapped));
        };
        let seen = |address: SocketAddr| {
            SocketAddr::new(self.settings.external_addresses.public_of(address.ip()), address.port())
        };
        let (origin, other) = (seen(way.server), seen(other));
        self.accept(Reply { to: way, ..reply }, None, |writer| {
            // RFC 5780 §6.1: every answer tells where it comes from, and the address that shares nothing with the one
            // that was asked.
            let writer = writer
                .address(XOR_MAPPED_ADDRESS, mapped)
                .plain_address(RESPONSE_ORIGIN, origin)
                .plain_address(OTHER_ADDRESS, other);
            match padding {
                // Deviation from RFC 5780 §7.6: the padding is as long as the request's, not as the MTU of the
                // interface, so that a forged request gains nothing by it.
                Some(len) => writer.bytes(PADDING, &vec![0; len]),
                None => writer,
            }
        });
    }
}
