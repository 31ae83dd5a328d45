//! `SdpCheck`: whether an offer's SDP is one that a backend can answer.

use std::sync::{Arc, PoisonError, RwLock};

use super::settings::OfferSettings;
use crate::sdp::{Description, Invalid};
use crate::telemetry::GatewayMetrics;

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

    /// A refusal is counted.
    pub(in crate::gateway) fn check(&self, sdp: &str) -> Result<(), Invalid> {
        let settings = *self.settings.read().unwrap_or_else(PoisonError::into_inner);
        if !settings.check_sdp {
            return Ok(());
        }
        Description::parse(sdp, &settings.bounds())
            .and_then(|description| description.check_offer())
            .inspect_err(|invalid| self.metrics.sdp_refused(invalid.flaw.code()))
    }
}
