//! What is counted of the certificates that are served.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGaugeVec};

use super::catalog;

/// The certificates of one process; clones share the counts.
#[derive(Debug, Clone)]
pub struct CertificateMetrics {
    expiry: IntGaugeVec,
    reloads: IntCounterVec,
}

/// Which part of the process serves a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateOwner {
    /// The relay, to TURN clients with TLS.
    Relay,
    /// The gateway, to clients with HTTPS.
    Gateway,
}

impl CertificateMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        const VALID: &str = "names and labels of the catalogue are valid, as its tests check";
        let (expiry, reloads) = (catalog::CERTIFICATE_EXPIRY, catalog::CERTIFICATE_RELOADS);
        let metrics = Self {
            expiry: IntGaugeVec::new(expiry.opts(), expiry.labels).expect(VALID),
            reloads: IntCounterVec::new(reloads.opts(), reloads.labels).expect(VALID),
        };
        register(Box::new(metrics.expiry.clone()));
        register(Box::new(metrics.reloads.clone()));
        metrics
    }

    /// Notes when the certificate expires that is served from now on.
    pub fn serves(&self, owner: CertificateOwner, expires_at: SystemTime) {
        let since = expires_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.expiry.with_label_values(&[owner.label()]).set(since.as_secs() as i64);
        // A rate can be computed of the first failure only if the series was there before it.
        for result in [SUCCEEDED, FAILED] {
            self.reloads.with_label_values(&[owner.label(), result]);
        }
    }

    /// Counts a new certificate that is served.
    pub fn reloaded(&self, owner: CertificateOwner) {
        self.reloads.with_label_values(&[owner.label(), SUCCEEDED]).inc();
    }

    /// Counts a look at files that cannot be served.
    pub fn reload_failed(&self, owner: CertificateOwner) {
        self.reloads.with_label_values(&[owner.label(), FAILED]).inc();
    }
}

impl CertificateOwner {
    /// The value of the metrics' label, and of the field in logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Gateway => "gateway",
        }
    }
}

const SUCCEEDED: &str = "succeeded";
const FAILED: &str = "failed";
