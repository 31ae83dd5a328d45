//! `Table`: allocations found by 5-tuple or by id, and by the moment at which they need attention.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use foldhash::quality::RandomState;
use slab::Slab;

use super::allocation::Allocation;
use super::five_tuple::{AllocationId, FiveTuple};

/// Every allocation of one server.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Boxed, so that what an allocation takes is given back when it ends, whatever its place.
    slots: Slab<Box<Slot>>,
    by_five_tuple: HashMap<FiveTuple, AllocationId, RandomState>,
    /// Exactly one entry for each allocation, so that it grows and shrinks with them.
    deadlines: BTreeSet<(Instant, AllocationId)>,
    next_generation: u32,
}

#[derive(Debug)]
struct Slot {
    id: AllocationId,
    deadline: Instant,
    allocation: Allocation,
}

impl Table {
    pub(super) fn insert(&mut self, allocation: Allocation) -> AllocationId {
        let entry = self.slots.vacant_entry();
        let index = u32::try_from(entry.key()).expect("there are fewer allocations than relay ports");
        let id = AllocationId { index, generation: self.next_generation };
        self.next_generation = self.next_generation.wrapping_add(1);
        let deadline = allocation.deadline();
        for &path in allocation.paths() {
            self.by_five_tuple.insert(path, id);
        }
        self.deadlines.insert((deadline, id));
        entry.insert(Box::new(Slot { id, deadline, allocation }));
        id
    }

    pub(super) fn remove(&mut self, id: AllocationId) -> Option<Allocation> {
        self.slot(id)?;
        let slot = self.slots.remove(id.index as usize);
        for path in slot.allocation.paths() {
            self.forget_path(id, path);
        }
        self.deadlines.remove(&(slot.deadline, id));
        self.give_back();
        Some(slot.allocation)
    }

    /// Gives back what a peak has left behind, when three quarters of it are unused: so it is seldom, and worth it.
    fn give_back(&mut self) {
        let needed = self.by_five_tuple.len();
        if self.by_five_tuple.capacity() > 4 * needed.max(LEAST_CAPACITY) {
            self.by_five_tuple.shrink_to(2 * needed);
            // Only free places at the end can go; of the others each keeps a word or two.
            self.slots.shrink_to_fit();
        }
    }

    pub(super) fn find(&self, five_tuple: &FiveTuple) -> Option<AllocationId> {
        self.by_five_tuple.get(five_tuple).copied()
    }

    pub(super) fn get(&self, id: AllocationId) -> Option<&Allocation> {
        self.slot(id).map(|slot| &slot.allocation)
    }

    /// The name of the allocation with this index.
    pub(super) fn id_at(&self, index: u32) -> Option<AllocationId> {
        self.slots.get(index as usize).map(|slot| slot.id)
    }

    /// Changes an allocation; afterwards its deadline is up to date.
    pub(super) fn update<T>(
        &mut self,
        id: AllocationId,
        change: impl FnOnce(&mut Allocation) -> T,
    ) -> Option<T> {
        let slot = self.slots.get_mut(id.index as usize).filter(|slot| slot.id == id)?;
        let result = change(&mut slot.allocation);
        let deadline = slot.allocation.deadline();
        if deadline != slot.deadline {
            self.deadlines.remove(&(slot.deadline, id));
            self.deadlines.insert((deadline, id));
            slot.deadline = deadline;
        }
        Some(result)
    }

    /// Lets an allocation be found by another 5-tuple too.
    pub(super) fn add_path(&mut self, id: AllocationId, path: FiveTuple) {
        self.by_five_tuple.insert(path, id);
    }

    /// Lets an allocation not be found by this 5-tuple any more.
    pub(super) fn forget_path(&mut self, id: AllocationId, path: &FiveTuple) {
        // After the end of its connection the path may be another allocation's.
        if self.by_five_tuple.get(path) == Some(&id) {
            self.by_five_tuple.remove(path);
        }
    }

    /// The earliest deadline of all.
    pub(super) fn next_deadline(&self) -> Option<(Instant, AllocationId)> {
        self.deadlines.first().copied()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = AllocationId> + '_ {
        self.slots.iter().map(|(_, slot)| slot.id)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn slot(&self, id: AllocationId) -> Option<&Slot> {
        self.slots.get(id.index as usize).map(|slot| &**slot).filter(|slot| slot.id == id)
    }
}

/// Below this many allocations there is nothing to be gained: some ten kilobytes.
const LEAST_CAPACITY: usize = 64;
