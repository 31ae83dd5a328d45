//! Mobility: an allocation follows its client to another 5-tuple, also from worker to worker (RFC 8016).
//!
//! The client shows a ticket on its new path. If another worker has the allocation, the server asks its driver to fetch
//! it ([`Output::TakeOver`]): there [`Server::give_away`], here [`Server::take_in`].

use std::time::Duration;

use super::allocate::granted_lifetime;
use super::allocation::Allocation;
use super::auth::User;
use super::auth_failure::AuthFailure;
use super::five_tuple::{AllocationId, FiveTuple, Now};
use super::mobility_ticket::{Serial, Ticket};
use super::output::{EndReason, Output};
use super::reject::Reject;
use super::server::{Reply, Request, Server};
use crate::wire::attribute::{LIFETIME, MOBILITY_TICKET};

/// What an allocation that may move remembers.
#[derive(Debug)]
pub(super) struct Mobility {
    /// That of the most recent ticket; no other moves it.
    serial: Serial,
    /// That of the ticket that moved it last.
    moved_with: Option<Serial>,
    /// The path before that, until the client uses the new one.
    pub(super) previous: Option<FiveTuple>,
}

/// A request to move an allocation here from another worker.
#[derive(Debug)]
pub struct TakeOver {
    /// The worker that has it.
    pub worker: u16,
    /// The index that it has there.
    pub index: u32,
    /// The path that it moves to.
    pub path: FiveTuple,
    serial: Serial,
    user: User,
    requested: Option<Duration>,
    reply: Reply,
}

/// An allocation on its way from one worker to another.
#[derive(Debug)]
pub struct MovedAllocation {
    /// The name that it had.
    pub id: AllocationId,
    allocation: Allocation,
}

/// Why an allocation does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveRefusal {
    /// It is gone, or the ticket is not its most recent one.
    NoAllocation,
    /// It belongs to somebody else.
    OtherUser,
}

impl Server {
    /// Whether an Allocate request asks for an allocation that can move.
    pub(super) fn wants_mobility(&self, request: &Request<'_>) -> Result<bool, Reject> {
        match request.message.find(MOBILITY_TICKET) {
            None => Ok(false),
            // RFC 8016 §3.1.2: 405 where moving is forbidden.
            Some(_) if !self.may_move(&request.user) => Err(Reject::MobilityForbidden),
            Some([]) => Ok(true),
            // RFC 8016 §3.1.1: the client sends an empty attribute; there is nothing to move yet.
            Some(_) => Err(Reject::Malformed),
        }
    }

    /// Whether a user's allocations may move; without credentials whoever sees a ticket could take its allocation.
    fn may_move(&self, user: &User) -> bool {
        self.settings.mobility && !user.is_anonymous()
    }

    pub(super) fn new_mobility(&mut self) -> Box<Mobility> {
        Box::new(Mobility { serial: self.random_bytes(), moved_with: None, previous: None })
    }

    /// The most recent ticket of an allocation, if it may move.
    pub(super) fn ticket_of(&self, id: AllocationId) -> Option<String> {
        let serial = self.table.get(id)?.mobility.as_ref()?.serial;
        Some(self.tickets.seal(&Ticket { serial, worker: self.worker(), index: id.index }))
    }

    /// Moves the allocation of a ticket to the path of a Refresh request, and refreshes it (RFC 8016 §3.2.2).
    pub(super) fn move_here(
        &mut self,
        request: &Request<'_>,
        reply: Reply,
        ticket: &[u8],
        requested: Option<Duration>,
    ) -> Result<(), Reject> {
        // RFC 8016 §3.2.2: 405 where moving is forbidden.
        if !self.may_move(&request.user) {
            return Err(Reject::MobilityForbidden);
        }
        // RFC 8016 §3.2.2: what is no ticket of ours is a bad request.
        let ticket = self.tickets.open(ticket).ok_or(Reject::Malformed)?;
        let take_over = TakeOver {
            worker: ticket.worker,
            index: ticket.index,
            path: request.path,
            serial: ticket.serial,
            user: request.user.clone(),
            requested,
            reply,
        };
        if let Some(id) = self.table.find(&request.path) {
            // RFC 8016 §3.2.2: the old ticket is remembered for retransmissions. With any other, the client's path has
            // not changed.
            let is_repeated = self.was_moved_by(id, &take_over);
            return match is_repeated {
                true => self.answer_move(id, request.now, &take_over),
                false => Err(Reject::Malformed),
            };
        }
        if ticket.worker != self.worker() {
            self.outputs.push_back(Output::TakeOver(Box::new(take_over)));
            return Ok(());
        }
        let id = self.check(&take_over)?;
        if let Some(older) = self.previous_path(id) {
            self.leave(id, &older);
        }
        let serial = self.random_bytes();
        self.table.update(id, |allocation| allocation.move_to(&take_over, serial));
        self.table.add_path(id, request.path);
        self.outputs.push_back(Output::Moved { allocation: id, to: request.path });
        self.answer_move(id, request.now, &take_over)
    }

    /// Which of the process's workers this server belongs to.
    fn worker(&self) -> u16 {
        u16::from(self.settings.server_number)
    }

    /// Gives an allocation to another worker's server; its relay sockets and routes are to go there as they are.
    pub fn give_away(&mut self, take_over: &TakeOver) -> Result<MovedAllocation, MoveRefusal> {
        self.begin_input();
        let id = self.check(take_over)?;
        let allocation = self.table.remove(id).ok_or(MoveRefusal::NoAllocation)?;
        Ok(MovedAllocation { id, allocation })
    }

