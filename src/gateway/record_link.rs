//! `RecordLink`: the way to the records, if any are kept.

use std::sync::{Arc, OnceLock};

use crate::records::Records;

/// The way to the records, which are opened after the gateway is bound; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct RecordLink(Arc<OnceLock<Records>>);

impl RecordLink {
    /// Tells which records they are; the first ones stay.
    pub(super) fn join(&self, records: Records) {
        let _ = self.0.set(records);
    }

    pub(super) fn get(&self) -> Option<&Records> {
        self.0.get()
    }
}
