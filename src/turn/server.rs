//! `Server`: takes one input at a time and queues what is to be done about it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::allocation::RouteChange;
use super::alternates::Alternates;
use super::auth::{Authenticator, Denial, User};
use super::auth_failure::AuthFailure;
use super::five_tuple::{AllocationId, FiveTuple, Now, Transport};
use super::hook::{HookAnswer, Undecided};
use super::mobility_ticket::Tickets;
use super::output::{DropReason, EndReason, Output, Refusal};
use super::peer_connection::ConnectionIndex;
use super::peer_policy::PeerPolicy;
use super::recently_ended::RecentlyEnded;
use super::reject::Reject;
use super::settings::Settings;
use super::stranger_limit::StrangerLimit;
use super::table::Table;
use super::understood::unknown_attributes;
use crate::wire::attribute;
use crate::wire::message::ParseError;
use crate::wire::{AddressFamily, Class, Message, MessageWriter, Method, TransactionId};

/// A TURN server; `turn`'s module documentation tells how to drive it.
#[derive(Debug)]
pub struct Server {
    pub(super) settings: Settings,
    authenticator: Authenticator,
    pub(super) stranger_limit: Arc<StrangerLimit>,
    pub(super) table: Table,
    pub(super) connections: ConnectionIndex,
    pub(super) recently_ended: RecentlyEnded,
    pub(super) outputs: VecDeque<Output>,
    pub(super) alternates: Alternates,
    /// Seals what lets allocations move.
    pub(super) tickets: Tickets,
    /// The bytes of the messages in `outputs`.
    pub(super) scratch: Vec<u8>,
    pub(super) random: StdRng,
}

/// A request on its way to the file of its method.
pub(super) struct Request<'a> {
    pub(super) now: Now,
    pub(super) path: FiveTuple,
    pub(super) message: &'a Message<'a>,
    pub(super) user: User,
}

impl Server {
    /// Makes a server without allocations; the seed decides the transaction ids of its indications.
    ///
    /// The servers of one process share the limit of what strangers are answered.
    pub fn new(mut settings: Settings, seed: [u8; 32], stranger_limit: Arc<StrangerLimit>) -> Self {
        settings.realm = settings.prepared_realm();
        Self {
            authenticator: Authenticator::new(&settings),
            stranger_limit,
            table: Table::default(),
            connections: ConnectionIndex::default(),
            alternates: Alternates::default(),
            tickets: Tickets::new(&settings.nonce_keys),
            recently_ended: RecentlyEnded::default(),
            outputs: VecDeque::new(),
            scratch: Vec::new(),
            settings,
            random: StdRng::from_seed(seed),
        }
    }

    /// Takes a datagram, or a frame of a stream, from a client that is not ChannelData.
    pub fn handle_client(&mut self, now: Now, path: FiveTuple, datagram: &[u8]) {
        self.begin_input();
        // An answer would come back to us as the next request: a loop that never ends.
        // A port of ours that takes connections alone may be a client's for datagrams, on the same machine.
        if path.transport == Transport::Udp && self.settings.peer_policy.sends_from(path.client) {
            return self.drop_input(DropReason::OwnAddress);
        }
        let message = match Message::parse(datagram) {
            Ok(message) => message,
            Err(ParseError::MalformedAttributes { method, class: Class::Request, transaction }) => {
                let reply = Reply { to: path, method, transaction, wants_fingerprint: false };
                return self.refuse(now, reply, None, Reject::Malformed);
            }
            Err(_) => return self.drop_input(DropReason::Malformed),
        };
        match message.class() {
            Class::Request => self.handle_request(now, path, &message, None),
            Class::Indication => self.handle_indication(now, path, &message),
            // We ask clients nothing, so there is nothing to answer.
            Class::Success | Class::Error => self.drop_input(DropReason::Malformed),
        }
    }

    /// Carries a request out, or refuses it, now that somebody has said who its user is: the answer to [`Output::Ask`].
    pub fn decided(&mut self, now: Now, undecided: &Undecided, answer: &HookAnswer) {
        self.begin_input();
        if let Ok(message) = Message::parse(&undecided.request) {
            self.handle_request(now, undecided.path, &message, Some(answer));
        }
    }

    /// What is to be done next; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The bytes that an output speaks of.
    pub fn scratch(&self, range: Range<usize>) -> &[u8] {
        &self.scratch[range]
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.table.next_deadline().map(|(deadline, _)| deadline)
    }

    /// Ends what is over: allocations, and routes of channels.
    pub fn handle_timeout(&mut self, now: Now) {
        self.begin_input();
        while let Some((deadline, id)) = self.table.next_deadline() {
            if deadline > now.instant {
                return;
            }
            match self.expired_family(id, now) {
                Some(family) => self.end_family(id, now, family, EndReason::Expired),
                None if self.is_left_unclaimed(id, now) => self.end(id, EndReason::Unclaimed),
                None => self.end_connections(id, now, |connection| connection.is_overdue(now.instant)),
            }
        }
    }

