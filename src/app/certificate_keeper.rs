//! `CertificateKeeper`: serves new certificates soon after their files have changed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::{error, info, warn};

use crate::telemetry::{CertificateMetrics, CertificateOwner};
use crate::tls::{Certificate, CertificateStore, TlsError};

/// Keeps the certificate of one part of the process.
#[derive(Debug)]
pub(super) struct CertificateKeeper {
    owner: CertificateOwner,
    store: Arc<CertificateStore>,
    metrics: CertificateMetrics,
    /// What was last said to be wrong with the files.
    failure: Option<String>,
    /// How near the expiry was when that was last said.
    warned: Option<Duration>,
}

impl CertificateKeeper {
    /// Says which certificate is served.
    pub(super) fn new(
        owner: CertificateOwner,
        store: Arc<CertificateStore>,
        metrics: CertificateMetrics,
    ) -> Self {
        let mut keeper = Self { owner, store, metrics, failure: None, warned: None };
        keeper.serves(&keeper.store.certificate());
        keeper.warn_of_expiry(present());
        keeper
    }

    /// Looks at the files every now and then, and whenever `asked` says so, until nobody can ask any more.
    pub(super) async fn keep(mut self, mut asked: watch::Receiver<()>) {
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, and the files have just been read.
        ticks.tick().await;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                changed = asked.changed() => if changed.is_err() { return },
            }
            let store = Arc::clone(&self.store);
            // Files of a network may not answer for long.
            match tokio::task::spawn_blocking(move || store.reload(present())).await {
                Ok(result) => self.tell(result, present()),
                Err(panic) => error!(part = self.owner.label(), %panic, "looking at a certificate failed"),
            }
        }
    }

    fn tell(&mut self, result: Result<Option<Certificate>, TlsError>, now: SystemTime) {
        match result {
            Ok(None) => self.failure = None,
            Ok(Some(certificate)) => {
                (self.failure, self.warned) = (None, None);
                self.metrics.reloaded(self.owner);
                self.serves(&certificate);
            }
            Err(error) => {
                self.metrics.reload_failed(self.owner);
                let failure = error.to_string();
                // The next look mostly finds the same.
                if self.failure.as_ref() != Some(&failure) {
                    let part = self.owner.label();
                    warn!(part, %error, "certificate not reloaded; the one before is served on");
                    self.failure = Some(failure);
                }
            }
        }
        self.warn_of_expiry(now);
    }

    fn serves(&self, certificate: &Certificate) {
        let Certificate { subject, serial, .. } = certificate;
        let (part, expires) = (self.owner.label(), certificate.expiry());
        info!(part, subject, serial, expires, "certificate serves");
        self.metrics.serves(self.owner, certificate.expires_at());
    }

    /// Warns once for each step that the expiry has come nearer.
    fn warn_of_expiry(&mut self, now: SystemTime) {
        let certificate = self.store.certificate();
        // What has expired has nothing left; the look at the files says so too.
        let left = certificate.expires_at().duration_since(now).unwrap_or_default();
        let reached = NEAR.into_iter().find(|step| left < *step);
        if reached.is_some() && reached != self.warned {
            let (part, expires) = (self.owner.label(), certificate.expiry());
            warn!(
                part,
                expires, "certificate expires soon; renew it, the new files are served without a restart"
            );
        }
        self.warned = reached;
    }
}

#[expect(clippy::disallowed_methods, reason = "app has a clock; certificates expire by the wall's")]
fn present() -> SystemTime {
    SystemTime::now()
}

/// As soon as anybody waits for after a renewal, and reading two small files costs nothing.
///
/// The contents are compared, as no notice of the kernel covers all ways to exchange files: Kubernetes swaps a link to
/// their folder, editors and certbot put others in their place, network file systems tell nothing.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// The steps of the warnings, the last first; the alerts of deploy/prometheus have the same.
const NEAR: [Duration; 2] = [Duration::from_hours(2 * 24), Duration::from_hours(14 * 24)];

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::telemetry::Metrics;
    use crate::tls::CertificateFiles;

    #[test]
    fn warns_at_each_step_and_anew_for_each_certificate() {
        let folder = TempDir::new().unwrap();
        let mut keeper = keeper(&folder);
        let expires_at = keeper.store.certificate().expires_at();
        let [days_2, days_14] = NEAR;
        for (left, warned) in [
            (days_14, None),
            (days_14 - Duration::from_secs(1), Some(days_14)),
            (days_2, Some(days_14)),
            (days_2 - Duration::from_secs(1), Some(days_2)),
            (Duration::ZERO, Some(days_2)),
        ] {
            keeper.warn_of_expiry(expires_at - left);
            assert_eq!(keeper.warned, warned, "{left:?}");
        }

        issue(&folder);
        let reloaded = keeper.store.reload(present());
        keeper.tell(reloaded, present());

        assert_eq!(keeper.warned, None);
    }

    #[test]
    fn remembers_a_failure_until_the_files_are_right() {
        let folder = TempDir::new().unwrap();
        let mut keeper = keeper(&folder);
        let look = |keeper: &mut CertificateKeeper| {
            let result = keeper.store.reload(present());
            keeper.tell(result, present());
            keeper.failure.clone()
        };
        assert_eq!(look(&mut keeper), None);
        fs::write(folder.path().join("tls.key"), "").unwrap();
        let failure = look(&mut keeper);
        assert!(failure.as_ref().is_some_and(|failure| failure.contains("no private key")), "{failure:?}");
        assert_eq!(look(&mut keeper), failure);
        issue(&folder);
        assert_eq!(look(&mut keeper), None);
    }

    fn keeper(folder: &TempDir) -> CertificateKeeper {
        let files = issue(folder);
        let store = Arc::new(CertificateStore::load(&files, &[], present()).unwrap());
        CertificateKeeper::new(CertificateOwner::Relay, store, Metrics::new().certificates().clone())
    }

    fn issue(folder: &TempDir) -> CertificateFiles {
        let path = |name| folder.path().join(name);
        let files = CertificateFiles { certificate: path("tls.crt"), private_key: path("tls.key") };
        let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(&files.certificate, issued.cert.pem()).unwrap();
        fs::write(&files.private_key, issued.signing_key.serialize_pem()).unwrap();
        files
    }
}
