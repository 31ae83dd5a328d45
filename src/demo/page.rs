//! The demo page: the files of `web/demo`, as they are.

use axum::Router;

use crate::pages::{self, WebFile};

/// The page below `/demo/`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    pages::routes(&FILES, POLICY)
}

/// Nothing from elsewhere, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; \
                      media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! file {
    ($path:literal, $name:literal) => {
        WebFile { path: $path, name: $name, text: include_str!(concat!("../../web/demo/", $name)) }
    };
}

static FILES: [WebFile; 11] = [
    file!("/demo/", "index.html"),
    file!("/demo/style.css", "style.css"),
    file!("/demo/icon.svg", "icon.svg"),
    file!("/demo/main.js", "main.js"),
    file!("/demo/session.js", "session.js"),
    file!("/demo/api.js", "api.js"),
    file!("/demo/frames.js", "frames.js"),
    file!("/demo/encoded-frames.js", "encoded-frames.js"),
    file!("/demo/synthetic.js", "synthetic.js"),
    file!("/demo/overlay.js", "overlay.js"),
    file!("/demo/meters.js", "meters.js"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        pages::assert_all_are_served(&FILES, "web/demo");
    }
}
