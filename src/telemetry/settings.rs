//! What an operator can choose about logs and metrics.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use super::coturn_metrics::CompatibleWith;
use super::redact::{ShownAddresses, ShownUserIds};

/// Settings of what operators see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// How a log line looks.
    pub log_format: LogFormat,
    /// The least level that is logged, or a filter such as `info,turnpike::relay=debug`.
    pub log_filter: LogFilter,
    /// What logs show of addresses.
    pub shown_addresses: ShownAddresses,
    /// What logs show of user ids.
    pub shown_user_ids: ShownUserIds,
    /// Whose metrics are shown beside ours.
    pub compatible_with: Vec<CompatibleWith>,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// A filter in the syntax of `tracing_subscriber::EnvFilter`, checked when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Checks a filter.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        EnvFilter::builder().parse(text).map(|_| Self(text.to_owned()))
    }

    pub(super) fn to_env_filter(&self) -> EnvFilter {
        let filter = format!("{QUIET},{}", self.0);
        EnvFilter::builder().parse(filter).expect("checked when it was made")
    }

    /// The filter as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The libraries of the embedded backend tell what is wrong with what clients send, whom they name by their addresses. A
/// filter that names them hears it.
const QUIET: &str = "rtc=off,webrtc=off";

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".into())
    }
}
