//! From text to settings, as a whole.

mod backends;
mod embedded;
mod environment;
mod errors;
mod ice_servers;
mod keys;
mod manual;
mod passthrough;
mod records;
mod settings;
mod shared_port;
mod strangers;
mod traces;
mod values;
mod warnings;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Settings, Written};

/// A folder with a configuration and the files that it names.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(config: &str) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.with("turnpike.toml", config)
    }

    fn with(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("turnpike.toml")
    }

    fn read(&self, env: &[(&str, &str)]) -> Result<Written, String> {
        super::read(&self.config(), variables(env)).map_err(|errors| self.relative(&errors))
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Settings, String> {
        super::load(&self.config(), variables(env)).map_err(|errors| self.relative(&errors))
    }

    /// The messages without the name of the folder.
    fn relative(&self, errors: &super::ConfigErrors) -> String {
        errors.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn variables(env: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
    env.iter().map(|(name, value)| (name.into(), value.into()))
}
