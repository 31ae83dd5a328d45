//! Binding: tells a client how its address looks from here (RFC 8489 §12).

use super::five_tuple::Now;
use super::output::DropReason;
use super::reject::Reject;
use super::server::{Reply, Server};
use super::stranger_limit::AnswerKind;
use super::understood::unknown_attributes;
use crate::wire::Message;
use crate::wire::attribute::XOR_MAPPED_ADDRESS;

impl Server {
    pub(super) fn binding(&mut self, now: Now, reply: Reply, message: &Message<'_>) {
        let unknown = unknown_attributes(message);
        if !unknown.is_empty() {
            return self.refuse(now, reply, None, Reject::UnknownAttributes(unknown));
        }
        if !self.may_answer_stranger(now, reply, AnswerKind::Binding) {
            return self.drop_input(DropReason::RateLimited);
        }
        // Deviation from RFC 8489 §14.14: no SOFTWARE, which is a SHOULD for diagnostics; it would only make the answer
        // to a forged source longer.
        self.accept(reply, None, |writer| writer.address(XOR_MAPPED_ADDRESS, reply.to.client));
    }
}