    /// Finishes a move that [`Output::TakeOver`] began, or refuses it.
    ///
    /// Returns the name that the allocation has here, which the outputs then speak of. Without a name an allocation that
    /// was given away has ended.
    pub fn take_in(
        &mut self,
        now: Now,
        take_over: &TakeOver,
        moved: Result<MovedAllocation, MoveRefusal>,
    ) -> Option<AllocationId> {
        self.begin_input();
        let result = match (moved, self.table.find(&take_over.path)) {
            // It was asked for twice, since the client repeated its request.
            (Err(_), Some(id)) if self.was_moved_by(id, take_over) => self.answer_move(id, now, take_over),
            (Err(refusal), _) => Err(Reject::from(refusal)),
            // The client has made another one meanwhile, on the path that this one was to have.
            (Ok(_), Some(_)) => Err(Reject::AllocationExists),
            (Ok(MovedAllocation { mut allocation, .. }), None) => {
                allocation.move_to(take_over, self.random_bytes());
                let id = self.table.insert(allocation);
                // This worker may know a newer policy than the other.
                let policy = self.settings.peer_policy.clone();
                self.update(id, now, |allocation| allocation.end_forbidden(&policy, now.instant));
                return self.answer_move(id, now, take_over).is_ok().then_some(id);
            }
        };
        if let Err(reject) = result {
            self.refuse(now, take_over.reply, Some(&take_over.user), reject);
        }
        None
    }

    /// Takes note that a client sends on this path.
    ///
    /// RFC 8016 §3.2.2: both paths are good until the client uses the new one, which shows that it got our answer.
    pub fn client_uses(&mut self, path: &FiveTuple) {
        let Some(id) = self.table.find(path) else { return };
        if let Some(previous) = self.previous_path(id)
            && previous != *path
        {
            self.leave(id, &previous);
        }
    }

    /// Forgets one path of an allocation; false if the allocation cannot live without it.
    pub(super) fn leave(&mut self, id: AllocationId, path: &FiveTuple) -> bool {
        let has_left = self.table.update(id, |allocation| {
            let mobility = allocation.mobility.as_mut()?;
            mobility.previous = mobility.previous.filter(|previous| previous != path);
            Some(())
        });
        if has_left.flatten().is_none() {
            return false;
        }
        self.table.forget_path(id, path);
        self.outputs.push_back(Output::Left { allocation: id, path: *path });
        true
    }

    /// The allocation of a ticket, if it is there, may be moved by it, and belongs to who shows it.
    fn check(&self, take_over: &TakeOver) -> Result<AllocationId, MoveRefusal> {
        let id = self.table.id_at(take_over.index).ok_or(MoveRefusal::NoAllocation)?;
        let allocation = self.table.get(id).ok_or(MoveRefusal::NoAllocation)?;
        let is_recent =
            allocation.mobility.as_ref().is_some_and(|mobility| mobility.serial == take_over.serial);
        if !is_recent {
            return Err(MoveRefusal::NoAllocation);
        }
        // RFC 8016 §3.2.2: who moves it must be the user who made it.
        if !allocation.user.has_name_of(&take_over.user) {
            return Err(MoveRefusal::OtherUser);
        }
        Ok(id)
    }

    fn was_moved_by(&self, id: AllocationId, take_over: &TakeOver) -> bool {
        self.table.get(id).is_some_and(|allocation| {
            let moved_with = allocation.mobility.as_ref().and_then(|mobility| mobility.moved_with);
            moved_with == Some(take_over.serial) && allocation.user.has_name_of(&take_over.user)
        })
    }

    fn previous_path(&self, id: AllocationId) -> Option<FiveTuple> {
        self.table.get(id)?.mobility.as_ref()?.previous
    }

    /// Refreshes an allocation that has moved, or ends it, and tells the client.
    fn answer_move(&mut self, id: AllocationId, now: Now, take_over: &TakeOver) -> Result<(), Reject> {
        let TakeOver { user, reply, .. } = take_over;
        if take_over.requested == Some(Duration::ZERO) {
            self.recently_ended.remember(now.instant, take_over.path, reply.transaction);
            self.end(id, EndReason::Deleted);
            self.accept(*reply, Some(user), |writer| writer.u32(LIFETIME, 0));
            return Ok(());
        }
        let lifetime = user.limit(granted_lifetime(&self.settings, take_over.requested), now);
        self.prolong(id, now, user, None, now.instant + lifetime);
        let ticket = self.ticket_of(id).ok_or(Reject::NoAllocation)?;
        // RFC 8016 §3.2.2: the answer has a new ticket.
        self.accept(*reply, Some(user), |writer| {
            writer.u32(LIFETIME, lifetime.as_secs() as u32).bytes(MOBILITY_TICKET, ticket.as_bytes())
        });
        Ok(())
    }
}

impl Allocation {
    /// Takes the new path of its client, and the serial of its next ticket.
    fn move_to(&mut self, take_over: &TakeOver, serial: Serial) {
        let previous = std::mem::replace(&mut self.five_tuple, take_over.path);
        let moved_with = Some(take_over.serial);
        self.mobility = Some(Box::new(Mobility { serial, moved_with, previous: Some(previous) }));
    }
}

impl From<MoveRefusal> for Reject {
    fn from(refusal: MoveRefusal) -> Self {
        match refusal {
            // RFC 8016 §3.2.2: a ticket that was used, or whose allocation has ended, finds none.
            MoveRefusal::NoAllocation => Self::NoAllocation,
            MoveRefusal::OtherUser => AuthFailure::OtherUser.into(),
        }
    }
}