    /// Ends the allocation of a client whose connection closed, if it had one.
    ///
    /// An allocation belongs to its 5-tuple (RFC 8656 §3.2), which nobody can speak for once its connection is closed.
    pub fn client_gone(&mut self, path: &FiveTuple) {
        self.begin_input();
        let Some(id) = self.table.find(path) else { return };
        // RFC 8016 §3: a client that may move is expected back on another path.
        if !self.leave(id, path) {
            self.end(id, EndReason::Disconnected);
        }
    }

    /// Ends an allocation for a reason that lies outside the protocol.
    pub fn close(&mut self, allocation: AllocationId, reason: EndReason) {
        self.begin_input();
        self.end(allocation, reason);
    }

    /// Judges peers by another policy from now on; what it forbids ends at once.
    pub fn set_peer_policy(&mut self, now: Now, policy: PeerPolicy) {
        self.begin_input();
        let allocations: Vec<AllocationId> = self.allocations().collect();
        for id in allocations {
            self.update(id, now, |allocation| allocation.end_forbidden(&policy, now.instant));
            let Some(reach) = self.table.get(id).map(|allocation| allocation.reach.clone()) else { continue };
            self.end_connections(id, now, |connection| !reach.covers(&policy, connection.peer));
        }
        self.settings.peer_policy = policy;
    }

