//! `Budget`: how many connections may be open, over all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Hands out a slot for each connection, as long as there is one.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    free: Arc<AtomicUsize>,
}

/// The right to have one connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    free: Arc<AtomicUsize>,
}

impl Budget {
    pub(super) fn new(slots: usize) -> Self {
        Self { free: Arc::new(AtomicUsize::new(slots)) }
    }

    pub(super) fn take(&self) -> Option<Slot> {
        // The count guards nothing but itself, so no ordering is needed.
        let take = |free: usize| free.checked_sub(1);
        self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Slot { free: Arc::clone(&self.free) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_is_given_back_can_be_taken_again() {
        let budget = Budget::new(1);
        let slot = budget.take().unwrap();
        assert!(budget.clone().take().is_none());
        drop(slot);
        assert!(budget.take().is_some());
    }
}
