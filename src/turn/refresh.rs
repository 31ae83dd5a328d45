//! Refresh: prolongs an allocation or ends it (RFC 8656 §8.2).

use std::time::Duration;

use super::allocate::{granted_lifetime, requested_family, requested_lifetime};
use super::output::EndReason;
use super::reject::Reject;
use super::server::{Reply, Request, Server};
use crate::wire::attribute::LIFETIME;

impl Server {
    pub(super) fn refresh(&mut self, request: &Request<'_>, reply: Reply) -> Result<(), Reject> {
        let requested = requested_lifetime(request.message)?;
        let wants_end = requested == Some(Duration::ZERO);
        let id = match self.own_allocation(request) {
            Ok(id) => id,
            Err(Reject::NoAllocation) if wants_end && self.is_repeated_deletion(request) => {
                self.accept(reply, Some(&request.user), |writer| writer.u32(LIFETIME, 0));
                return Ok(());
            }
            Err(reject) => return Err(reject),
        };
        if let Some(family) = requested_family(request.message)?
            && self.table.get(id).is_some_and(|allocation| allocation.family() != family)
        {
            return Err(Reject::PeerFamilyMismatch);
        }
        let lifetime = if wants_end {
            self.recently_ended.remember(request.now.instant, request.path, request.message.transaction());
            // The driver closes the relay socket before it sends the answer, so that the port is free by then.
            self.end(id, EndReason::Deleted);
            Duration::ZERO
        } else {
            let granted = granted_lifetime(&self.settings, requested);
            self.update(id, request.now, |allocation| allocation.until = request.now.instant + granted);
            granted
        };
        self.accept(reply, Some(&request.user), |writer| writer.u32(LIFETIME, lifetime.as_secs() as u32));
        Ok(())
    }

    fn is_repeated_deletion(&mut self, request: &Request<'_>) -> bool {
        self.recently_ended.contains(request.now.instant, request.path, request.message.transaction())
    }
}
