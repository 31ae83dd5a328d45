//! `LogControl`: changes what is logged while the process runs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload;

use super::settings::LogFilter;

/// The filter in front of the log; clones share it.
#[derive(Clone)]
pub struct LogControl {
    present: Arc<Mutex<LogFilter>>,
    exchange: Arc<Exchange>,
}

/// Puts another filter in front of the log.
type Exchange = dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync;

impl LogControl {
    pub(super) fn new<S: 'static>(present: LogFilter, handle: reload::Handle<EnvFilter, S>) -> Self {
        let exchange = move |filter| handle.reload(filter);
        Self { present: Arc::new(Mutex::new(present)), exchange: Arc::new(exchange) }
    }

    /// One for a process whose log is somebody else's: it only remembers.
    pub fn detached() -> Self {
        Self { present: Arc::default(), exchange: Arc::new(|_| Ok(())) }
    }

    /// What is logged.
    pub fn filter(&self) -> LogFilter {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logs what this filter lets through from now on; fails only when the log has ended.
    pub fn set(&self, filter: LogFilter) -> Result<(), reload::Error> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        (self.exchange)(filter.to_env_filter())?;
        *present = filter;
        Ok(())
    }
}

impl fmt::Debug for LogControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogControl").field(&self.filter()).finish()
    }
}
