//! Turns text into the settings of every room: defaults, then the file, then the environment.
//!
//! In: a TOML file and `TURNPIKE_…` variables. Out: [`Settings`], or every error at once, each with its place.
//!
//! ```text
//! text, variables → document (one tree, places noted, unknown keys refused) → schema (types, units) → resolve (rules)
//! ```

pub mod addresses;
mod auth_hook;
mod backend_schema;
mod choices;
mod credential_schema;
mod defaults;
mod document;
mod embedded_schema;
mod env;
mod error;
mod front_schema;
mod ice_schema;
mod key_schema;
mod keys;
mod log_schema;
pub mod moment;
mod peer_schema;
mod place;
mod record_schema;
pub mod request_rate;
mod resolve;
pub mod schema;
mod secrets;
mod suggestion;
mod text;
mod trace_schema;
pub mod units;
mod values;
mod warning;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{demo, gateway, records, relay, telemetry, turn};

pub use auth_hook::{AuthHook, HookUrl};
pub use env::FILE_VARIABLE;
pub use error::{Cause, ConfigError, ConfigErrors};
pub use place::Place;
pub use suggestion::Suggestion;
pub use values::Values;
pub use warning::Warning;

use document::Document;
use place::Places;
use schema::Schema;

/// The settings of every room.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The TURN state machine.
    pub turn: turn::Settings,
    /// Other servers that clients can be sent to.
    pub alternates: Vec<SocketAddr>,
    /// The service that is asked about users whom nobody here knows.
    pub auth_hook: Option<AuthHook>,
    /// The data plane.
    pub relay: relay::Settings,
    /// The HTTP front.
    pub gateway: gateway::Settings,
    /// Metrics and health.
    pub admin: gateway::AdminSettings,
    /// What is kept of sessions that have ended, if anything is.
    pub records: Option<records::RecordSettings>,
    /// The inference backend of this process, if the gateway has one.
    pub embedded: Option<demo::EmbeddedSettings>,
    /// Logs.
    pub telemetry: telemetry::Settings,
    /// Where traces go, if anything is traced.
    pub traces: Option<telemetry::TraceSettings>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Warning>,
    /// What was written for each option.
    pub values: Values,
}

impl Settings {
    /// Warns of keys that have expired, or are about to.
    pub fn expiring_keys(&self, now: SystemTime) -> Vec<Warning> {
        warning::expiring(&self.gateway.keys, now)
    }
}

/// A configuration whose types and units are right, before its rules are checked.
#[derive(Debug, Clone)]
pub struct Written {
    schema: Schema,
    places: Places,
    values: Values,
    /// What relative paths start from.
    folder: PathBuf,
}

impl Written {
    /// The values, with defaults where nothing was written.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The environment variables that were used.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.places.variables()
    }

    /// Checks the rules between values and reads the files that hold secrets.
    pub fn resolve(&self) -> Result<Settings, ConfigErrors> {
        resolve::resolve(self)
    }
}

/// Reads a file, puts the environment over it, and checks everything.
pub fn load(path: &Path, env: impl Iterator<Item = (OsString, OsString)>) -> Result<Settings, ConfigErrors> {
    read(path, env)?.resolve()
}

/// Reads a file and puts the environment over it.
pub fn read(path: &Path, env: impl Iterator<Item = (OsString, OsString)>) -> Result<Written, ConfigErrors> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let place = Place::File { path: path.to_owned(), position: None };
        ConfigError::new(place, Cause::Unreadable(error))
    })?;
    let shape = keys::known_keys();
    let variables = env::ours(env);
    let mut document = Document::parse(path, &text, &shape);
    env::overlay(&mut document, &shape, &variables);
    let values = document.values();
    let (schema, places) = document.read()?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Written { schema, places, values, folder })
}
