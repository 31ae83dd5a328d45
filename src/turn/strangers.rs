//! How often clients are answered who have not shown who they are; beyond that they are dropped.

use super::auth_failure::AuthFailure;
use super::five_tuple::Now;
use super::reject::Reject;
use super::server::{Reply, Server};
use super::source::SourcePrefix;
use super::stranger_limit::AnswerKind;
use crate::wire::Method;

impl Server {
    /// Whether a stranger may be told of its error, which is then counted.
    pub(super) fn may_refuse_stranger(&self, now: Now, reply: Reply, reject: &Reject) -> bool {
        // Its nonce is old but its signature is right: it has an allocation here, which must not be lost because
        // somebody else floods us in its name.
        if reject.auth_failure().is_some_and(AuthFailure::is_stale_nonce)
            && self.table.find(&reply.to).is_some()
        {
            return true;
        }
        let is_binding = reply.method == Method::Binding;
        let kind = if is_binding { AnswerKind::Binding } else { AnswerKind::Challenge };
        self.may_answer_stranger(now, reply, kind)
    }

    /// Whether a stranger may be answered once more, which is then counted.
    pub(super) fn may_answer_stranger(&self, now: Now, reply: Reply, kind: AnswerKind) -> bool {
        // Who has opened a stream is where it says; and over a stream nobody asks again when no answer comes.
        if reply.to.transport.is_stream() {
            return true;
        }
        self.stranger_limit.may_answer(now, SourcePrefix::of(reply.to.client.ip()), kind)
    }

    /// Whether a request without credentials may be carried out, which is then counted.
    ///
    /// What it is answered is no better than an answer to a stranger, unless it is about an allocation that exists: that
    /// must not be lost because somebody else floods us in its name. A repeated Allocate needs no such care, and its
    /// answer would be the longest.
    pub(super) fn may_serve_anonymously(&self, now: Now, reply: Reply) -> bool {
        let allocation = self.table.find(&reply.to).and_then(|id| self.table.get(id));
        let is_owner = allocation.is_some_and(|allocation| allocation.user.is_anonymous());
        (is_owner && reply.method != Method::Allocate)
            || self.may_answer_stranger(now, reply, AnswerKind::Challenge)
    }
}
