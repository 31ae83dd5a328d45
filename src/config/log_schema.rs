//! `[log]` as serde reads it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::choices::{LogFormat, LoggedAddresses, LoggedUserIds};
use super::units::HumanDuration;
use crate::gateway::AccessLogSettings;
use crate::telemetry;

/// What is logged.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How a line looks: `text` for people, `json` for collectors.
    pub format: LogFormat,
    /// The least level that is logged: `error`, `warn`, `info`, `debug`, `trace` or `off`. After it, levels of single
    /// parts may follow, such as `info,turnpike::relay=debug`.
    pub level: String,
    /// What is shown of addresses of clients and peers: `full`, `short` for their network alone (/24, /48), or `hash` for a text
    /// that is the same for an address until the process ends.
    pub addresses: LoggedAddresses,
    /// What is shown of user ids and TURN usernames: `full` or `hash`.
    pub user_ids: LoggedUserIds,
    /// The access log: the share of the gateway's requests that have a line of their own, from 0 for none to 1 for all. Above
    /// 0, requests with an answer of 500 or above and slow ones have one in any case. Which others have one depends on
    /// their trace id alone, so that all instances log the same traces. This and the next two may change while clients are
    /// served.
    pub access_sample: f64,
    /// From which time on a request is slow, 1ms to 5m: that from its headers to those of its answer.
    pub access_slow: HumanDuration,
    /// Lines of the access log in a second, 1 to 100000. Further ones are left out, and the next line says how many.
    pub access_per_second: u32,
}

impl Default for Log {
    fn default() -> Self {
        let telemetry = telemetry::Settings::default();
        let access = AccessLogSettings::default();
        Self {
            format: match telemetry.log_format {
                telemetry::LogFormat::Text => LogFormat::Text,
                telemetry::LogFormat::Json => LogFormat::Json,
            },
            level: telemetry.log_filter.as_str().to_owned(),
            addresses: match telemetry.shown_addresses {
                telemetry::ShownAddresses::Full => LoggedAddresses::Full,
                telemetry::ShownAddresses::Short => LoggedAddresses::Short,
                telemetry::ShownAddresses::Hash => LoggedAddresses::Hash,
            },
            user_ids: match telemetry.shown_user_ids {
                telemetry::ShownUserIds::Full => LoggedUserIds::Full,
                telemetry::ShownUserIds::Hash => LoggedUserIds::Hash,
            },
            access_sample: access.sample,
            access_slow: HumanDuration(access.slow),
            access_per_second: access.per_second,
        }
    }
}
