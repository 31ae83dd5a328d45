//! The demo page: the files of `web/demo`, as they are.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

/// The page below `/demo/`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, &(path, kind, text)| {
        router.route(path, get(move || async move { (headers(kind), text).into_response() }))
    })
}

fn headers(kind: &'static str) -> [(header::HeaderName, &'static str); 5] {
    [
        (header::CONTENT_TYPE, kind),
        // The next version of this program has other files.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ]
}

/// Nothing from elsewhere, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; \
                      media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($path:literal, $kind:expr, $name:literal) => {
        ($path, $kind, include_str!(concat!("../../web/demo/", $name)))
    };
}

const FILES: [(&str, &str, &str); 11] = [
    file!("/demo/", HTML, "index.html"),
    file!("/demo/style.css", CSS, "style.css"),
    file!("/demo/icon.svg", SVG, "icon.svg"),
    file!("/demo/main.js", JAVASCRIPT, "main.js"),
    file!("/demo/session.js", JAVASCRIPT, "session.js"),
    file!("/demo/api.js", JAVASCRIPT, "api.js"),
    file!("/demo/frames.js", JAVASCRIPT, "frames.js"),
    file!("/demo/encoded-frames.js", JAVASCRIPT, "encoded-frames.js"),
    file!("/demo/synthetic.js", JAVASCRIPT, "synthetic.js"),
    file!("/demo/overlay.js", JAVASCRIPT, "overlay.js"),
    file!("/demo/meters.js", JAVASCRIPT, "meters.js"),
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let mut served: Vec<&str> =
            FILES.iter().map(|(path, ..)| path.trim_start_matches("/demo/")).collect();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web/demo");
        let files =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> =
            files.map(|name| if name == "index.html" { String::new() } else { name }).collect();
        served.sort_unstable();
        files.sort_unstable();
        assert_eq!(served, files);
    }
}