    /// The allocations that there are.
    pub fn allocations(&self) -> impl Iterator<Item = AllocationId> + '_ {
        self.table.ids()
    }

    /// How many allocations there are.
    pub fn allocation_count(&self) -> usize {
        self.table.len()
    }

    /// The family of an address of the allocation that has not been refreshed in time.
    fn expired_family(&self, id: AllocationId, now: Now) -> Option<AddressFamily> {
        let until = &self.table.get(id)?.until;
        [AddressFamily::Ipv4, AddressFamily::Ipv6]
            .into_iter()
            .find(|&family| until.get(family).is_some_and(|until| until <= now.instant))
    }

    fn handle_request(
        &mut self,
        now: Now,
        path: FiveTuple,
        message: &Message<'_>,
        answer: Option<&HookAnswer>,
    ) {
        let reply = Reply {
            to: path,
            method: message.method(),
            transaction: message.transaction(),
            wants_fingerprint: message.has_fingerprint(),
        };
        match message.method() {
            Method::Binding => self.binding(now, reply, message),
            Method::Allocate
            | Method::Refresh
            | Method::CreatePermission
            | Method::ChannelBind
            | Method::Connect
            | Method::ConnectionBind => {
                // RFC 6062 §4.3: the user of a data connection is that of the control connection.
                let is_bind = message.method() == Method::ConnectionBind;
                let id = if is_bind { self.allocation_to_bind(message) } else { self.table.find(&path) };
                let allocation = id.and_then(|id| self.table.get(id));
                match self.authenticator.authenticate(now, path, message, allocation, answer) {
                    Ok(user) if user.is_anonymous() && !self.may_serve_anonymously(now, reply) => {
                        self.drop_input(DropReason::RateLimited);
                    }
                    Ok(user) => self.handle_admitted(reply, Request { now, path, message, user }),
                    Err(Denial::Reject(reject)) => self.refuse(now, reply, None, reject),
                    Err(Denial::Ask(username)) => {
                        self.outputs.push_back(Output::Ask(Undecided::new(path, username, message)));
                    }
                }
            }
            // RFC 8489 §6.3: a method that does not fit its class, or is unknown, is dropped.
            Method::Send | Method::Data | Method::ConnectionAttempt | Method::Unknown(_) => {
                self.drop_input(DropReason::Malformed);
            }
        }
    }

    fn handle_admitted(&mut self, reply: Reply, request: Request<'_>) {
        if request.message.find(attribute::MOBILITY_TICKET).is_none() {
            self.client_uses(&request.path);
        }
        let unknown = unknown_attributes(request.message);
        let result = if !unknown.is_empty() {
            // RFC 8489 §6.3.1: only after authentication, so that strangers learn nothing.
            Err(Reject::UnknownAttributes(unknown))
        } else {
            match request.message.method() {
                Method::Allocate => self.allocate(&request, reply),
                Method::Refresh => self.refresh(&request, reply),
                Method::CreatePermission => self.create_permission(&request, reply),
                Method::ChannelBind => self.channel_bind(&request, reply),
                Method::Connect => self.connect(&request, reply),
                Method::ConnectionBind => self.connection_bind(&request, reply),
                Method::Binding
                | Method::Send
                | Method::Data
                | Method::ConnectionAttempt
                | Method::Unknown(_) => Err(Reject::Malformed),
            }
        };
        if let Err(reject) = result {
            self.refuse(request.now, reply, Some(&request.user), reject);
        }
    }

    fn handle_indication(&mut self, now: Now, path: FiveTuple, message: &Message<'_>) {
        match message.method() {
            Method::Send => self.send_indication(now, path, message),
            // RFC 8489 §3: a Binding indication only keeps a NAT's mapping alive.
            Method::Binding => {}
            Method::Allocate
            | Method::Refresh
            | Method::Data
            | Method::CreatePermission
            | Method::ChannelBind
            | Method::Connect
            | Method::ConnectionBind
            | Method::ConnectionAttempt
            | Method::Unknown(_) => self.drop_input(DropReason::Malformed),
        }
    }

    /// The allocation of a request's 5-tuple, which must be its user's (RFC 8656 §5).
    pub(super) fn own_allocation(&self, request: &Request<'_>) -> Result<AllocationId, Reject> {
        let id = self.table.find(&request.path).ok_or(Reject::NoAllocation)?;
        let is_own = self.table.get(id).is_some_and(|allocation| allocation.user.is_same_as(&request.user));
        if !is_own {
            return Err(AuthFailure::OtherUser.into());
        }
        Ok(id)
    }

    /// Changes an allocation and tells the driver which routes open and close by that.
    pub(super) fn update<T>(
        &mut self,
        id: AllocationId,
        now: Now,
        change: impl FnOnce(&mut super::allocation::Allocation) -> T,
    ) -> Option<T> {
        let outputs = &mut self.outputs;
        self.table.update(id, |allocation| {
            let result = change(allocation);
            allocation.update_routes(now.instant, |route| {
                outputs.push_back(match route {
                    RouteChange::Open(channel, peer) => Output::OpenRoute { allocation: id, channel, peer },
                    RouteChange::Close(channel) => Output::CloseRoute { allocation: id, channel },
                });
            });
            result
        })
    }

    pub(super) fn end(&mut self, id: AllocationId, reason: EndReason) {
        if let Some(allocation) = self.table.remove(id) {
            self.close_connections(&allocation.connections);
            self.outputs.push_back(Output::End { allocation: id, reason });
        }
    }

    /// Answers a request that was carried out.
    pub(super) fn accept(
        &mut self,
        reply: Reply,
        user: Option<&User>,
        write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
    ) {
        let Self { scratch, outputs, .. } = self;
        outputs.push_back(reply.write(scratch, Class::Success, user, None, write));
    }

    /// Answers a request that was not.
    pub(super) fn refuse(&mut self, now: Now, reply: Reply, user: Option<&User>, reject: Reject) {
        if user.is_none() && !self.may_refuse_stranger(now, reply, &reject) {
            return self.drop_input(DropReason::RateLimited);
        }
        let Self { authenticator, scratch, outputs, settings, .. } = self;
        let refusal @ Refusal { code, .. } = reject.to_refusal();
        outputs.push_back(reply.write(scratch, Class::Error, user, Some(refusal), |writer| {
            let mut writer = writer.error_code(code);
            if let Reject::UnknownAttributes(unknown) = &reject {
                writer = writer.unknown_attributes(unknown);
            }
            if let Reject::TryAlternate(server) = reject {
                writer = settings.name_alternate(reply.to.transport, server, writer);
            }
            authenticator.challenge(now, reply.to.client, code, writer)
        }));
    }

    pub(super) fn drop_input(&mut self, reason: DropReason) {
        self.outputs.push_back(Output::Drop(reason));
    }

    /// A transaction id for an indication of ours.
    pub(super) fn new_transaction(&mut self) -> TransactionId {
        TransactionId(self.random_bytes())
    }

    pub(super) fn random_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    /// Forgets the bytes of the last input's outputs.
    pub(super) fn begin_input(&mut self) {
        debug_assert!(self.outputs.is_empty(), "outputs are drained before the next input");
        self.scratch.clear();
    }
}

/// What every answer repeats of its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply {
    pub(super) to: FiveTuple,
    pub(super) method: Method,
    pub(super) transaction: TransactionId,
    /// RFC 8489 §7: an answer has a FINGERPRINT when its request had one.
    pub(super) wants_fingerprint: bool,
}

impl Reply {
    /// Writes an answer behind those in the buffer.
    fn write(
        self,
        scratch: &mut Vec<u8>,
        class: Class,
        user: Option<&User>,
        error: Option<Refusal>,
        write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
    ) -> Output {
        let start = scratch.len();
        let mut writer = write(MessageWriter::begin(scratch, self.method, class, self.transaction));
        if let Some(user) = user {
            writer = user.protect(writer);
        }
        if self.wants_fingerprint {
            writer.fingerprint();
        }
        Output::Reply { to: self.to, message: start..scratch.len(), method: self.method, error }
    }
}
