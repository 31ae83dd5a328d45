//! `SdpCheck`: whether an offer's SDP is one that a backend can answer.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use super::settings::OfferSettings;
use crate::sdp::{CandidateKind, Description, Invalid};
use crate::telemetry::GatewayMetrics;

/// A relayed address that an offer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Relayed {
    pub(in crate::gateway) address: SocketAddr,
    /// Where the client says that its TURN server sees it.
    pub(in crate::gateway) related: Option<SocketAddr>,
}

/// The check of every offer's SDP, as the settings want it at the moment; clones share them.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct SdpCheck {
    /// Locked for a copy only.
    settings: Arc<RwLock<OfferSettings>>,
    metrics: GatewayMetrics,
}

impl SdpCheck {
    pub(in crate::gateway) fn new(settings: OfferSettings, metrics: GatewayMetrics) -> Self {
        Self { settings: Arc::new(RwLock::new(settings)), metrics }
    }

    /// Holds for offers from now on.
    pub(in crate::gateway) fn update(&self, settings: OfferSettings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// The relayed addresses that an offer names, if it is one; a refusal is counted.
    pub(in crate::gateway) fn check(&self, sdp: &str) -> Result<Vec<Relayed>, Invalid> {
        let settings = *self.settings.read().unwrap_or_else(PoisonError::into_inner);
        let description = Description::parse(sdp, &settings.bounds());
        if !settings.check_sdp {
            return Ok(description.map_or(Vec::new(), |description| relayed_addresses(&description)));
        }
        let checked = description.and_then(|description| {
            description.check_offer()?;
            Ok(relayed_addresses(&description))
        });
        checked.inspect_err(|invalid| self.metrics.sdp_refused(invalid.flaw.code()))
    }
}

/// Each address once, although every section names those that it has.
fn relayed_addresses(description: &Description<'_>) -> Vec<Relayed> {
    let mut found: Vec<Relayed> = Vec::new();
    for candidate in description.candidates().filter(|candidate| candidate.kind == CandidateKind::Relayed) {
        let Some(address) = candidate.socket_addr() else { continue };
        if found.len() < MOST_RELAYED && found.iter().all(|relayed| relayed.address != address) {
            found.push(Relayed { address, related: candidate.related_addr() });
        }
    }
    found
}

/// Clients have an allocation for each server and family, and twice as many until they bundle.
const MOST_RELAYED: usize = 32;
