//! `turnpike doctor`: looks at a configuration and the machine around it, and says what will not go well and what mends it.
//!
//! In: settings. Out: [`Finding`]s. It asks the kernel and the files what a configuration alone cannot tell, and then starts a copy of
//! the whole on free ports of this machine, with the same relay addresses, backends and limits: a client of webrtc-rs relays
//! packets through it, and its gateway asks the backends how they are. What runs already goes on undisturbed.

mod finding;
mod kernel;
mod network;
mod trial;

use std::time::{Duration, SystemTime};

use crate::config::Settings;
use crate::tls::{CertificateFiles, CertificateStore};
pub use finding::{Finding, Verdict};

/// Looks at everything; what is wrong comes where it was found.
pub async fn examine(settings: &Settings, now: SystemTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    let expiring = settings.expiring_keys(now);
    let warnings = settings.warnings.iter().chain(&expiring).map(ToString::to_string);
    findings.extend(warnings.map(|warning| Finding::doubtful("configuration", warning)));
    if findings.is_empty() {
        findings.push(Finding::good("configuration", "nothing in it is probably not meant"));
    }
    for (owner, files) in [("turn.tls", &settings.relay.tls), ("gateway.tls", &settings.gateway.tls)] {
        findings.extend(files.as_ref().map(|files| certificate(owner, files, now)));
    }
    findings.extend(kernel::look(settings));
    findings.extend(network::look(settings));
    findings.extend(trial::run(settings).await);
    findings
}

fn certificate(owner: &str, files: &CertificateFiles, now: SystemTime) -> Finding {
    let certificate = match CertificateStore::load(files, &[], now) {
        Ok(store) => store.certificate(),
        Err(error) => return Finding::wrong("certificate", format!("{owner}: {error}")),
    };
    let expiry = certificate.expiry();
    match certificate.expires_at().duration_since(now) {
        Ok(left) if left >= SOON => Finding::good("certificate", format!("{owner} serves until {expiry}")),
        Ok(_) => Finding::doubtful(
            "certificate",
            format!("{owner} serves until {expiry} only; renew it: new files are served without a restart"),
        ),
        Err(_) => Finding::wrong(
            "certificate",
            format!("{owner} has expired at {expiry}; renew it: new files are served without a restart"),
        ),
    }
}

/// What renews certificates does so a month before they end.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
