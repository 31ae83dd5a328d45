//! The live page: the files of `web/admin`, as they are.

use axum::Router;

use crate::pages::{self, WebFile};

/// The page at `/`, and what it loads.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    pages::routes(&FILES, POLICY)
}

/// Nothing from elsewhere, and nothing inline. uPlot sets styles, which scripts may.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! file {
    ($path:literal, $name:literal) => {
        WebFile { path: $path, name: $name, text: include_str!(concat!("../../../web/admin/", $name)) }
    };
}

static FILES: [WebFile; 19] = [
    file!("/", "index.html"),
    file!("/assets/style.css", "style.css"),
    file!("/assets/icon.svg", "icon.svg"),
    file!("/assets/main.js", "main.js"),
    file!("/assets/api.js", "api.js"),
    file!("/assets/sse.js", "sse.js"),
    file!("/assets/events.js", "events.js"),
    file!("/assets/rates.js", "rates.js"),
    file!("/assets/words.js", "words.js"),
    file!("/assets/charts.js", "charts.js"),
    file!("/assets/figures.js", "figures.js"),
    file!("/assets/backends.js", "backends.js"),
    file!("/assets/sessions.js", "sessions.js"),
    file!("/assets/cells.js", "cells.js"),
    file!("/assets/users.js", "users.js"),
    file!("/assets/dialogs.js", "dialogs.js"),
    file!("/assets/uplot.js", "uplot.js"),
    file!("/assets/uplot.css", "uplot.css"),
    file!("/assets/uplot.LICENSE", "uplot.LICENSE"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        pages::assert_all_are_served(&FILES, "web/admin");
    }
}
