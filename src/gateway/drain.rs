//! `Drain`: whether offers are refused, so that sessions become fewer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The one switch of a process; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Drain(Arc<AtomicBool>);

impl Drain {
    /// Begins or ends the drain.
    pub fn set(&self, is_on: bool) {
        self.0.store(is_on, Ordering::Release);
    }

    /// Whether offers are refused.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
