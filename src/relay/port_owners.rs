//! `PortOwners`: which allocation has a relay port, and on which worker, so that every worker can ask without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// An owner for each port of a pool, by the port's place in it.
#[derive(Debug)]
pub(super) struct PortOwners(Box<[AtomicU64]>);

/// An allocation, as all workers can name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) worker: u16,
    /// The allocation's index there.
    pub(super) index: u32,
}

impl PortOwners {
    pub(super) fn new(ports: usize) -> Self {
        Self((0..ports).map(|_| AtomicU64::new(NOBODY)).collect())
    }

    /// Whose a port is. What other workers say may be over by the time that it is used.
    pub(super) fn get(&self, place: usize) -> Option<Owner> {
        let packed = self.0.get(place)?.load(Ordering::Relaxed);
        (packed != NOBODY).then_some(Owner { worker: (packed >> 32) as u16, index: packed as u32 })
    }

    pub(super) fn set(&self, place: usize, owner: Option<Owner>) {
        let packed = owner.map_or(NOBODY, |owner| u64::from(owner.worker) << 32 | u64::from(owner.index));
        self.0[place].store(packed, Ordering::Relaxed);
    }
}

/// No worker has this number.
const NOBODY: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_whose_it_was_last_said_to_be() {
        let owners = PortOwners::new(2);
        let owner = Owner { worker: 255, index: u32::MAX };
        owners.set(1, Some(owner));
        assert_eq!((owners.get(0), owners.get(1), owners.get(2)), (None, Some(owner), None));
        owners.set(1, Some(Owner { worker: 0, index: 0 }));
        assert_eq!(owners.get(1), Some(Owner { worker: 0, index: 0 }));
        owners.set(1, None);
        assert_eq!(owners.get(1), None);
    }
}
