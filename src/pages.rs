//! Web pages that are part of the program: files as they are, with the fields that keep a browser from doing more than they need.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

/// A file of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WebFile {
    /// Where it is served.
    pub(crate) path: &'static str,
    /// The name of its file, by which its media type is known.
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// Serves files of a page. `policy` is what the page may load and do (Content-Security-Policy).
pub(crate) fn routes<S>(files: &'static [WebFile], policy: &'static str) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    files.iter().fold(Router::new(), |router, file| {
        let fields = [
            (header::CONTENT_TYPE, media_type(file.name)),
            // The next version of this program has other files.
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        router.route(file.path, get(move || async move { (fields, file.text).into_response() }))
    })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

/// Checks that all files of a folder are served, and no others.
#[cfg(test)]
pub(crate) fn assert_all_are_served(files: &[WebFile], folder: &str) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut served: Vec<&str> = files.iter().map(|file| file.name).collect();
    let there = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut there: Vec<String> = there.map(|name| name.into_string().unwrap()).collect();
    served.sort_unstable();
    there.sort_unstable();
    assert_eq!(served, there);
}
