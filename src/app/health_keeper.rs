//! Has the relay look every now and then whether it could relay, and says where that ends and begins.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::gateway::{Drain, PartReadiness, Readiness};
use crate::relay::{Fault, Health};
use crate::telemetry::Metrics;

/// The health of a relay that may be still to come.
pub(super) type PendingHealth = Arc<OnceLock<Health>>;

/// Tells the admin listener which part can serve.
pub(super) fn readiness(drain: Drain, relay: PendingHealth) -> Readiness {
    Arc::new(move || {
        let draining = drain.is_on().then(|| "it drains, and takes no further sessions".to_owned());
        let relay_reason = match relay.get() {
            None => Some("the workers are starting".to_owned()),
            Some(health) => {
                health.fault(present()).map(|fault| fault.to_string()).or_else(|| draining.clone())
            }
        };
        vec![
            PartReadiness { part: "gateway", ready: draining.is_none(), reason: draining },
            PartReadiness { part: "relay", ready: relay_reason.is_none(), reason: relay_reason },
        ]
    })
}

/// Keeps what is known of the health of a relay that has started up to date for ever.
pub(super) async fn keep(relay: PendingHealth, metrics: Metrics) {
    let Some(health) = relay.get().cloned() else { return };
    metrics.watch_relay_readiness({
        let health = health.clone();
        move || health.fault(present()).is_none()
    });
    let mut ticks = tokio::time::interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_ready = true;
    loop {
        ticks.tick().await;
        let fault = health.fault(present());
        if fault.is_none() != is_ready {
            is_ready = fault.is_none();
            tell(fault);
        }
        health.examine(present());
    }
}

fn tell(fault: Option<Fault>) {
    match fault {
        Some(fault) => warn!(%fault, "relay is not ready"),
        None => info!("relay is ready again"),
    }
}

#[expect(clippy::disallowed_methods, reason = "the workers answer by the clock of the machine")]
fn present() -> Instant {
    Instant::now()
}

/// Costs each worker some 20 µs; whoever asks for readiness learns of a fault within this and three seconds.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
