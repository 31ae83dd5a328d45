//! `MeanUse`: how much of a bandwidth was used of late, as a mean that follows within some ten seconds.

use std::sync::atomic::{AtomicU64, Ordering};

/// The mean of what was used in an epoch, in which newer epochs weigh more. Written when an epoch begins, read by anyone.
#[derive(Debug, Default)]
pub(super) struct MeanUse(AtomicU64);

impl MeanUse {
    /// So much was used in an epoch, and nothing in so many after it.
    pub(super) fn note(&self, bytes: u64, idle_epochs: u64) {
        let before = self.get();
        let mean = before + (bytes as f64 - before) / EPOCHS;
        // Relaxed: the number orders nothing but itself. Epochs are far apart, so that nobody writes at the same time.
        self.0.store((mean * faded(idle_epochs)).to_bits(), Ordering::Relaxed);
    }

    /// The mean in bytes an epoch, if nothing was used in so many epochs since the last note.
    pub(super) fn after(&self, idle_epochs: u64) -> f64 {
        self.get() * faded(idle_epochs)
    }

    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// What is left of a mean after so many epochs with nothing.
fn faded(epochs: u64) -> f64 {
    (1.0 - 1.0 / EPOCHS).powf(epochs as f64)
}

/// Ten seconds' worth: a burst is none, and a scrape sees what was since the one before.
const EPOCHS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_what_is_used_and_fades_when_nothing_is() {
        let mean = MeanUse::default();
        for _ in 0..500 {
            mean.note(1000, 0);
        }
        assert!((mean.after(0) - 1000.0).abs() < 10.0, "{}", mean.after(0));
        assert!(mean.after(500) < 10.0);

        mean.note(1000, 500);
        assert!(mean.after(0) < 10.0);
        mean.note(1000, u64::MAX);
        assert_eq!(mean.after(0), 0.0);
    }
}
