//! What goes on beside the offers: health checks, and looks at the TLS files of backends.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};

use super::backend::Backend;
use super::checks::check_on;
use super::settings::HealthCheckSettings;
use crate::telemetry::BackendsMetrics;

/// Begins; it ends when the returned set is dropped.
pub(super) fn keep(
    backends: &[Arc<Backend>],
    health_check: Option<&HealthCheckSettings>,
    metrics: &BackendsMetrics,
    runtime: &Handle,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for backend in backends {
        match health_check {
            Some(settings) => {
                tasks.spawn_on(check_on(Arc::clone(backend), settings.clone()), runtime);
            }
            None => backend.standing.unchecked(),
        }
        let expires_at = backend.certificate().map(|certificate| certificate.expires_at());
        metrics.shows_certificate(&backend.settings.name, expires_at);
        if backend.has_tls_files() {
            tasks.spawn_on(keep_tls(Arc::clone(backend), metrics.clone()), runtime);
        }
    }
    tasks
}

/// Looks at the files every now and then; what is wrong with them is said once.
async fn keep_tls(backend: Arc<Backend>, metrics: BackendsMetrics) {
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and the files have just been read.
    ticks.tick().await;
    let name = &*backend.settings.name;
    let mut said: Option<String> = None;
    loop {
        ticks.tick().await;
        let looked_at = Arc::clone(&backend);
        // Files of a network may not answer for long.
        match tokio::task::spawn_blocking(move || looked_at.reload_tls()).await {
            Ok(Ok(false)) => said = None,
            Ok(Ok(true)) => {
                said = None;
                let certificate = backend.certificate();
                metrics.shows_certificate(
                    name,
                    certificate.as_ref().map(|certificate| certificate.expires_at()),
                );
                let expires = certificate.map(|certificate| certificate.expiry());
                info!(backend = name, expires, "backend is connected to with new certificates");
            }
            Ok(Err(error)) => {
                backend.standing.metrics.certificate_failed();
                let reason = error.to_string();
                if said.as_ref() != Some(&reason) {
                    warn!(
                        backend = name,
                        reason, "certificates for a backend not reloaded; those before are used on"
                    );
                    said = Some(reason);
                }
            }
            Err(panic) => error!(backend = name, %panic, "looking at a backend's certificates failed"),
        }
    }
}

/// As for the certificates that clients are served with: reading small files costs nothing.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
