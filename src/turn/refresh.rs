//! Refresh: prolongs an allocation or ends it (RFC 8656 §8.2).

use std::time::{Duration, Instant};

use super::allocate::{granted_lifetime, requested_lifetime};
use super::auth::User;
use super::five_tuple::{AllocationId, Now};
use super::output::{EndReason, Output};
use super::reject::Reject;
use super::relay_wish::requested_family;
use super::server::{Reply, Request, Server};
use crate::wire::AddressFamily;
use crate::wire::attribute::{LIFETIME, MOBILITY_TICKET};

impl Server {
    pub(super) fn refresh(&mut self, request: &Request<'_>, reply: Reply) -> Result<(), Reject> {
        let requested = requested_lifetime(request.message)?;
        // RFC 8656 §8.2: a family that the allocation has no address of is 443, and so is one that does not exist.
        let family = match requested_family(request.message) {
            Err(Reject::UnsupportedFamily) => return Err(Reject::PeerFamilyMismatch),
            family => family?,
        };
        let wants_end = requested == Some(Duration::ZERO);
        if let Some(ticket) = request.message.find(MOBILITY_TICKET)
            && !(wants_end && self.is_repeated_deletion(request))
        {
            return self.move_here(request, reply, ticket, requested);
        }
        let id = match self.own_relay(request, family) {
            Ok(id) => id,
            Err(Reject::NoAllocation | Reject::PeerFamilyMismatch)
                if wants_end && self.is_repeated_deletion(request) =>
            {
                self.accept(reply, Some(&request.user), |writer| writer.u32(LIFETIME, 0));
                return Ok(());
            }
            Err(reject) => return Err(reject),
        };
        let lifetime = if wants_end {
            self.recently_ended.remember(request.now.instant, request.path, request.message.transaction());
            // The driver closes the relay socket before it sends the answer, so that the port is free by then.
            match family {
                Some(family) => self.end_family(id, request.now, family, EndReason::Deleted),
                None => self.end(id, EndReason::Deleted),
            }
            Duration::ZERO
        } else {
            let granted = request.user.limit(granted_lifetime(&self.settings, requested), request.now);
            let until = request.now.instant + granted;
            self.prolong(id, request.now, &request.user, family, until);
            granted
        };
        self.accept(reply, Some(&request.user), |writer| writer.u32(LIFETIME, lifetime.as_secs() as u32));
        Ok(())
    }

    /// Ends one address of an allocation, and with the last one the allocation.
    pub(super) fn end_family(
        &mut self,
        id: AllocationId,
        now: Now,
        family: AddressFamily,
        reason: EndReason,
    ) {
        let is_last = self.table.get(id).is_none_or(|allocation| {
            allocation.until.iter().count() == 1 && allocation.until.get(family).is_some()
        });
        if is_last {
            return self.end(id, reason);
        }
        self.end_connections(id, now, |connection| AddressFamily::of(connection.peer.ip()) == family);
        self.update(id, now, |allocation| *allocation.until.get_mut(family) = None);
        self.outputs.push_back(Output::EndFamily { allocation: id, family });
    }

    /// The allocation of a request, if it has an address of the family that the request is about (RFC 8656 §8.2).
    fn own_relay(
        &self,
        request: &Request<'_>,
        family: Option<AddressFamily>,
    ) -> Result<AllocationId, Reject> {
        let id = self.own_allocation(request)?;
        let has_family =
            |family| self.table.get(id).is_some_and(|allocation| allocation.until.get(family).is_some());
        if family.is_none_or(has_family) { Ok(id) } else { Err(Reject::PeerFamilyMismatch) }
    }

    pub(super) fn prolong(
        &mut self,
        id: AllocationId,
        now: Now,
        user: &User,
        family: Option<AddressFamily>,
        until: Instant,
    ) {
        self.update(id, now, |allocation| {
            for (of, ends) in [
                (AddressFamily::Ipv4, &mut allocation.until.v4),
                (AddressFamily::Ipv6, &mut allocation.until.v6),
            ] {
                if let Some(ends) = ends
                    && family.is_none_or(|family| family == of)
                {
                    *ends = until;
                }
            }
            // A new access token brings a new key and a new end (RFC 7635 §9).
            allocation.user = user.clone();
        });
    }

    fn is_repeated_deletion(&mut self, request: &Request<'_>) -> bool {
        self.recently_ended.contains(request.now.instant, request.path, request.message.transaction())
    }
}
