//! `ProcessOperations`: what operators may do with the process while it runs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::config::{ConfigErrors, Settings, Values};
use crate::gateway::{Operations, ReloadReport, Updater};
use crate::telemetry::{ConfigMetrics, LogControl, LogFilter};
use crate::tls::TlsError;

/// Reads the configuration of the process from where it came from.
pub(super) type Load = dyn Fn() -> Result<Settings, ConfigErrors> + Send + Sync;

/// The parts that can change while the process runs.
pub(super) struct ProcessOperations {
    load: Arc<Load>,
    gateway: Updater,
    log: LogControl,
    /// Without it the keepers of the certificates end.
    reload_certificates: watch::Sender<()>,
    /// Held while the configuration is read, so that the last reader's is in effect.
    in_effect: Mutex<InEffect>,
    metrics: ConfigMetrics,
}

struct InEffect {
    values: Values,
    /// What the file says is logged; an operator may have said something else since.
    log_filter: LogFilter,
}

impl ProcessOperations {
    pub(super) fn new(
        load: Arc<Load>,
        settings: &Settings,
        gateway: Updater,
        log: LogControl,
        reload_certificates: watch::Sender<()>,
        metrics: ConfigMetrics,
    ) -> Self {
        let in_effect =
            InEffect { values: settings.values.clone(), log_filter: settings.telemetry.log_filter.clone() };
        Self { load, gateway, log, reload_certificates, in_effect: Mutex::new(in_effect), metrics }
    }

    fn put_into_effect(
        &self,
        settings: &Settings,
        in_effect: &mut InEffect,
    ) -> Result<ReloadReport, TlsError> {
        self.gateway.update(&settings.gateway)?;
        let (changed, needs_restart) = in_effect
            .values
            .differing(&settings.values)
            .map(str::to_owned)
            .partition(|option| can_change(option));
        let log_filter = settings.telemetry.log_filter.clone();
        if log_filter != in_effect.log_filter {
            if let Err(error) = self.log.set(log_filter.clone()) {
                warn!(%error, "the log keeps its level");
            }
            in_effect.log_filter = log_filter;
        }
        // What needs a restart is told again with every reload, until there was one.
        in_effect.values.take_over(&settings.values, can_change);
        Ok(ReloadReport { changed, needs_restart })
    }

    fn read_anew(&self) -> Result<ReloadReport, String> {
        self.reload_certificates.send_replace(());
        let mut in_effect = self.in_effect.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = (self.load)().map_err(|errors| {
            error!(%errors, "configuration is wrong, the one before stays in effect");
            errors.to_string()
        })?;
        if settings.gateway.backends.has_embedded() {
            let refusal = "the embedded backend starts with the process only: start turnpike anew to use it";
            error!(refusal, "the configuration before stays in effect");
            return Err(refusal.to_owned());
        }
        super::warn_of(&settings);
        let report = self.put_into_effect(&settings, &mut in_effect).map_err(|error| {
            error!(%error, "TLS files of a backend are wrong, the configuration before stays in effect");
            error.to_string()
        })?;
        info!(changed = ?report.changed, "configuration read anew");
        if !report.needs_restart.is_empty() {
            warn!(options = ?report.needs_restart, "these options take effect when turnpike is started anew");
        }
        Ok(report)
    }
}

impl Operations for ProcessOperations {
    fn reload(&self) -> Result<ReloadReport, String> {
        let report = self.read_anew();
        self.metrics.reloaded(report.is_ok());
        report
    }

    fn log_level(&self) -> String {
        self.log.filter().as_str().to_owned()
    }

    fn set_log_level(&self, level: &str) -> Result<(), String> {
        let filter = LogFilter::parse(level).map_err(|error| error.to_string())?;
        self.log.set(filter).map_err(|error| error.to_string())?;
        info!(level, "log level changed");
        Ok(())
    }
}

impl fmt::Debug for ProcessOperations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessOperations").field("log", &self.log).finish_non_exhaustive()
    }
}

/// Whether an option takes effect without a restart.
fn can_change(option: &str) -> bool {
    let is_within = |section: &str| {
        option.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    Updater::OPTIONS.into_iter().chain(["log.level"]).any(is_within)
}
