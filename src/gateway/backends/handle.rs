//! `BackendsHandle`: where operators see the backends, and drain, resume and exchange them.

use std::sync::Arc;

use super::pool::Backends;
use super::settings::BackendsSettings;
use super::view::{BackendView, UnknownBackend};
use crate::tls::TlsError;

/// Leads to the backends of a gateway.
#[derive(Debug, Clone)]
pub struct BackendsHandle(pub(in crate::gateway) Arc<Backends>);

impl BackendsHandle {
    /// All of them as they are now, in the order of the settings.
    pub fn views(&self) -> Vec<BackendView> {
        self.0.views()
    }

    /// Gives a backend no more offers; what lives there goes on. Returns how many sessions that are.
    pub fn drain(&self, name: &str) -> Result<usize, UnknownBackend> {
        self.0.set_draining(name, true)
    }

    /// Gives a backend offers again. Returns how many sessions live there.
    pub fn resume(&self, name: &str) -> Result<usize, UnknownBackend> {
        self.0.set_draining(name, false)
    }

    /// Goes on with other settings. What is known of a backend stays with its name, and its connections stay if they lead
    /// to the same place; those that are gone finish what they have. Reads files; an error leaves everything as it is.
    pub fn update(&self, settings: &BackendsSettings) -> Result<(), TlsError> {
        self.0.update(settings)
    }
}
