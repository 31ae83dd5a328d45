//! `turnpike serve`: load the settings and start.

use super::ConfigFile;
use crate::app;

pub(super) fn run(file: &ConfigFile) -> anyhow::Result<()> {
    let file = file.clone();
    app::serve(move || file.read()?.resolve(), || {})
}
