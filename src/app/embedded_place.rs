//! `Place`: where the embedded backend is, for every configuration that names it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::operations::Load;
use crate::config::Settings;
use crate::demo::EmbeddedBackend;

/// The address of the embedded backend, which is there from the start of the process on or never.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(Option<SocketAddr>);

impl Place {
    pub(super) fn of(embedded: Option<&EmbeddedBackend>) -> Self {
        Self(embedded.map(EmbeddedBackend::address))
    }

    pub(super) fn put_into(self, mut settings: Settings) -> Settings {
        if let Some(address) = self.0 {
            settings.gateway.backends.place_embedded(address);
        }
        settings
    }

    /// The same for what is read later.
    pub(super) fn put_into_all(self, load: Arc<Load>) -> Arc<Load> {
        Arc::new(move || Ok(self.put_into(load()?)))
    }
}
