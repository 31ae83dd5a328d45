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

static FILES: [WebFile; 0] = [];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        pages::assert_all_are_served(&FILES, "web/admin");
    }
}
