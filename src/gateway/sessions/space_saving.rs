//! `SpaceSaving`: the largest of ever so many sums, in bounded memory (Metwally, Agrawal and El Abbadi, 2005).

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// Sums up amounts by key, with so many counters.
///
/// When all are taken, a key that has none takes over the smallest: its count goes on, and what was there before is noted
/// as foreign. So what a key has of its own is what was added for it since then, and what it lost before is no more
/// than what is foreign. No counter has more that is foreign than the total divided by the number of counters, so a
/// key whose share is larger than that has a counter, whoever else comes in whichever order.
#[derive(Debug)]
pub(super) struct SpaceSaving<K> {
    most: usize,
    counters: Vec<Counter<K>>,
    /// Where each key's counter is.
    places: HashMap<K, usize>,
    /// The counts with the places of their counters, the smallest first.
    by_count: BTreeSet<(u64, usize)>,
}

#[derive(Debug)]
struct Counter<K> {
    key: K,
    count: u64,
    foreign: u64,
}

/// What is known of a key's sum: at least `own`, and at most `foreign` more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) own: u64,
    pub(super) foreign: u64,
}

impl<K: Hash + Eq + Clone> SpaceSaving<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, counters: Vec::new(), places: HashMap::new(), by_count: BTreeSet::new() }
    }

    /// Adds an amount to a key's sum.
    pub(super) fn add(&mut self, key: &K, amount: u64) {
        if amount == 0 {
            return;
        }
        let place = match self.places.get(key) {
            Some(&place) => place,
            None => self.place_for(key),
        };
        let counter = &mut self.counters[place];
        self.by_count.remove(&(counter.count, place));
        counter.count = counter.count.saturating_add(amount);
        self.by_count.insert((counter.count, place));
    }

    /// What is known of a key's sum.
    pub(super) fn get(&self, key: &K) -> Sum {
        match self.places.get(key) {
            Some(&place) => self.counters[place].sum(),
            None => Sum { own: 0, foreign: self.most_unseen() },
        }
    }

    /// The keys that have a counter, with their sums.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, Sum)> {
        self.counters.iter().map(|counter| (&counter.key, counter.sum()))
    }

    /// What a key without a counter can have had at most.
    fn most_unseen(&self) -> u64 {
        let is_full = self.counters.len() == self.most;
        self.by_count.first().filter(|_| is_full).map_or(0, |&(count, _)| count)
    }

    /// A counter for a key that has none.
    fn place_for(&mut self, key: &K) -> usize {
        let foreign = self.most_unseen();
        let counter = Counter { key: key.clone(), count: foreign, foreign };
        let place = match self.by_count.first() {
            Some(&(_, smallest)) if self.counters.len() == self.most => {
                let before = std::mem::replace(&mut self.counters[smallest], counter);
                self.places.remove(&before.key);
                smallest
            }
            Some(_) | None => {
                self.counters.push(counter);
                self.counters.len() - 1
            }
        };
        self.places.insert(key.clone(), place);
        place
    }
}

impl<K> Counter<K> {
    fn sum(&self) -> Sum {
        Sum { own: self.count - self.foreign, foreign: self.foreign }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn is_exact_as_long_as_there_are_counters() {
        let mut sums = SpaceSaving::new(3);
        for (key, amount) in [("a", 5), ("b", 1), ("a", 2), ("c", 0), ("c", 4)] {
            sums.add(&key, amount);
        }

        assert_eq!(sums.get(&"a"), Sum { own: 7, foreign: 0 });
        assert_eq!(sums.get(&"b"), Sum { own: 1, foreign: 0 });
        assert_eq!(sums.get(&"c"), Sum { own: 4, foreign: 0 });
    }

    #[test]
    fn who_comes_new_takes_over_the_smallest_counter() {
        let mut sums = SpaceSaving::new(2);
        for (key, amount) in [("a", 5), ("b", 3), ("c", 1), ("c", 1)] {
            sums.add(&key, amount);
        }

        assert_eq!(sums.get(&"a"), Sum { own: 5, foreign: 0 });
        assert_eq!(sums.get(&"c"), Sum { own: 2, foreign: 3 });
        assert_eq!(sums.get(&"b"), Sum { own: 0, foreign: 5 }, "gone, and 3 is within the bound");
    }

    /// Against the exact sums: nobody's is out of its bounds, and no large one is missed.
    #[test]
    fn keeps_its_promise_whoever_comes() {
        for seed in 0..20 {
            let mut random = StdRng::seed_from_u64(seed);
            let (mut sums, mut exact) = (SpaceSaving::new(50), HashMap::<u32, u64>::new());
            for _ in 0..20_000 {
                // Few come often, many come once.
                let key = 1_u32 << random.random_range(0..16) | random.random_range(0..16);
                let amount = random.random_range(1..1500);
                sums.add(&key, amount);
                *exact.entry(key).or_default() += amount;
            }

            let total: u64 = exact.values().sum();
            assert_eq!(sums.counters.iter().map(|counter| counter.count).sum::<u64>(), total);
            for (key, &sum) in &exact {
                let Sum { own, foreign } = sums.get(key);
                assert!(own <= sum && sum <= own + foreign, "{key}: {own} to {foreign} more, not {sum}");
                assert!(foreign <= total / 50, "{foreign} of {total}");
                assert!(sum <= total / 50 || own > 0, "{key} is missed with {sum} of {total}");
            }
        }
    }

    #[test]
    fn a_million_keys_take_no_more_than_the_counters() {
        let mut sums = SpaceSaving::new(1000);
        let mut random = StdRng::seed_from_u64(7);

        for _ in 0..1_000_000 {
            sums.add(&random.random::<u64>(), 1200);
        }

        assert_eq!((sums.counters.len(), sums.places.len(), sums.by_count.len()), (1000, 1000, 1000));
        assert!(sums.counters.capacity() <= 2048 && sums.places.capacity() <= 4096);
    }
}
