//! `turnpike serve`: load the settings and start.

use super::ConfigFile;
use crate::app;

pub(super) fn run(file: &ConfigFile) -> anyhow::Result<()> {
    app::serve(file.read()?.resolve()?)
}
