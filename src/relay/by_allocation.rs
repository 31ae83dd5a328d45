//! `ByAllocation`: one of something for each allocation, found by the allocation's index.

/// A flat table whose entries are boxed, so that a peak of allocations leaves a word behind for each and no more.
#[derive(Debug)]
pub(super) struct ByAllocation<T>(Vec<Option<Box<T>>>);

impl<T> Default for ByAllocation<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByAllocation<T> {
    pub(super) fn insert(&mut self, index: u32, value: T) {
        let index = index as usize;
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index] = Some(Box::new(value));
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Box<T>> {
        let value = self.0.get_mut(index as usize)?.take()?;
        // Indices are small and used again, so the free ones gather at the end.
        while self.0.last().is_some_and(Option::is_none) {
            self.0.pop();
        }
        if self.0.capacity() > 4 * self.0.len().max(LEAST_CAPACITY) {
            self.0.shrink_to(2 * self.0.len());
        }
        Some(value)
    }

    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.0.get(index as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.0.get_mut(index as usize)?.as_deref_mut()
    }
}

/// Below this many there is nothing to be gained.
const LEAST_CAPACITY: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_inserted_until_it_is_removed() {
        let mut table = ByAllocation::default();
        table.insert(7, "seven");
        table.insert(2, "two");
        assert_eq!((table.get(7), table.get(2), table.get(3)), (Some(&"seven"), Some(&"two"), None));
        *table.get_mut(2).unwrap() = "second";
        assert_eq!(table.remove(2).as_deref(), Some(&"second"));
        assert_eq!((table.remove(2), table.get(7)), (None, Some(&"seven")));
    }

    #[test]
    fn gives_back_what_a_peak_took() {
        let mut table = ByAllocation::default();
        (0..10_000).for_each(|index| table.insert(index, [0_u64; 8]));
        (0..10_000).for_each(|index| drop(table.remove(index)));
        assert!(table.0.is_empty() && table.0.capacity() <= 4 * LEAST_CAPACITY, "{}", table.0.capacity());
    }
}
