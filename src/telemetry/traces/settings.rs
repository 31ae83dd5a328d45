//! What an operator can choose about traces.

use std::path::PathBuf;
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderName, Uri};

use crate::secret::Secret;

/// Where traces go, and which of them.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSettings {
    /// Where a collector takes OTLP by HTTP or HTTPS.
    pub endpoint: Uri,
    /// Header fields that show the collector who we are; each value can stand in a header.
    pub headers: Vec<(HeaderName, Secret)>,
    /// The issuers that the collector's certificate is checked by, as PEM; by default those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The share of traces that is recorded, 0 to 1; default 1.
    pub sample_ratio: f64,
    /// Whether clients that send a `traceparent` decide themselves; default false.
    pub follow_clients: bool,
    /// How long an answer of the collector may take; default 10 s.
    pub timeout: Duration,
}

impl TraceSettings {
    /// Every trace, to a collector that asks for nothing.
    pub fn to(endpoint: Uri) -> Self {
        Self {
            endpoint,
            headers: Vec::new(),
            ca_file: None,
            sample_ratio: 1.0,
            follow_clients: false,
            timeout: Duration::from_secs(10),
        }
    }

    /// Whether the collector is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        self.endpoint.scheme() == Some(&Scheme::HTTPS)
    }
}
